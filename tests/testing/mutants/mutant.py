"""What a mutant is, and how one is made of correct ports or a correct browser."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from typing import Any
from unittest import mock

import attrs
import trio
from testing import makers
from testing.proxies import ProxyEvent, ProxyPort

SMALL = {"max_buffer_size": 3, "max_message_bytes": 500}
"""The limits of the ports that most mutants are made of."""
TWO_RECEIVERS = partial(makers.open_in_browser, 2, **SMALL)


@attrs.frozen
class Mutant:
    """Ports, or a browser, that break one rule in one way."""

    rule: int
    """The rule that is broken."""
    does: str
    """What it does wrong: a sentence without its subject, "the port" or "the browser"."""
    port: type[ProxyPort] = ProxyPort
    """Stands before each end, and changes what it does."""
    maker: Callable[[], Any] = partial(makers.open_pair, **SMALL)
    """Opens the correct ports."""
    patch: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext
    """Replaces a part of this package while the mutant is checked."""
    options: dict[str, Any] = attrs.Factory(dict)
    """What the kit is told about the mutant: its dialect, and what becomes of a listener's exception."""
    browser: bool = False
    """It is a browser, not only ports."""

    @asynccontextmanager
    async def make(self) -> AsyncGenerator[tuple[ProxyPort, ...]]:
        """Open the mutant's ports, as `check_port` asks a maker to."""
        async with self.maker() as ends:
            others: list[ProxyPort] = []
            others += [self.port(end, others) for end in ends]
            yield tuple(others)


# Ports that stand before correct ones ---------------------------------------------------------------------------------


def ports(**members: Any) -> type[ProxyPort]:
    """Make a class of ports with other members: functions of the port (attributes too), or classes of events."""
    attributes = {name: property(value) for name, value in members.items() if name in ("name", "sender", "error")}
    return type("Changed", (ProxyPort,), {**members, **attributes})


def converting(convert: Callable[[Any], Any]) -> type[ProxyPort]:
    """Make a class of ports that post something else than they are given."""
    return ports(post_message=lambda port, message: port.real.post_message(convert(message)))


def calling(call: Callable[..., Any]) -> type[ProxyEvent]:
    """Make a class of events with another way to call a listener: ``call(port, listener, *arguments)``."""
    return type("Changed", (ProxyEvent,), {"call": lambda event, *args: call(event.proxy, *args)})


def call_soon(function: Callable[..., Any], *args: Any) -> None:
    """Call a function in a task of its own, so that it runs after its caller."""

    async def call() -> None:
        function(*args)

    trio.lowlevel.spawn_system_task(call)


def take_frames(port: ProxyPort) -> list[bytes]:
    """Take out the messages that wait at a port, still encoded."""
    return [port.real._end.receive_nowait() for _ in range(port.real.statistics().messages_waiting)]


# Parts of the package that are replaced -----------------------------------------------------------------------------


def replace(target: Any, name: str, make: Callable[[Any], Any]) -> AbstractContextManager[Any]:
    """Replace a part of the package, for a block, by what ``make`` makes of the original."""
    return mock.patch.object(target, name, make(getattr(target, name)))


def in_ports(rule: int, does: str, target: Any, name: str, make: Callable[[Any], Any], **options: Any) -> Mutant:
    """Return the mutant whose ports have this part replaced."""
    return Mutant(rule, does, patch=partial(replace, target, name, make), **options)


def in_browser(
    rule: int,
    does: str,
    target: Any,
    name: str,
    make: Callable[[Any], Any],
    *,
    dialect: str = "trio",
    listener_errors: str = "log",
) -> Mutant:
    """Return the mutant whose browser has this part replaced."""
    patch = partial(replace, target, name, make)
    return Mutant(
        rule, does, patch=patch, browser=True, options={"dialect": dialect, "listener_errors": listener_errors}
    )
