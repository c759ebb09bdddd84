"""Step a Trio run from sync code: start something, let everything run until it waits, and look.

Hypothesis calls the rules of a state machine one after the other, from sync code. A guest run whose host is a queue
lets each rule push Trio as far as it goes. A step without an outcome *is* blocked: that is an answer, not a time-out.
"""

from __future__ import annotations

import queue
from collections.abc import Awaitable, Callable
from typing import Any

import trio
from outcome import Outcome
from trio.testing import wait_all_tasks_blocked


class Step:
    """Something that was started in the run, and what has come of it."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.blocked = True
        self.value: Any = None
        """What it returned; None if it was cancelled."""
        self.error: BaseException | None = None
        """What it raised."""

    def unwrap(self) -> Any:
        """Return its value or raise its error; it must have finished."""
        assert not self.blocked
        if self.error is not None:
            raise self.error
        return self.value


class Driver:
    """A Trio run that goes forward when it is told to."""

    def __init__(self) -> None:
        self._host: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._nursery: trio.Nursery | None = None
        self._result: Outcome[None] | None = None
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=self._host.put,
            done_callback=self._note_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        self._pump(lambda: self._nursery is not None)

    def start(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Step:
        """Run an async function until everything waits."""
        step = Step()
        self._settle(lambda nursery: nursery.start_soon(self._run, step, function, args))
        return step

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a sync function inside the run, then let everything run until it waits. Return what it returned."""

        async def run() -> Any:
            return function(*args)

        return self.start(run).unwrap()

    def cancel(self, step: Step) -> None:
        """Cancel a step and let everything run until it waits."""
        self.call(step.scope.cancel)

    def close(self) -> None:
        """Cancel what is left and end the run."""
        assert self._nursery is not None
        self._token.run_sync_soon(self._nursery.cancel_scope.cancel)
        self._pump(lambda: False)

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self._nursery:
            await trio.sleep_forever()

    async def _run(self, step: Step, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        with step.scope:
            try:
                step.value = await function(*args)
            except trio.Cancelled:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is what came of the step.
                step.error = error
        step.blocked = False

    def _settle(self, begin: Callable[[trio.Nursery], object]) -> None:
        idle = False

        async def watch() -> None:
            nonlocal idle
            await wait_all_tasks_blocked()
            idle = True

        def start() -> None:
            assert self._nursery is not None
            begin(self._nursery)
            self._nursery.start_soon(watch)

        self._token.run_sync_soon(start)
        self._pump(lambda: idle)

    def _pump(self, enough: Callable[[], bool]) -> None:
        while self._result is None and not enough():
            self._host.get()()
        if self._result is not None:
            self._result.unwrap()

    def _note_result(self, result: Outcome[None]) -> None:
        self._result = result
