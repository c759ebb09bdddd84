"""Failures: what of an exception is cancellation, what a crash, what only late, and who is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast
from weakref import WeakSet

import trio

from .._protocol.errors import Cause, PortError
from .observers import ListenerFailed

if TYPE_CHECKING:
    from .core import PortCore
    from .setup import Setup

_OF_CLOSED_OWNERS: Final[WeakSet[Exception]] = WeakSet()
"""What was raised because an owner has closed, as long as somebody holds it."""


def split_cancelled(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """Split an exception into what belongs to cancellation and the rest; what needs no splitting stays itself."""
    if isinstance(error, trio.Cancelled):
        return error, None
    if not isinstance(error, BaseExceptionGroup):
        return None, error
    group = cast("BaseExceptionGroup[BaseException]", error)
    cancelled, rest = group.split(trio.Cancelled)
    return (None, group) if cancelled is None else (cancelled, rest)


def is_cancellation(error: BaseException) -> bool:
    """Say whether nothing is left of an exception without what belongs to cancellation: a nursery raises groups."""
    return split_cancelled(error)[1] is None


def crash_error(error: BaseException | None) -> PortError | None:
    """Return what the other side is told when an owner ends by ``error``: nothing of what it says.

    A crash is what remains of the exception once every ``trio.Cancelled`` is taken out: cancelled, whatever cancelled
    it, is orderly.
    """
    if error is None or is_cancellation(error):
        return None
    return PortError("The other end failed.", cause=Cause.CRASHED)


def judge_failure(error: BaseException, port: PortCore, setup: Setup) -> None:
    """Tell the observer what a listener raised, which logs it, or raise it. What cancels the listener is raised."""
    leaving, failure = split_cancelled(error)
    if failure is not None:
        raised = setup.listener_errors == "raise" or not isinstance(failure, Exception)
        if setup.observer is not None and isinstance(failure, Exception):
            setup.observer(ListenerFailed(port, failure, raised))
        if raised:
            leaving = error
    try:
        if leaving is not None:
            raise leaving
    finally:
        del error, leaving, failure  # Its traceback holds this frame, and so the message and the port.


def owner_closed_error(text: str) -> trio.ClosedResourceError:
    """Return the error for the use of something whose owner has closed. A task of a closed owner may leave by it."""
    error = trio.ClosedResourceError(text)
    _OF_CLOSED_OWNERS.add(error)
    return error


def raise_unless_late(error: BaseException) -> None:
    """Raise what a task of a closed owner is left by, but for what came of being late.

    A task that was about to run when its owner closed finds its port closed before it finds itself cancelled.
    """
    rest: BaseException | None = None if _is_late(error) else error
    if isinstance(error, BaseExceptionGroup):
        rest = cast("BaseExceptionGroup[BaseException]", error).split(_is_late)[1]
    try:
        if rest is not None:
            raise rest
    finally:
        del error, rest


def _is_late(error: BaseException) -> bool:
    return isinstance(error, trio.ClosedResourceError) and error in _OF_CLOSED_OWNERS
