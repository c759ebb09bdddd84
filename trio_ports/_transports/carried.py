"""A port whose other side is a transport, for as long as a block lasts."""

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
    carry: Carry, options: Options, decoder: Decoder, *, name: str = "", sender: MessageSender | None = None
) -> AsyncGenerator[Port[Any, Any]]:
    """Open a port for the block, and run ``carry`` with its far end.

    Leaving the block disconnects the port and waits for ``carry``, which returns soon after that, cancelled or not, and
    raises only what somebody else's function raised in it. What listeners raise, or that function, leaves in an
    ExceptionGroup, what the block raises leaves as it is.

    Args:
        carry: owns the far end; closes it, and shields itself for as long as it needs to end in good order.
        options: how the port behaves.
        decoder: for what arrives.
        name: of the port.
        sender: of the port.
    """
    near, (far,) = open_connection(max_buffer_size=options.max_buffer_size)
    body = Body()
    with body.joined():
        async with trio.open_nursery() as nursery:
            scope = Scope(nursery)
            port: Port[Any, Any] = Port(near, scope, options, decoder, name=name, sender=sender)
            entered = False
            try:
                with body:
                    async with port:
                        # Not sooner: nothing arrives before the block has had its chance to add listeners.
                        nursery.start_soon(carry, far)
                        entered = True
                        yield port
            finally:
                if not entered:
                    nursery.start_soon(carry, far)
                scope.close()
