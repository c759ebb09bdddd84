"""A player that has the ends of one connection, as a maker opens them."""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, Literal, TypeAlias, final

import trio

from ...._ports.body import Body
from .actors import Actor
from .in_process import InProcessPlayer
from .owner import Owner
from .wire import WireEnd

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
async def open_port_player(
    maker: Maker, *, outside_trio: bool = False, largest: float = math.inf
) -> AsyncGenerator[PortPlayer]:
    """Open a connection and a player for its ends, for a block.

    Args:
        maker: opens the connection, as for `check_port`.
        outside_trio: something outside this Trio run carries the messages: a socket, a pipe, another process.
        largest: the largest message that the kit's own end of a wire may post, in bytes.
    """
    body = Body()
    with body.joined():
        async with trio.open_nursery() as nursery:
            owner = Owner(lambda: open_ends(maker))
            with body:
                ends = _with_wire_end(nursery, await nursery.start(owner.run), largest)
                player = PortPlayer(nursery, ends, owner, outside_trio=outside_trio, owns_nursery=_wants_nursery(maker))
                yield player
                # Otherwise what carries the messages would wait for a listener that holds, or for one end after
                # the other.
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
        if isinstance(end, trio.abc.Stream) and len(ends) == 2:
            continue
        missing = [name for name in PORT_MEMBERS if not hasattr(end, name)]
        if missing:
            raise TypeError(f"{wanted}: {end!r} is not a port, it has no {', '.join(missing)}")
    if len(ends) < 2:
        raise TypeError(f"{wanted}: two at least, and not {len(ends)}")
    if all(isinstance(end, trio.abc.Stream) for end in ends):
        raise TypeError(f"{wanted}: one of them may be a stream, and not both")
    return ends


def _with_wire_end(nursery: trio.Nursery, ends: tuple[Any, ...], largest: float) -> tuple[Any, ...]:
    """Put an end of the kit's own in the place of a stream."""
    side = wire_side(ends)
    if not side:
        return ends
    stream, port = ends if side == "opener" else reversed(ends)
    end = WireEnd(nursery, stream, name=port.name, is_opener=side == "opener", largest=largest)
    return (end, port) if side == "opener" else (port, end)


def wire_side(ends: tuple[Any, ...]) -> Literal["", "opener", "receiver"]:
    """Return which of the ends is a stream; empty if none is."""
    if isinstance(ends[0], trio.abc.Stream):
        return "opener"
    return "receiver" if isinstance(ends[1], trio.abc.Stream) else ""


def _wants_nursery(maker: Maker) -> bool:
    with suppress(TypeError, ValueError):
        for parameter in inspect.signature(maker).parameters.values():
            positional = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            return positional and parameter.default is parameter.empty
    return False
