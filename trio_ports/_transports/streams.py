"""Streams: a port over anything that carries bytes in both directions, such as a socket."""

from __future__ import annotations

import contextlib
import contextvars
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import enable_ki_protection

from .._ports.connection import End, open_connection
from .._ports.failures import ListenerErrors
from .._ports.observers import Observer
from .._ports.options import make_options
from .._ports.port import MessageT, Port
from .._ports.scopes import scope_of
from .._protocol.dialects import DialectName
from .._protocol.frames import FrameDecoder
from .._protocol.senders import MessageSender
from .._util import check_type, require_trio
from .carried import open_carried_port
from .carrier import GRACE_SECONDS, Carrier, Finish, wire_error

if TYPE_CHECKING:
    from typing_extensions import TypeForm


def open_stream_port(
    stream: trio.abc.Stream,
    name: str = "",
    sender: MessageSender | None = None,
    *,
    dialect: DialectName = "trio",
    max_buffer_size: float | None = None,
    max_buffer_bytes: float | None = None,
    max_message_bytes: float | None = None,
    listener_errors: ListenerErrors | None = None,
    observer: Observer | None = None,
    message_type: TypeForm[MessageT] = Any,
) -> AbstractAsyncContextManager[Port[Any, MessageT]]:
    """Open a port over a stream, for a block.

    The stream belongs to the port, which closes it at the end. Messages that were posted
    are written first, as long as the other side takes some of them every three seconds.
    Then the other side gets a second to close, too. A block that is cancelled takes three
    seconds at most, for all of this.

    The other side of the stream has to speak frames. It may be another port, or a program
    of yours. Its end of file is an orderly end. If the stream breaks, or the bytes are
    not frames, the port's `error` says so. The block's own exception leaves it as it is;
    a listener's exception leaves in an ExceptionGroup.

    Args:
        stream: carries the bytes.
        name: the port's name; it is not sent.
        sender: who is on the other side, if you know.
        dialect: ``"trio"``, ``"firefox"`` or ``"chrome"``.
        max_buffer_size: how many messages may wait in each direction, an int of at least
            1 or ``math.inf``; the dialect's own unless given. When they are full, nothing
            more is read from the stream.
        max_buffer_bytes: how many bytes these messages may have together, encoded, likewise;
            the dialect's own unless given. One message alone may have more.
        max_message_bytes: the largest encoded message in both directions, in bytes,
            likewise.
        listener_errors: ``"raise"`` or ``"log"``; the dialect's own unless given.
        observer: called with a record of everything that happens to the port.
        message_type: the type that every arriving message is decoded into and checked
            against.

    Raises:
        TypeError, ValueError: an argument is not as above.
        RuntimeError: outside Trio.

    Source: ours.
    """
    require_trio("open_stream_port")
    _check(stream, name, sender)
    options = make_options(
        dialect=dialect,
        listener_errors=listener_errors,
        max_buffer_size=max_buffer_size,
        max_buffer_bytes=max_buffer_bytes,
        max_message_bytes=max_message_bytes,
        observer=observer,
    )

    async def carry(end: End) -> None:
        await carry_stream(end, stream, FrameDecoder(max_frame_bytes=options.max_message_bytes))

    decoder = options.decoder(message_type)
    return open_carried_port(carry, options, decoder, name=name, sender=sender, ends_block=True)


@enable_ki_protection
def open_stream_port_in(
    nursery: trio.Nursery,
    stream: trio.abc.Stream,
    name: str = "",
    sender: MessageSender | None = None,
    *,
    dialect: DialectName = "trio",
    max_buffer_size: float | None = None,
    max_buffer_bytes: float | None = None,
    max_message_bytes: float | None = None,
    listener_errors: ListenerErrors | None = None,
    observer: Observer | None = None,
    message_type: TypeForm[MessageT] = Any,
) -> Port[Any, MessageT]:
    """Open a port over a stream that belongs to ``nursery``, for example one of a pool whose ports end in any order.

    As with `open_port_pair`, the nursery stays open until the port is over, and cancelling it ends the port in good
    order, within three seconds. A listener's exception leaves through the nursery. All else is as with
    `open_stream_port`, the arguments too.

    Raises:
        TypeError, ValueError: an argument is not as there. The stream is left as it is.
        RuntimeError: outside Trio, or the nursery is closed. The stream is left as it is.

    Source: ours.
    """
    require_trio("open_stream_port_in")
    check_type("nursery", nursery, trio.Nursery)
    _check(stream, name, sender)
    options = make_options(
        dialect=dialect,
        listener_errors=listener_errors,
        max_buffer_size=max_buffer_size,
        max_buffer_bytes=max_buffer_bytes,
        max_message_bytes=max_message_bytes,
        observer=observer,
    )
    decoder = options.decoder(message_type)
    scope = scope_of(nursery)  # First: if the nursery is closed this raises, and no port exists.
    near, (far,) = open_connection(max_buffer_size=options.max_buffer_size, max_buffer_bytes=options.max_buffer_bytes)
    context = contextvars.copy_context()
    port: Port[Any, MessageT] = Port(
        near, scope, options, decoder, name=name, sender=sender, ends_block=True, context=context
    )
    nursery.start_soon(carry_stream, far, stream, FrameDecoder(max_frame_bytes=options.max_message_bytes))
    return port


def _check(stream: trio.abc.Stream, name: str, sender: MessageSender | None) -> None:
    check_type("stream", stream, trio.abc.Stream)
    check_type("name", name, str)
    check_type("sender", sender, (MessageSender, type(None)))


async def carry_stream(end: End, stream: trio.abc.Stream, decoder: FrameDecoder) -> None:
    """Carry frames between ``end`` and ``stream``, both of which it owns, until one side has finished.

    Never raises because of what the other side did; the end reports it. A cancelled call
    still writes what was posted.
    """
    carrier = Carrier(end, stream.receive_some, stream.send_all, decoder, grace_seconds=GRACE_SECONDS)
    try:
        await carrier.run()
    finally:
        end.close(wire_error(carrier))
        with carrier.leave_taking():
            if carrier.finish is Finish.LEFT:
                await take_leave(stream)
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)


async def take_leave(stream: trio.abc.Stream) -> None:
    """Close so that the other side gets what was written: closing a socket that has unread bytes discards it."""
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        if isinstance(stream, trio.abc.HalfCloseableStream):
            await stream.send_eof()
            while await stream.receive_some():
                pass
        await stream.aclose()
