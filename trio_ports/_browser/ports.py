"""Ports as a browser handles them: connections opened, and ports held back until their listeners have been called.

The only file of the browser that knows how connections and ports work inside.
"""

from __future__ import annotations

from typing import Any

from .._ports.connection import open_connection
from .._ports.ends import End
from .._ports.failures import crash_error
from .._ports.port import Port
from .._ports.setup import Setup
from .._protocol.messages import Decoder


def open_ends(setup: Setup, receivers: int = 1) -> tuple[End, list[End]]:
    """Open a connection; return the opener's end and the receivers' ends."""
    return open_connection(
        receivers,
        max_buffer_size=setup.max_buffer_size,
        receiver_disconnects=setup.dialect.receiver_disconnects,
        receiver_vanishes=setup.dialect.receiver_vanishes,
    )


def expect_listeners(end: End) -> None:
    """Hold the sender back as if somebody listened at this end, until a port there knows whether anybody does."""
    end.lane.heard = True


def hold(port: Port[Any, Any]) -> None:
    """Let the port deliver nothing until `release` has been called as often as this."""
    port._hold()


def release(port: Port[Any, Any], *, within_task: bool = False) -> None:
    """Let the port deliver, unless somebody else still holds it.

    Args:
        port: that is held.
        within_task: before it waits, the current task may still begin to listen or read.
    """
    port._release(within_task=within_task)


def decode_with(port: Port[Any, Any], decoder: Decoder) -> None:
    """Decode what arrives at a port that is held with another decoder."""
    port._decoder = decoder


def crash(port: Port[Any, Any], error: BaseException) -> None:
    """Disconnect the port because of an exception; nothing happens if that is only a cancellation."""
    crashed = crash_error(error)
    if crashed is not None:
        port._close(crashed, vanished=True)
