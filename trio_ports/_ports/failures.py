"""Failures: decide which part of an exception is cancellation and which a crash, and what becomes of it.

The callers carry the decisions out. Kept here is which exceptions the end of a port, or of a scope, has caused.
"""

from __future__ import annotations

from typing import Final, Literal, NoReturn, TypeAlias, cast, final
from weakref import WeakKeyDictionary, WeakSet

import attrs
import trio

from .._protocol.errors import Cause, PortError

ListenerErrors: TypeAlias = Literal["raise", "log"]

FAILED_TEXT: Final = "The other end failed."
"""All that the other end learns of a crash: the exception's own text may be a secret."""
_OF_CLOSED_SCOPES: Final[WeakSet[Exception]] = WeakSet()
"""The exceptions that were raised because a scope had closed."""
_END_TYPES: Final = (trio.ClosedResourceError, trio.BrokenResourceError, trio.EndOfChannel)
_OF_ENDS: Final[WeakKeyDictionary[BaseException, object]] = WeakKeyDictionary()
"""The exceptions that were raised because a port was over, each with the port's end of the connection."""


def split_cancelled(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """Split an exception into its cancelled part and the rest; if either is None, the other is ``error`` itself."""
    if isinstance(error, trio.Cancelled):
        return error, None
    if not isinstance(error, BaseExceptionGroup):
        return None, error
    group = cast("BaseExceptionGroup[BaseException]", error)
    cancelled, rest = group.split(trio.Cancelled)
    return (None, group) if cancelled is None else (cancelled, rest)


def is_cancellation(error: BaseException) -> bool:
    """Return whether an exception is nothing but cancellation; it may be a group, from a nursery."""
    return split_cancelled(error)[1] is None


def crash_error(error: BaseException | None) -> PortError | None:
    """Return the error that the other side gets when a scope ends with ``error``, without its text.

    A crash is what remains of the exception once every ``trio.Cancelled`` is taken out.
    A cancellation is orderly, whatever its source.
    """
    return None if error is None or is_cancellation(error) else crashed()


def crashed() -> PortError:
    """Return the error of an end whose owner has failed."""
    return PortError(FAILED_TEXT, cause=Cause.CRASHED)


@final
@attrs.frozen
class Verdict:
    """What becomes of a listener's exception."""

    reported: Exception | None
    """The exception that the observer gets, to log it."""
    raised: BaseException | None
    """The exception that leaves through the port's block or scope."""
    ends_port: bool
    """Whether that is a failure, and no cancellation: then the port ends as a crash."""


def judge(error: BaseException, listener_errors: ListenerErrors) -> Verdict:
    """Decide what becomes of a listener's exception. Source: rule 31."""
    cancelled, failure = split_cancelled(error)
    if failure is None:
        return Verdict(None, error, ends_port=False)
    reported = failure if isinstance(failure, Exception) else None
    if reported is not None and listener_errors == "log":
        return Verdict(reported, cancelled, ends_port=False)
    return Verdict(reported, failure, ends_port=True)


def join_failures(text: str, own: BaseException | None, others: BaseException) -> BaseException:
    """Return the exception that leaves a block: its body raised ``own``, and its tasks raised ``others``.

    No failure is lost. Two failures leave in a group, and one leaves as it is, whatever was cancelled beside it.
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
    """Raise an exception that was kept, with its own context instead of the exception being handled."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context  # Its traceback holds this frame.


def note_end(error: Exception, end: object) -> Exception:
    """Note that ``error`` is raised because the port of ``end`` is over, and return it."""
    _OF_ENDS[error] = end
    return error


def without_own_end(error: BaseException | None, end: object) -> BaseException | None:
    """Return what remains of an exception without the errors that the end of one port raised. Source: rule 43.

    The code that a port was handed to, and that the port's end interrupts, has ended and not failed.
    """

    def is_own(each: BaseException) -> bool:
        # Exceptions of other types cannot even be looked up: few of Python's own have weak references.
        return type(each) in _END_TYPES and _OF_ENDS.get(each) is end

    if not isinstance(error, BaseExceptionGroup):
        return None if error is not None and is_own(error) else error
    group = cast("BaseExceptionGroup[BaseException]", error)
    own, rest = group.split(is_own)
    return group if own is None else rest


def closed_scope_error(text: str) -> trio.ClosedResourceError:
    """Return the error for using something whose scope has closed. A task of that scope may fail with it."""
    error = trio.ClosedResourceError(text)
    _OF_CLOSED_SCOPES.add(error)
    return error


def raise_unless_late(error: BaseException) -> None:
    """Raise the exception of a closed scope's task, without the errors that come from being late.

    A task that was about to run when its scope closed notices that its port is closed before it is cancelled.
    """
    rest = without_late(error)
    try:
        if rest is not None:
            raise rest
    finally:
        del error, rest  # Its traceback holds this frame.


def without_late(error: BaseException) -> BaseException | None:
    """Return what remains of such an exception without those errors."""
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).split(_is_late)[1]
    return None if _is_late(error) else error


def _is_late(error: BaseException) -> bool:
    return type(error) is trio.ClosedResourceError and error in _OF_CLOSED_SCOPES
