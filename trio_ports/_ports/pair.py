"""A pair of ports: the smallest use, two tasks and nothing else."""

from __future__ import annotations

from typing import Any

import trio
from trio.lowlevel import enable_ki_protection

from .._protocol.dialects import DialectName
from .._protocol.senders import MessageSender
from .._util import check_type, require_trio
from .connection import open_connection
from .observers import Observer
from .owners import Owner
from .port import Port
from .setup import ListenerErrors, make_setup


@enable_ki_protection
def open_port_pair(
    nursery: trio.Nursery,
    name: str = "",
    sender: MessageSender | None = None,
    *,
    dialect: DialectName = "trio",
    max_buffer_size: float | None = None,
    max_message_bytes: float | None = None,
    listener_errors: ListenerErrors | None = None,
    observer: Observer | None = None,
    message_type: Any = Any,
) -> tuple[Port[Any, Any], Port[Any, Any]]:
    """Open a connection and return both of its ends: the opener's, and the receiver's, which has ``sender``.

    The ports belong to ``nursery``: it stays open until both are over, and one whose other side has gone is not over
    while somebody who reads there has not come to the end. So disconnect both, or use ``async with``. Cancelling it
    ends both, in good order, whatever cancelled it; what their listeners raise leaves through it.
    Sync; nothing is delivered before the caller reaches a checkpoint.

    Args:
        nursery: runs the listeners.
        name: what both ends are called.
        sender: who the opener is, for the receiver: nothing known of it (an empty MessageSender) unless given. The
            opener's own is None in any case.
        dialect: ``"trio"``, ``"firefox"`` or ``"chrome"``.
        max_buffer_size: how many messages may wait in each direction, an int of at least 1 or ``math.inf``;
            the dialect's own (1,024 in ``"trio"``) unless given.
        max_message_bytes: the largest encoded message, in bytes, likewise; 64 MiB in ``"trio"``.
        listener_errors: ``"raise"`` or ``"log"``; the dialect's own unless given.
        observer: called with a record of everything that happens to the two ports.
        message_type: what every message that arrives, at either end, is decoded into and checked against.

    Raises:
        TypeError, ValueError: for arguments that are not as above.
        RuntimeError: outside Trio, or if the nursery is closed.

    Source: ours; rules 1 to 32 hold for the pair.
    """
    require_trio("open_port_pair")
    check_type("nursery", nursery, trio.Nursery)
    check_type("name", name, str)
    check_type("sender", sender, (MessageSender, type(None)))
    setup = make_setup(
        dialect=dialect,
        listener_errors=listener_errors,
        max_buffer_size=max_buffer_size,
        max_message_bytes=max_message_bytes,
        observer=observer,
    )
    decoder = setup.decoder(message_type)
    owner = Owner(nursery)
    near, (far,) = open_connection(
        max_buffer_size=setup.max_buffer_size,
        receiver_disconnects=setup.dialect.receiver_disconnects,
        receiver_vanishes=setup.dialect.receiver_vanishes,
    )
    ports: list[Port[Any, Any]] = []
    nursery.start_soon(_keep, owner, ports)  # First: a nursery that is closed refuses, and there never was a port.
    opener: Port[Any, Any] = Port(near, owner, setup, decoder, name=name, held=True)
    receiver: Port[Any, Any] = Port(far, owner, setup, decoder, name=name, sender=sender or MessageSender(), held=True)
    ports += opener, receiver
    opener._release()
    receiver._release()
    return opener, receiver


@enable_ki_protection
async def _keep(owner: Owner, ports: list[Port[Any, Any]]) -> None:
    """Keep the nursery open until both ports are over; end them if it is cancelled."""
    try:
        for port in ports:
            await port.wait_disconnected()
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()  # Whoever is about to use a port learns first that it is cancelled.
        await owner.settle()
        owner.close()
        raise
