"""A port whose far end is carried by a transport, for a block."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeAlias

import trio

from .._ports.body import Body
from .._ports.connection import End, open_connection
from .._ports.options import Options
from .._ports.port import Port
from .._ports.scopes import Scope
from .._protocol.messages import Decoder
from .._protocol.senders import MessageSender

Carry: TypeAlias = Callable[[End], Awaitable[None]]


@contextlib.asynccontextmanager
async def open_carried_port(
    carry: Carry,
    options: Options,
    decoder: Decoder,
    *,
    name: str = "",
    sender: MessageSender | None = None,
    ends_block: bool = False,
) -> AsyncGenerator[Port[Any, Any]]:
    """Open a port for the block, and run ``carry`` with its far end.

    Leaving the block disconnects the port and waits for ``carry``. It returns soon after
    that, cancelled or not, and raises nothing of its own, only what a caller's function
    raised in it. The exception of such a function or of a listener leaves in an
    ExceptionGroup; the block's own exception leaves as it is.

    ``carry`` owns the far end. It closes that end, and shields itself for as long as it
    needs to finish in good order. With ``ends_block``, the error that the port's end raises
    in the block goes no further, as it is with a port that has a sender.
    """
    near, (far,) = open_connection(max_buffer_size=options.max_buffer_size, max_buffer_bytes=options.max_buffer_bytes)
    body = Body()
    with body.joined():
        async with trio.open_nursery() as nursery:
            scope = Scope(nursery)
            port: Port[Any, Any] = Port(near, scope, options, decoder, name=name, sender=sender, ends_block=ends_block)
            entered = False
            try:
                with body:
                    async with port:
                        # Not sooner: no message may arrive before the block could add listeners.
                        nursery.start_soon(carry, far)
                        entered = True
                        yield port
            finally:
                if not entered:
                    nursery.start_soon(carry, far)
                scope.close()
