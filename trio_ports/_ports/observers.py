"""What can be observed of ports: one function, called with one record for each thing that happens.

Without an observer a port pays for one comparison. Tracing, logging and the tests' tools are observers. An observer is
called in the middle of things: it must use no port. What it raises is logged, and disturbs nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

import attrs

from .._protocol.errors import PortError


@final
@attrs.frozen(eq=False)
class Opened:
    """A port exists."""

    port: Any
    """The `Port`."""
    connection: int
    """The same number for all ports of one connection."""


@final
@attrs.frozen(eq=False)
class Posted:
    """A message was accepted for sending."""

    port: Any
    frame: bytes
    """The encoded message."""


@final
@attrs.frozen(eq=False)
class Delivered:
    """A message is about to be handed to the port's listeners or reader."""

    port: Any
    frame: bytes


@final
@attrs.frozen(eq=False)
class Dropped:
    """A message arrived that nobody will see: nobody listened (in the dialects that drop), or it was no JSON."""

    port: Any
    frame: bytes


@final
@attrs.frozen(eq=False)
class Disconnected:
    """A port is over."""

    port: Any
    error: PortError | None
    """Why, where the other side ended it with an error."""
    here: bool
    """This side ended it; otherwise the other side did, and on_disconnect is about to fire."""


@final
@attrs.frozen(eq=False)
class ListenerFailed:
    """A listener raised."""

    port: Any
    error: Exception
    raised: bool = False
    """It leaves through the scope that owns the port; otherwise ``listener_errors="log"`` keeps the port alive."""


Observation: TypeAlias = Opened | Posted | Delivered | Dropped | Disconnected | ListenerFailed
Observer: TypeAlias = Callable[[Observation], None]


def joined(observers: Sequence[Observer]) -> Observer:
    """Make one observer of some, and log what one of them raises."""

    def observe(observation: Observation) -> None:
        for observer in observers:
            try:
                observer(observation)
            except Exception:
                logging.getLogger("trio_ports").exception("The observer %r failed.", observer)

    return observe


def log_failures(observation: Observation) -> None:
    """Log what listeners raise, as browsers do: the observer that is there wherever listeners' errors are logged."""
    if isinstance(observation, ListenerFailed) and not observation.raised:
        log = logging.getLogger("trio_ports")
        log.error("A listener of %r failed.", observation.port, exc_info=observation.error)
