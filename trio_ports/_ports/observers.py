"""Observers: a function that is called with a record of everything that happens to ports.

Without an observer, this costs a port one comparison. Logging and the tests' tools are observers. An observer is called
while a port is at work, so it must not use any port. If it raises an exception, that is logged and has no other effect.
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
    """A port was opened."""

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
    """A message is about to be passed to the port's listeners or reader."""

    port: Any
    frame: bytes


@final
@attrs.frozen(eq=False)
class Dropped:
    """An arrived message was dropped: nobody listened (in the browsers' dialects), or it was not JSON."""

    port: Any
    frame: bytes


@final
@attrs.frozen(eq=False)
class Disconnected:
    """A port is over."""

    port: Any
    error: PortError | None
    """Why, if the other side ended it with an error."""
    here: bool
    """Whether this side disconnected; otherwise the other side did, and on_disconnect is about to fire."""


@final
@attrs.frozen(eq=False)
class ListenerFailed:
    """A listener raised an exception."""

    port: Any
    error: Exception
    raised: bool = False
    """Whether it leaves through the scope that owns the port; otherwise it is logged, and the port goes on."""


Observation: TypeAlias = Opened | Posted | Delivered | Dropped | Disconnected | ListenerFailed
Observer: TypeAlias = Callable[[Observation], None]


def joined(observers: Sequence[Observer]) -> Observer:
    """Return one observer that calls several, and logs the exception of any of them."""

    def observe(observation: Observation) -> None:
        for observer in observers:
            try:
                observer(observation)
            except Exception:
                logging.getLogger("trio_ports").exception("The observer %r failed.", observer)

    return observe


def log_failures(observation: Observation) -> None:
    """Log listeners' exceptions, as browsers do: the observer for ``listener_errors="log"``."""
    if isinstance(observation, ListenerFailed) and not observation.raised:
        log = logging.getLogger("trio_ports")
        log.error("A listener of %r failed.", observation.port, exc_info=observation.error)
