"""The ends of a connection, as its maker gives them: opened, and seen to be ports."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, TypeAlias

import trio

from ...._ports.blocks import open_body

Maker: TypeAlias = Callable[..., Any]
"""Opens a connection: returns its ends, the opener's first, or something that can be awaited or entered for them."""

PORT_MEMBERS: Final = (
    "name",
    "sender",
    "error",
    "on_message",
    "on_disconnect",
    "post_message",
    "disconnect",
    "send",
    "receive",
    "wait_disconnected",
)
"""What a port has at least."""


@asynccontextmanager
async def open_ends(maker: Maker) -> AsyncGenerator[tuple[Any, ...]]:
    """Call a maker, however it makes.

    It is a function that takes a nursery or nothing, and returns the ends, or something that can be awaited or entered
    for them.
    """
    async with open_body() as body, AsyncExitStack() as stack:
        ends: tuple[Any, ...] = ()
        nursery: trio.Nursery | None = None
        if _wants_nursery(maker):
            nursery = await stack.enter_async_context(trio.open_nursery())
        with body:
            made = maker() if nursery is None else maker(nursery)
            if hasattr(made, "__aenter__"):
                made = await stack.enter_async_context(made)
            elif inspect.isawaitable(made):
                made = await made
            ends = _checked(made)
        if ends:
            yield ends
        if nursery is not None:
            nursery.cancel_scope.cancel()


def _checked(made: Any) -> tuple[Any, ...]:
    """Return the ends that a maker made.

    Raises:
        TypeError: they are none.
    """
    wanted = "the maker must return the ends of a connection, the opener's first"
    try:
        ends: tuple[Any, ...] = tuple(made)
    except TypeError:
        raise TypeError(f"{wanted}, and not {made!r}") from None
    for end in ends:
        missing = [name for name in PORT_MEMBERS if not hasattr(end, name)]
        if missing:
            raise TypeError(f"{wanted}: {end!r} is no port, it has no {', '.join(missing)}")
    if len(ends) < 2:
        raise TypeError(f"{wanted}: two at least, and not {len(ends)}")
    return ends


def _wants_nursery(maker: Maker) -> bool:
    with suppress(TypeError, ValueError):
        for parameter in inspect.signature(maker).parameters.values():
            positional = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            return positional and parameter.default is parameter.empty
    return False
