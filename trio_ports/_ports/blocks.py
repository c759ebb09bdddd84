"""A block that hides a nursery from the exceptions of its body.

A nursery wraps whatever leaves it in an ExceptionGroup. That is right for what its tasks raise and wrong for what the
body of ``async with open_…()`` raises, whose author never saw a nursery.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import final

from trio.lowlevel import enable_ki_protection

from .failures import split_cancelled


@final
class Body:
    """Keeps the body's exception out of the nursery: a sync context manager round the body."""

    failure: BaseException | None = None
    """What the body raised, without what belongs to cancellation."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        cancelled: BaseException | None = None
        if error is not None:
            cancelled, self.failure = split_cancelled(error)
        if cancelled is None or cancelled is error:
            return cancelled is None
        # Cancellation belongs to whichever scope was cancelled, which may be the nursery's own: it has to pass there.
        try:
            raise cancelled
        finally:
            del cancelled, error  # Its traceback holds this frame.


@asynccontextmanager
@enable_ki_protection
async def open_body() -> AsyncGenerator[Body, None]:
    """Open what goes round the nursery; ``with body:`` goes inside it, round the body.

    The body's own exception leaves as it is, if no task of the nursery raised as well.
    """
    body = Body()
    try:
        yield body
    except BaseExceptionGroup as group:
        if body.failure is None or split_cancelled(group)[1] is None:
            raise
        raise BaseExceptionGroup("the block and its tasks failed", [body.failure, *group.exceptions]) from None
    failure, body.failure = body.failure, None
    try:
        if failure is not None:
            raise failure
    finally:
        del failure  # Its traceback holds this frame.
