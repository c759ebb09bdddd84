"""The body of a block that has a nursery round it: keeps its exception from being wrapped, or lost, in the nursery.

A nursery wraps every exception that leaves it in an ExceptionGroup. That is right for the
exceptions of its tasks. It is wrong for one from the body of ``async with open_…()``, whose
author never saw a nursery. Every opener uses this class::

    body = Body()
    with body.joined():
        async with trio.open_nursery() as nursery:
            with body:
                yield ...
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from types import TracebackType
from typing import final

from .failures import join_failures, raise_as_it_is, split_cancelled


@final
class Body:
    """Keeps the body's exception out of the nursery: a sync context manager round the body."""

    failure: BaseException | None = None
    """The body's exception, without its cancelled part."""

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
        # Cancellation belongs to the scope that was cancelled. That may be the nursery's own, so it has to pass here.
        try:
            raise cancelled
        finally:
            del cancelled, error  # Its traceback holds this frame.

    @contextlib.contextmanager
    def joined(self) -> Generator[None]:
        """Put this round the nursery: raises the body's exception as it is, or in a group with those of the tasks."""
        others: BaseException | None = None
        try:
            yield
        except BaseException as error:
            others = error
        failure, self.failure = self.failure, None
        leaving = failure if others is None else join_failures("a block and its tasks failed", failure, others)
        try:
            if leaving is not None:
                raise_as_it_is(leaving)
        finally:
            del failure, others, leaving  # Its traceback holds this frame.
