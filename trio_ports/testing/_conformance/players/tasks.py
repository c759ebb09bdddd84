"""The tasks that a history starts: one that stays in a block, and one that makes a call that may wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, final

import trio

from .notation import ScriptedError, cause_of, show_message, word_for


@final
class BlockTask:
    """A task that stays in an ``async with`` until `leave` is called."""

    def __init__(self) -> None:
        self._may_leave = trio.Event()
        self._how = ""
        self._scope = trio.CancelScope()
        self.outcome: str = ""
        """How it was left; empty as long as the task is inside."""

    async def run(self, block: Any) -> None:
        with self._scope:
            try:
                async with block:
                    await self._may_leave.wait()
                    if self._how == "crash":
                        raise ScriptedError
                self.outcome = "return"
            except ScriptedError:
                self.outcome = "crash"
            except trio.Cancelled:
                self.outcome = "cancel"
                raise
            except BaseExceptionGroup as errors:
                self.outcome = repr(errors) if errors.split(ScriptedError)[1] else "raised"
            except BaseException as error:  # noqa: BLE001 - It becomes the outcome.
                self.outcome = repr(error)

    def leave(self, how: str) -> None:
        self._how = how
        if how == "cancel":
            self._scope.cancel()
        else:
            self._may_leave.set()


@final
class CallTask:
    """A task that makes a call, and what came of it."""

    def __init__(self) -> None:
        self.scope: trio.CancelScope = trio.CancelScope()
        self.outcome: str = "blocked"
        self.message: Any = None
        self.cause: str | None = None
        """The cause of the error that a BrokenResourceError was raised from."""

    async def run(self, function: Callable[[], Awaitable[Any]]) -> None:
        with self.scope:
            try:
                self.message = show_message(await function())
                self.outcome = "ok"
            except trio.Cancelled:
                raise
            except BaseException as error:  # noqa: BLE001 - It becomes the outcome.
                self.outcome, self.cause = word_for(error), cause_of(error.__cause__)
        if self.scope.cancelled_caught:
            self.outcome = "cancelled"
