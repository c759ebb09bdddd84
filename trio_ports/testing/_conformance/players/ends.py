"""A player that has the ends of one connection, as a maker opens them."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, TypeAlias, final

import trio

from ...._ports.body import Body
from .actors import Actor
from .in_process import InProcessPlayer
from .owner import Owner

Maker: TypeAlias = Callable[..., Any]
"""Opens a connection: returns its ends, the opener's first, or something that can be awaited or entered for them."""

PORT_MEMBERS: Final = (
    *("name", "sender", "error", "on_message", "on_disconnect"),
    *("post_message", "disconnect", "send", "receive", "wait_disconnected"),
)
"""What a port has at least."""


@final
class PortPlayer(InProcessPlayer):
    """Plays with the ends of one connection: see `open_port_player`."""

    def __init__(
        self,
        nursery: trio.Nursery,
        ends: Iterable[Any],
        owner: Owner,
        *,
        outside_trio: bool = False,
        owns_nursery: bool = False,
    ) -> None:
        super().__init__(nursery, owner, outside_trio=outside_trio)
        self.owns_nursery = owns_nursery
        for number, port in enumerate(ends):
            name = ("opener", "receiver")[number] if number < 2 else f"receiver{number}"
            actor = self.contexts[name] = Actor(self, name)
            actor.adopt(port, "p")


@asynccontextmanager
async def open_port_player(maker: Maker, *, outside_trio: bool = False) -> AsyncGenerator[PortPlayer]:
    """Open a connection and a player for its ends, for a block.

    Args:
        maker: opens the connection, as for `check_port`.
        outside_trio: something outside this Trio run carries the messages: a socket, a pipe, another process.
    """
    async with trio.open_nursery() as nursery:
        owner = Owner(lambda: open_ends(maker))
        ends = await nursery.start(owner.run)
        player = PortPlayer(nursery, ends, owner, outside_trio=outside_trio, owns_nursery=_wants_nursery(maker))
        yield player
        # Otherwise whatever carries the messages would wait for a listener that holds, or for one end after the other.
        for actor in player.contexts.values():
            actor.disconnect_all()
        await owner.finish()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_ends(maker: Maker) -> AsyncGenerator[tuple[Any, ...]]:
    """Call a maker of any kind and check what it makes.

    Raises:
        TypeError: the maker made something that is not a connection.
    """
    body = Body()
    with body.joined():
        async with AsyncExitStack() as stack:
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
                ends = _check_ends(made)
            if ends:
                yield ends
            if nursery is not None:
                nursery.cancel_scope.cancel()


def _check_ends(made: Any) -> tuple[Any, ...]:
    wanted = "the maker must return the ends of a connection, the opener's first"
    try:
        ends: tuple[Any, ...] = tuple(made)
    except TypeError:
        raise TypeError(f"{wanted}, and not {made!r}") from None
    for end in ends:
        missing = [name for name in PORT_MEMBERS if not hasattr(end, name)]
        if missing:
            raise TypeError(f"{wanted}: {end!r} is not a port, it has no {', '.join(missing)}")
    if len(ends) < 2:
        raise TypeError(f"{wanted}: two at least, and not {len(ends)}")
    return ends


def _wants_nursery(maker: Maker) -> bool:
    with suppress(TypeError, ValueError):
        for parameter in inspect.signature(maker).parameters.values():
            positional = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            return positional and parameter.default is parameter.empty
    return False
