"""Ports as a browser handles them: connections opened, and ports held back until their listeners have been called.

The only file of the browser that knows how connections and ports work inside.
"""

from __future__ import annotations

import math
from typing import Any, Final, cast

import trio

from .._ports.connection import End, Leaving, open_connection
from .._ports.delivery import Delivery
from .._ports.failures import crash_error, judge, raise_as_it_is, without_own_end
from .._ports.observers import ListenerFailed
from .._ports.options import Options
from .._ports.port import Port
from .._ports.scopes import Scope
from .._protocol.dialects import PAGE_CACHED_TEXT, Dialect
from .._protocol.errors import Cause, PortError
from .._protocol.lifecycle import State
from .._protocol.messages import Decoder

IDLE_ROUNDS: Final = 2
"""In how many rounds of the loop nothing has to be taken before nothing more will be: in the first one, the pump may
run after whoever counts."""


def open_ends(options: Options, receivers: int = 1, *, one_shot: bool = False) -> tuple[End, list[End]]:
    """Open a connection; return the opener's end and the receivers' ends.

    A one-shot message needs no bound, because each end sends one message at most. It ends as soon as a receiver fails.
    """
    if one_shot:
        vanishes: Leaving = "withdrawn" if options.dialect.declining_answers else "failed"
        return open_connection(
            receivers, max_buffer_size=math.inf, receiver_disconnects="failed", receiver_vanishes=vanishes
        )
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


def is_open(port: Port[Any, Any]) -> bool:
    """Return whether neither side of the port has gone."""
    return port._end.state is State.OPEN


def deliveries(scope: Scope) -> tuple[Delivery, ...]:
    """Return the receiving sides of the ports that a scope owns and that are not over."""
    return tuple(cast("dict[Delivery, object]", scope.members))


def has_waiting_messages(scope: Scope) -> bool:
    """Return whether a port that a scope owns has messages that nobody has taken."""
    return any(delivery.end.lane.used for delivery in deliveries(scope))


def sever(scope: Scope, *, silently: bool) -> None:
    """End every connection of the ports that a scope owns, for both sides; ``silently``: this side is told nothing."""
    for delivery in deliveries(scope):
        if silently:
            delivery.on_disconnect.listeners = ()
        delivery.end.sever()


def freeze(scope: Scope, dialect: Dialect) -> None:
    """Let nothing reach a scope's ports any more, until `thaw`. Source: rule 49."""
    for delivery in deliveries(scope):
        if dialect.cached_page_ports == "end":
            delivery.end.abandon(PortError(PAGE_CACHED_TEXT, cause=Cause.PAGE_CACHED))
        else:
            delivery.end.put_aside()


def thaw(scope: Scope, dialect: Dialect) -> None:
    """Let messages and ends reach a scope's ports again: those that came meanwhile too, if the dialect keeps them."""
    for delivery in deliveries(scope):
        if dialect.cached_page_ports == "lose":
            if delivery.end.lost_peer_aside:
                delivery.on_disconnect.listeners = ()
            delivery.end.bring_back(loses=True)
        elif dialect.cached_page_ports == "keep":
            delivery.end.bring_back(loses=False)


async def deliver_rest(scope: Scope) -> None:
    """Let what waits at a scope's ports reach the listeners, as long as they take it without waiting for anything else.

    For ports that are severed, so that no more arrives.
    """
    left, idle_rounds = math.inf, 0
    while idle_rounds < IDLE_ROUNDS:
        await trio.lowlevel.cancel_shielded_checkpoint()
        now = sum(delivery.end.lane.used for delivery in deliveries(scope))
        idle_rounds = 0 if now < left else idle_rounds + 1
        left = now


def post_frame(port: Port[Any, Any], frame: bytes) -> None:
    """Post a message that is encoded already."""
    port._post_unusual(frame)


def vanish(port: Port[Any, Any]) -> None:
    """Disconnect as if the port's owner had gone away."""
    port._delivery.close(vanished=True)


def fail(port: Port[Any, Any], error: PortError) -> None:
    """End the connection with an error for the other side, whatever the dialect has for crashes."""
    port._delivery.end.fail(error)


def peer_vanished(port: Port[Any, Any]) -> bool:
    """Return whether the other side's owner went away, and did not ask for a disconnect."""
    return port._delivery.end.peer_vanished


def listener_failed(port: Port[Any, Any], error: BaseException, options: Options) -> None:
    """Report what a listener of ``runtime`` raised to the observer, which logs it, or raise it: its port crashes."""
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
