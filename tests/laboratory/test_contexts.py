"""What the laboratory knows of a context, with a player that is only pretended."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from trio_ports._laboratory.browsers.errors import BrowserGoneError
from trio_ports._laboratory.contexts import Context, Contexts
from trio_ports._laboratory.laboratory import Laboratory
from trio_ports._laboratory.protocol import Hello, Result, Results

HELLO = Hello("a", "id", "background", "http://127.0.0.1/", None)


class FakeSocket:
    """Reports what it was made with and goes; takes whatever is sent, until it is broken."""

    def __init__(self, *reports: Any, broken: bool = False) -> None:
        self._reports = [msgspec.json.encode(report) for report in reports]
        self._broken = broken

    async def receive(self) -> bytes | None:
        await trio.lowlevel.checkpoint()
        return self._reports.pop(0) if self._reports else None

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self._broken:
            raise trio.BrokenResourceError


def pretend(**options: Any) -> Context:
    return Context(**msgspec.structs.asdict(HELLO), socket=FakeSocket(**options))  # type: ignore[arg-type]


async def serve(contexts: Contexts, *reports: Any) -> None:
    await contexts.serve(FakeSocket(*reports))  # type: ignore[arg-type]


async def test_a_player_that_ends_before_it_answers() -> None:
    """The one who waits is told; the answer to a question that was cancelled is dropped."""
    context = pretend()
    with pytest.RaisesGroup(pytest.RaisesExc(BrowserGoneError, match="before it answered")):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(context.ask, {})
            await trio.testing.wait_all_tasks_blocked()
            context.receive(Results(99, (Result(),)))
            context.end()
    assert context.gone.is_set()


async def test_a_player_that_has_left_its_socket() -> None:
    """It may have gone without our knowing yet."""
    with pytest.raises(BrowserGoneError, match="has ended"):
        await pretend(broken=True).ask({})


async def test_a_player_that_leaves_without_a_word() -> None:
    """A page that was left while it was still loading was never there."""
    contexts = Contexts()
    await serve(contexts)
    assert (contexts.all, contexts.present) == ([], {})


async def test_a_player_that_comes_and_goes() -> None:
    """It is known for as long as it is there; what it reported stays until it is forgotten."""
    contexts = Contexts()
    await serve(contexts, HELLO, {"type": "called", "record": {"event": "on_message"}})
    (context,) = contexts.all
    assert context is contexts.backgrounds["a"]
    assert (context.log, context.gone.is_set(), contexts.present) == ([{"event": "on_message"}], True, {})
    contexts.forget()
    assert contexts.all == []


async def test_a_player_says_hello_first() -> None:
    """Anything else is a fault of ours."""
    with pytest.raises(ValueError, match="hello first"):
        await serve(Contexts(), Results(1, ()))


async def test_what_happens_within_a_time() -> None:
    """A record ends the wait; none, and the time does."""
    contexts, context = Contexts(), pretend()
    assert not await contexts.happens_within(0.001)
    async with trio.open_nursery() as nursery:

        async def happen() -> None:
            await trio.testing.wait_all_tasks_blocked()
            contexts.take(context, {"event": "on_message"})

        nursery.start_soon(happen)
        assert await contexts.happens_within(60)
    assert context.log == [{"event": "on_message"}]


async def test_what_other_processes_do_has_to_end_before_it_is_quiet(autojump_clock: trio.testing.MockClock) -> None:
    """Each record begins the time anew in which nothing may happen."""
    contexts, context = Contexts(), pretend()
    laboratory = Laboratory(None, contexts, "", [])  # type: ignore[arg-type]

    async def happen() -> None:
        for _ in range(3):
            await trio.sleep(0.9)
            contexts.take(context, {"event": "on_message"})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(happen)
        await laboratory.settle(quiet_seconds=1)
    assert trio.current_time() >= 3.7
