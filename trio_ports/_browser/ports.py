"""Ports as a browser handles them: connections opened, and ports held back until their listeners have been called.

The only file of the browser that knows how connections and ports work inside.
"""

from __future__ import annotations

from typing import Any

from .._ports.connection import End, open_connection
from .._ports.failures import crash_error, judge, raise_as_it_is, without_own_end
from .._ports.observers import ListenerFailed
from .._ports.options import Options
from .._ports.port import Port
from .._protocol.messages import Decoder


def open_ends(options: Options, receivers: int = 1) -> tuple[End, list[End]]:
    """Open a connection; return the opener's end and the receivers' ends."""
    return open_connection(
        receivers,
        max_buffer_size=options.max_buffer_size,
        max_buffer_bytes=options.max_buffer_bytes,
        receiver_disconnects=options.dialect.receiver_disconnects,
        receiver_vanishes=options.dialect.receiver_vanishes,
    )


def hold(port: Port[Any, Any]) -> None:
    """Let the port deliver nothing until `release` has been called as often as this."""
    port._delivery.hold()


def release(port: Port[Any, Any], *, within_task: bool = False) -> None:
    """Undo one `hold`; with ``within_task``, the current task may still begin to listen or read before it waits."""
    port._delivery.release(within_task=within_task)


def decode_with(port: Port[Any, Any], decoder: Decoder) -> None:
    """Decode what arrives at a port that is held with another decoder."""
    port._delivery.decoder = decoder


def listener_failed(port: Port[Any, Any], error: BaseException, options: Options) -> None:
    """Report what an on_connect listener raised to the observer, which logs it, or raise it: its port crashes."""
    failure = without_own_end(error, port._delivery.end)
    if failure is None:
        return  # The port is over, and so is its listener (rule 43).
    verdict = judge(failure, options.listener_errors)
    if verdict.reported is not None and options.observer is not None:
        options.observer(ListenerFailed(port, verdict.reported, verdict.ends_port))
    if verdict.ends_port:
        port._delivery.close(crash_error(failure), vanished=True)
    try:
        if verdict.raised is not None:
            raise_as_it_is(verdict.raised)
    finally:
        del error, failure, verdict  # Its traceback holds this frame.
