"""The block of a port, ``async with port:``, and the exception that leaves it."""

from __future__ import annotations

import logging
from typing import final

import trio

from .._protocol.errors import RemoteProtocolError
from .delivery import Delivery
from .failures import crash_error, join_failures, raise_as_it_is, without_own_end


@final
class Block:
    """One ``async with port:``. An exception of the port's listeners cancels it and leaves through it."""

    __slots__ = ("_delivery", "_errors", "_scope")

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._scope = trio.CancelScope()
        self._errors: list[BaseException] = []

    async def enter(self) -> None:
        """Enter the block. A checkpoint; a cancelled call has disconnected the port."""
        delivery = self._delivery
        # Set before the checkpoint: an exception that a listener raises meanwhile belongs to the block already.
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
        # If a pump found a message that nobody listened for, it left it there and finished. A pump that is started here
        # runs after the first step of the body, which may be to receive.
        delivery.start_wanted_pump()

    async def leave(self, error: BaseException | None) -> bool:
        """Disconnect the port, wait for a listener that is running, and raise the listeners' exceptions.

        Returns:
            Whether ``error`` stops here, because it only says that this port is over (rule 43).
        """
        delivery = self._delivery
        own = without_own_end(error, delivery.end) if delivery.ends_block else error
        if own is not error and isinstance(delivery.end.peer_error, RemoteProtocolError):
            # Nobody gets the exception, so this is the only trace of what the other side did wrong.
            logging.getLogger("trio_ports").warning("A port has ended: %s", delivery.end.peer_error)
        delivery.close(crash_error(own))
        delivery.end.close()  # Messages that were kept after the other side's end are not delivered any more.
        leaving = own
        try:
            await delivery.wait_listeners(cancelled=own is not None)
        except BaseException as interruption:
            leaving = interruption
        delivery.discard()
        try:
            try:
                self._scope.__exit__(None if leaving is None else type(leaving), leaving, None)
            finally:
                self._raise_failures(leaving)
            if leaving is not None and leaving is not error:
                raise_as_it_is(leaving)
            return leaving is None
        finally:
            del leaving, own, error  # Its traceback holds this frame.

    def _fail(self, error: BaseException) -> None:
        """Keep a listener's exception, and cancel the block."""
        self._errors.append(error)
        self._scope.cancel()

    def _raise_failures(self, leaving: BaseException | None) -> None:
        """Raise the listeners' exceptions, if any, together with the exception that leaves the block."""
        self._delivery.on_failure = None  # From now on, a listener's exception leaves through the scope.
        errors, self._errors = self._errors, []
        if errors:
            text = "listeners of a port failed"
            joined = join_failures(text, leaving, BaseExceptionGroup(text, errors))
            try:
                raise_as_it_is(joined)
            finally:
                del joined  # Its traceback holds this frame.
