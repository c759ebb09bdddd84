"""Every way to make connected ports obeys the rules."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from testing import makers

import trio_ports
from trio_ports.bus import MemoryNetwork
from trio_ports.testing import Limits, check_browser, check_port, moves
from trio_ports.testing._conformance.options import Options
from trio_ports.testing._conformance.play import make_port_subject, play, quiet
from trio_ports.testing._conformance.stories import port_stories

SMALL = {"max_buffer_size": 3, "max_message_bytes": 500}
LIMITS = Limits(**SMALL)
WIRE: dict[str, Any] = {
    "over_a_wire": True,
    "supports_async_with": False,
    "limits": Limits(max_message_bytes=500),
}
OUTSIDE: dict[str, Any] = {**WIRE, "outside_trio": True}
BROWSER: dict[str, Any] = {"supports_async_with": True, "reports_crashes": True}

PORTS = {
    "pair": (partial(makers.open_pair, **SMALL), {"limits": LIMITS}),
    "pair, its own limits": (makers.open_pair, {}),
    "pair, firefox": (partial(makers.open_pair, dialect="firefox"), {"dialect": "firefox"}),
    "pair, chrome": (partial(makers.open_pair, dialect="chrome"), {"dialect": "chrome"}),
    "browser": (partial(makers.open_in_browser, **SMALL), {"limits": LIMITS}),
    "two receivers": (partial(makers.open_in_browser, 2, **SMALL), {"limits": LIMITS}),
    "two receivers, firefox": (partial(makers.open_in_browser, 2, dialect="firefox"), {"dialect": "firefox"}),
    "memory stream": (partial(makers.open_memory, max_message_bytes=500), WIRE),
    "lockstep stream": (partial(makers.open_lockstep, max_message_bytes=500), WIRE),
    "trickling stream": (partial(makers.open_trickling, max_message_bytes=500), WIRE),
    "pipes": (partial(makers.open_pipes, max_message_bytes=500), OUTSIDE),
    "socket": (partial(makers.open_sockets, max_message_bytes=500), OUTSIDE),
    "child process": (partial(makers.open_child, max_message_bytes=500), {**OUTSIDE, "examples": 5}),
    "relay": (partial(makers.open_relayed_here, max_message_bytes=500), {**OUTSIDE, "examples": 5}),
    "bus": (partial(makers.open_on_memory_bus, max_message_bytes=500), {**WIRE, **BROWSER}),
    "bus, Zenoh": (partial(makers.open_on_zenoh, max_message_bytes=500), {**OUTSIDE, **BROWSER, "examples": 5}),
}
REPEATED = ("pair", "pair, its own limits", "browser", "memory stream", "lockstep stream", "trickling stream", "pipes")
REPEATED += ("socket", "child process")
"""What they take of the kit and the ports the others take too."""


@pytest.mark.usefixtures("patient_wires")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.repetition] if name in REPEATED else []) for name in PORTS]
)
def test_ports(name: str) -> None:
    """A connection obeys the rules, whatever it is made of."""
    maker, options = PORTS[name]
    check_port(maker, listener_errors="log", **{"examples": 40, **options})


def test_relays_as_programs() -> None:
    """A relay that is a process obeys them too. Each story starts one, so only every twentieth is played."""
    maker = partial(makers.open_relayed, max_message_bytes=500)
    subject = make_port_subject(maker, 1, Options(**OUTSIDE, listener_errors="log"))
    stories = list(port_stories(subject.rules, subject.scope))[::20]
    assert len(stories) > 7
    with quiet():
        for story in stories:
            assert play(subject, story.history).difference is None, story


TURNS = {
    "a disconnect before what was posted arrives": [
        moves.start_receive("call", "opener"),
        moves.turn("opener", moves.by("receiver", moves.post(1)), moves.by("opener", moves.disconnect())),
    ],
    "a listener before the end arrives": [
        moves.turn("opener", moves.post(1)),
        moves.turn(
            "opener",
            moves.by("opener", moves.post(2), moves.disconnect()),
            moves.by("receiver", moves.add_listener("on_message", "holds", moves.hold())),
        ),
    ],
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", [name for name, (_, options) in PORTS.items() if "over_a_wire" in options])
def test_turns_of_both_ends_over_a_wire(name: str, turn: str) -> None:
    """What one end does at once happens before what the other one did in the same moment arrives."""
    maker, given = PORTS[name]
    outside = "outside_trio" in given
    options = Options(limits=given["limits"], over_a_wire=True, outside_trio=outside, supports_async_with=False)
    subject = make_port_subject(maker, 1, options)
    verdict = play(subject, TURNS[turn])
    assert (verdict.history, verdict.difference) == (TURNS[turn], None)


@pytest.mark.parametrize("dialect", ["trio", "firefox", "chrome"])
def test_browsers(dialect: Any) -> None:
    """A browser obeys the rules, in each dialect."""
    check_browser(
        partial(trio_ports.open_browser, dialect=dialect, listener_errors="log"),
        dialect=dialect,
        listener_errors="log",
        examples=40,
    )


@asynccontextmanager
async def open_browser_on_bus(**options: Any) -> AsyncGenerator[trio_ports.Browser]:
    """A browser that shares a bus with another one, in which nobody listens."""
    network = MemoryNetwork()
    async with (
        network.open_bus() as here,
        network.open_bus() as there,
        trio_ports.open_browser(bus=there),
        trio_ports.open_browser(bus=here, listener_errors="log", **options) as browser,
    ):
        await here.wait_peers()
        yield browser


@pytest.mark.parametrize("dialect", ["trio", "firefox", "chrome"])
def test_browsers_on_a_bus(dialect: Any) -> None:
    """A browser obeys the rules when it is not alone."""
    maker = partial(open_browser_on_bus, dialect=dialect)
    check_browser(maker, dialect=dialect, listener_errors="log", examples=20)
