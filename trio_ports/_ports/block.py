"""The block of a port: ``async with port:``, a scope narrower than the one that the port was made in."""

from __future__ import annotations

from typing import final

import trio

from .delivery import Delivery
from .failures import crash_error, join_failures, raise_as_it_is


@final
class Block:
    """One ``async with port:``. What the port's listeners raise cancels it and leaves through it."""

    __slots__ = ("_delivery", "_errors", "_scope")

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._scope = trio.CancelScope()
        self._errors: list[BaseException] = []

    async def enter(self) -> None:
        """Begin. A checkpoint; cancelled, it has disconnected the port."""
        delivery = self._delivery
        # Set before the checkpoint: what a listener raises meanwhile is the block's already.
        delivery.on_failure = self._fail
        delivery.entering = True
        try:
            await trio.lowlevel.checkpoint()
        except BaseException as error:
            delivery.close(crash_error(error))
            self._raise_failures(error)
            raise
        self._scope.__enter__()
        delivery.entering = False
        # A pump that found something unheard meanwhile has left it, and finished. What starts here runs after the first
        # step of the body, which may be to receive.
        delivery.start_wanted_pump()

    async def leave(self, error: BaseException | None) -> None:
        """End the port, wait for a listener that is running, and raise what its listeners raised."""
        delivery = self._delivery
        delivery.close(crash_error(error))
        delivery.end.close()  # What was kept after the other side's end is not delivered any more.
        leaving = error
        try:
            await delivery.wait_listeners(cancelled=error is not None)
        except BaseException as interruption:
            leaving = interruption
        delivery.discard()
        try:
            try:
                self._scope.__exit__(None if leaving is None else type(leaving), leaving, None)
            finally:
                self._raise_failures(leaving)
            if leaving is not None and leaving is not error:
                raise leaving
        finally:
            del leaving, error  # Its traceback holds this frame.

    def _fail(self, error: BaseException) -> None:
        """Take what a listener raised, and cancel the block."""
        self._errors.append(error)
        self._scope.cancel()

    def _raise_failures(self, leaving: BaseException | None) -> None:
        """Raise what the listeners raised, if anything, beside what the block is left by."""
        self._delivery.on_failure = None  # What listeners raise from now on leaves through the scope.
        errors, self._errors = self._errors, []
        if errors:
            text = "listeners of a port failed"
            joined = join_failures(text, leaving, BaseExceptionGroup(text, errors))
            try:
                raise_as_it_is(joined)
            finally:
                del joined  # Its traceback holds this frame.
