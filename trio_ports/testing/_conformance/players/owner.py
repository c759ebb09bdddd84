"""The task that owns the ends, or the browser, of a player: it opens them, keeps them, and ends their scope."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, final

import trio


@final
class Owner:
    """Keeps what a maker has opened open until `finish` is called.

    Args:
        opens: returns the context manager that opens it.
    """

    def __init__(self, opens: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._opens = opens
        self._may_return = trio.Event()
        self._has_ended = trio.Event()
        self._scope = trio.CancelScope()

    async def run(self, task_status: trio.TaskStatus[Any]) -> None:
        """Open it and keep it open."""
        try:
            with self._scope:
                async with self._opens() as opened:
                    task_status.started(opened)
                    await self._may_return.wait()
        finally:
            self._has_ended.set()

    async def finish(self, *, cancelled: bool = False) -> None:
        """End the scope, if it has not ended yet, and wait until it has."""
        if cancelled:
            self._scope.cancel()
        self._may_return.set()
        await self._has_ended.wait()
