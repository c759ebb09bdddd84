"""A port whose other side is a transport, for as long as a block lasts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, TypeAlias, final

import trio

from .._ports.connection import open_connection
from .._ports.ends import End
from .._ports.failures import split_cancelled
from .._ports.owners import Owner
from .._ports.port import Port
from .._ports.setup import Setup
from .._protocol.messages import Decoder
from .._protocol.senders import MessageSender

Carry: TypeAlias = Callable[[End], Awaitable[None]]


@contextlib.asynccontextmanager
async def open_carried_port(
    carry: Carry, setup: Setup, decoder: Decoder, *, name: str = "", sender: MessageSender | None = None
) -> AsyncGenerator[Port[Any, Any]]:
    """Open a port for the block, and run ``carry`` with its far end.

    Leaving the block disconnects the port and waits for ``carry``, which returns soon after that, cancelled or not, and
    raises only what somebody else's function raised in it. What listeners raise, or that function, leaves in an
    ExceptionGroup, what the block raises leaves as it is.

    Args:
        carry: owns the far end; closes it, and shields itself for as long as it needs to end in good order.
        setup: how the port behaves.
        decoder: for what arrives.
        name: of the port.
        sender: of the port.
    """
    near, (far,) = open_connection(max_buffer_size=setup.max_buffer_size)
    aside = _Aside()
    with aside.joined():
        async with trio.open_nursery() as nursery:
            owner = Owner(nursery)
            port: Port[Any, Any] = Port(near, owner, setup, decoder, name=name, sender=sender, held=True)
            port._release()
            entered = False
            with aside:
                async with port:
                    # Not sooner: nothing arrives before the block has had its chance to add listeners.
                    nursery.start_soon(carry, far)
                    entered = True
                    yield port
            if not entered:
                nursery.start_soon(carry, far)
            owner.close()


@final
class _Aside:
    """Keeps what leaves a block past the end of a nursery, which would wrap it in a group."""

    def __init__(self) -> None:
        self._error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._error = error
        return True

    @contextlib.contextmanager
    def joined(self) -> Generator[None]:
        """Raise at the end of the block what was kept, beside what the block raises: one that is no cancellation."""
        try:
            yield
        except BaseException as other:
            kept, self._error = self._error, None
            if kept is None or split_cancelled(kept)[1] is None:
                raise
            rest = split_cancelled(other)[1]
            if rest is None:
                raise kept from None
            raise BaseExceptionGroup("a port's block and what carries its messages failed", [kept, rest]) from None
        kept, self._error = self._error, None
        try:
            if kept is not None:
                raise kept
        finally:
            del kept  # Its traceback holds this frame.
