"""A pair of ports, joined in one program: two tasks, and nothing else."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any, cast, overload

import trio
from trio.lowlevel import enable_ki_protection

from .._protocol.dialects import DialectName
from .._protocol.senders import UNKNOWN_SENDER, MessageSender
from .._util import check_type, require_trio
from .connection import open_connection
from .failures import ListenerErrors
from .observers import Observer
from .options import make_options
from .port import MessageT, Port
from .scopes import scope_of

if TYPE_CHECKING:
    from typing_extensions import TypeForm, TypeVar

    OtherT = TypeVar("OtherT", default=Any)


@overload
def open_port_pair(
    nursery: trio.Nursery,
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
) -> tuple[Port[Any, MessageT], Port[Any, MessageT]]: ...
@overload
def open_port_pair(
    nursery: trio.Nursery,
    name: str = "",
    sender: MessageSender | None = None,
    *,
    dialect: DialectName = "trio",
    max_buffer_size: float | None = None,
    max_buffer_bytes: float | None = None,
    max_message_bytes: float | None = None,
    listener_errors: ListenerErrors | None = None,
    observer: Observer | None = None,
    message_type: tuple[TypeForm[MessageT], TypeForm[OtherT]],
) -> tuple[Port[Any, MessageT], Port[Any, OtherT]]: ...
@enable_ki_protection
def open_port_pair(
    nursery: trio.Nursery,
    name: str = "",
    sender: MessageSender | None = None,
    *,
    dialect: DialectName = "trio",
    max_buffer_size: float | None = None,
    max_buffer_bytes: float | None = None,
    max_message_bytes: float | None = None,
    listener_errors: ListenerErrors | None = None,
    observer: Observer | None = None,
    message_type: Any = Any,
) -> tuple[Port[Any, Any], Port[Any, Any]]:
    """Open a connection and return both of its ends: the opener's, and the receiver's, which has ``sender``.

    The ports belong to ``nursery``, which stays open until both are over. A port that somebody has read from is over
    only once its last message was taken, even if the other side has gone. So disconnect both, or use ``async with``.
    Cancelling the nursery ends both ports, in good order. A listener's exception leaves through the nursery.

    Nothing is delivered before the caller reaches a checkpoint.

    Args:
        nursery: runs the listeners.
        name: the name of both ends.
        sender: the receiver's ``sender``, which describes the opener; an empty MessageSender unless given. The
            opener's own ``sender`` is always None.
        dialect: ``"trio"``, ``"firefox"`` or ``"chrome"``.
        max_buffer_size: how many messages may wait in each direction, an int of at least 1 or ``math.inf``;
            the dialect's own (1,024 in ``"trio"``) unless given.
        max_buffer_bytes: how many bytes these messages may have together, encoded, likewise;
            64 MiB in ``"trio"``. One message alone may have more.
        max_message_bytes: the largest encoded message, in bytes, likewise; 64 MiB in ``"trio"``.
        listener_errors: ``"raise"`` or ``"log"``; the dialect's own unless given.
        observer: called with a record of everything that happens to the two ports.
        message_type: the type that every arriving message is decoded into and checked against; or two of them, the
            first for messages that arrive at the opener, the second for those that arrive at the receiver.

    Raises:
        TypeError, ValueError: an argument is not as above.
        RuntimeError: outside Trio, or the nursery is closed.

    Source: ours; rules 1 to 32 hold for the pair.
    """
    require_trio("open_port_pair")
    check_type("nursery", nursery, trio.Nursery)
    check_type("name", name, str)
    check_type("sender", sender, (MessageSender, type(None)))
    options = make_options(
        dialect=dialect,
        listener_errors=listener_errors,
        max_buffer_size=max_buffer_size,
        max_buffer_bytes=max_buffer_bytes,
        max_message_bytes=max_message_bytes,
        observer=observer,
    )
    if isinstance(cast("object", message_type), tuple) and len(message_type) == 2:
        opener_decoder, receiver_decoder = map(options.decoder, message_type)
    else:
        opener_decoder = receiver_decoder = options.decoder(message_type)
    scope = scope_of(nursery)  # First: if the nursery is closed this raises, and no port exists.
    near, (far,) = open_connection(
        max_buffer_size=options.max_buffer_size,
        max_buffer_bytes=options.max_buffer_bytes,
        receiver_disconnects=options.dialect.receiver_disconnects,
        receiver_vanishes=options.dialect.receiver_vanishes,
    )
    context = contextvars.copy_context()
    opener: Port[Any, Any] = Port(near, scope, options, opener_decoder, name=name, context=context)
    receiver: Port[Any, Any] = Port(
        far, scope, options, receiver_decoder, name=name, sender=sender or UNKNOWN_SENDER, context=context
    )
    return opener, receiver
