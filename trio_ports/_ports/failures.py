"""Failures: decide what of an exception is cancellation, what a crash, and what becomes of it. Others carry it out."""

from __future__ import annotations

from typing import Final, Literal, NoReturn, TypeAlias, cast, final
from weakref import WeakSet

import attrs
import trio

from .._protocol.errors import Cause, PortError

ListenerErrors: TypeAlias = Literal["raise", "log"]

_OF_CLOSED_SCOPES: Final[WeakSet[Exception]] = WeakSet()
"""What was raised because a scope has closed, as long as somebody holds it."""


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
    """Return what the other side learns when a scope ends by ``error``: nothing of what it says.

    A crash is what remains of the exception once every ``trio.Cancelled`` is taken out: a
    cancellation, whatever its source, is orderly.
    """
    if error is None or is_cancellation(error):
        return None
    return PortError("The other end failed.", cause=Cause.CRASHED)


@final
@attrs.frozen
class Verdict:
    """What becomes of an exception that left a listener."""

    reported: Exception | None
    """What the observer gets, which logs it."""
    raised: BaseException | None
    """What leaves through the port's block or scope, if anything."""
    ends_port: bool
    """It does so as a failure, not as a cancellation: the port ends as a crash."""


def judge(error: BaseException, listener_errors: ListenerErrors) -> Verdict:
    """Decide what becomes of an exception that left a listener. Source: rule 31."""
    cancelled, failure = split_cancelled(error)
    if failure is None:
        return Verdict(None, error, ends_port=False)
    reported = failure if isinstance(failure, Exception) else None
    if reported is not None and listener_errors == "log":
        return Verdict(reported, cancelled, ends_port=False)
    return Verdict(reported, error, ends_port=True)


def join_failures(text: str, own: BaseException | None, others: BaseException) -> BaseException:
    """Return what leaves a block whose body was left by ``own`` and whose tasks by ``others``.

    Failures are never lost: two of them leave in a group, and one leaves as it is, whatever was cancelled beside it.
    """
    own_failure = None if own is None else split_cancelled(own)[1]
    other_failure = split_cancelled(others)[1]
    if own_failure is None:
        return others
    if other_failure is None:
        return own_failure
    failures = [other_failure]
    if isinstance(other_failure, BaseExceptionGroup):
        failures = list(cast("BaseExceptionGroup[BaseException]", other_failure).exceptions)
    return BaseExceptionGroup(text, [own_failure, *failures])


def raise_as_it_is(error: BaseException) -> NoReturn:
    """Raise an exception that was kept: without a word about what was being handled meanwhile."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context  # Its traceback holds this frame.


def closed_scope_error(text: str) -> trio.ClosedResourceError:
    """Return the error for the use of something whose scope has closed. A task of a closed scope may leave by it."""
    error = trio.ClosedResourceError(text)
    _OF_CLOSED_SCOPES.add(error)
    return error


def raise_unless_late(error: BaseException) -> None:
    """Raise what a task of a closed scope is left by, without what came of being late.

    A task that was about to run when its scope closed finds its port closed before it finds itself cancelled.
    """
    rest: BaseException | None = None if _is_late(error) else error
    if isinstance(error, BaseExceptionGroup):
        rest = cast("BaseExceptionGroup[BaseException]", error).split(_is_late)[1]
    try:
        if rest is not None:
            raise rest
    finally:
        del error, rest  # Its traceback holds this frame.


def _is_late(error: BaseException) -> bool:
    return isinstance(error, trio.ClosedResourceError) and error in _OF_CLOSED_SCOPES
