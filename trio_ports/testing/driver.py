"""Step a Trio run from sync code: start a task, let everything run until it waits, and look at the result.

Hypothesis calls the rules of a state machine one after the other, from sync code. A guest run whose host is a queue
lets each rule push Trio as far as it goes. A task without an outcome *is* blocked: that is an answer, not a time-out.
Time stands still until `Driver.advance` moves it, so that time can be a rule too.
"""

from __future__ import annotations

import queue
from collections.abc import Awaitable, Callable
from typing import Any, final

import trio
from outcome import Outcome
from trio.testing import MockClock, wait_all_tasks_blocked


@final
class DriverTask:
    """A task that `Driver.start` started, and what came of it."""

    def __init__(self) -> None:
        self.scope: trio.CancelScope = trio.CancelScope()
        """Cancelled by `Driver.cancel`."""
        self.blocked = True
        """It has not finished."""
        self.value: Any = None
        """What it returned; None if it was cancelled."""
        self.error: BaseException | None = None
        """What it raised."""

    @property
    def cancelled(self) -> bool:
        """It was cancelled, and that was its end."""
        return self.scope.cancelled_caught

    def unwrap(self) -> Any:
        """Return its value or raise its error.

        Raises:
            trio.WouldBlock: if it has not finished.
        """
        if self.blocked:
            raise trio.WouldBlock("the task is blocked")
        if self.error is not None:
            raise self.error
        return self.value

    def __repr__(self) -> str:
        state = "blocked" if self.blocked else "cancelled" if self.cancelled else repr(self.error or self.value)
        return f"<DriverTask {state}>"


@final
class Driver:
    """A Trio run that goes on only when its methods are called.

    Make it in a thread without a Trio run of its own, and `close` it, or use it in a ``with``.

    Args:
        real_time: let time pass by itself instead of by `advance`.
    """

    def __init__(self, *, real_time: bool = False) -> None:
        self._clock = None if real_time else MockClock()
        self._host: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._result: Outcome[None] | None = None
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=self._host.put,
            done_callback=self._note_result,
            host_uses_signal_set_wakeup_fd=True,
            clock=self._clock,
        )
        self._pump(lambda: self._nursery is not None)

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, function: Callable[..., Awaitable[Any]], *args: Any) -> DriverTask:
        """Run an async function until everything waits."""
        task = DriverTask()
        self._settle(lambda nursery: nursery.start_soon(self._run, task, function, args))
        return task

    def run(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Run an async function to its end and return what it returned; other tasks go on meanwhile."""
        task = DriverTask()
        self._soon(lambda nursery: nursery.start_soon(self._run, task, function, args))
        self._pump(lambda: not task.blocked)
        return task.unwrap()

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a sync function inside the run, then let everything run until it waits. Return what it returned."""

        async def run() -> Any:
            return function(*args)

        return self.start(run).unwrap()

    def cancel(self, task: DriverTask) -> None:
        """Cancel a task and let everything run until it waits."""
        self.call(task.scope.cancel)

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything run until it waits.

        Raises:
            RuntimeError: if time is real.
        """
        if self._clock is None:
            raise RuntimeError("real time passes by itself")
        self.call(self._clock.jump, seconds)

    def close(self) -> None:
        """Cancel what is left and end the run. Idempotent."""
        if self._result is None:
            self._soon(lambda nursery: nursery.cancel_scope.cancel())
            self._pump(lambda: False)

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self._nursery:
            await trio.sleep_forever()

    async def _run(self, task: DriverTask, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        with task.scope:
            try:
                task.value = await function(*args)
            except trio.Cancelled:
                raise
            except BaseException as error:  # noqa: BLE001 - Whatever it is, it is what came of the task.
                task.error = error
        task.blocked = False

    def _settle(self, begin: Callable[[trio.Nursery], object]) -> None:
        idle = False

        async def watch() -> None:
            nonlocal idle
            await wait_all_tasks_blocked()
            idle = True

        def start(nursery: trio.Nursery) -> None:
            begin(nursery)
            nursery.start_soon(watch)

        self._soon(start)
        self._pump(lambda: idle)

    def _soon(self, function: Callable[[trio.Nursery], object]) -> None:
        nursery, token = self._nursery, self._token
        assert nursery is not None
        assert token is not None
        token.run_sync_soon(function, nursery)

    def _pump(self, enough: Callable[[], bool]) -> None:
        while self._result is None and not enough():
            self._host.get()()
        if self._result is not None:
            self._result.unwrap()

    def _note_result(self, result: Outcome[None]) -> None:
        self._result = result
