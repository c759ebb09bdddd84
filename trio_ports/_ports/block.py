"""The block of a port: ``async with port:``, a scope narrower than the one that the port was made in."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from .._util import runs_within
from .failures import crash_error, split_cancelled

if TYPE_CHECKING:
    from .core import PortCore


@final
class Block:
    """One ``async with port:``. What the port's listeners raise cancels it and leaves through it."""

    __slots__ = ("entered", "errors", "left", "scope")

    def __init__(self) -> None:
        self.entered = False
        """The body is about to run. Until then nothing is dropped, and no end is told, that it could still ask for."""
        self.left = False
        """It is over, and raises nothing any more: what listeners raise then leaves through the owner's scope."""
        self.scope = trio.CancelScope()
        self.errors: list[BaseException] = []

    def fail(self, error: BaseException) -> None:
        """Cancel the block, which will raise ``error``."""
        self.errors.append(error)
        self.scope.cancel()

    def raise_errors(self, leaving: BaseException | None) -> None:
        """Raise what the listeners raised, if anything, beside what the block is left by."""
        self.left = True
        errors, self.errors = self.errors, []
        if errors:
            own = None if leaving is None else split_cancelled(leaving)[1]
            raise BaseExceptionGroup("listeners of a port failed", errors if own is None else [own, *errors])


async def enter_block(port: PortCore) -> None:
    """Give the port a block. A checkpoint; cancelled, it has disconnected the port."""
    if port._block is not None:
        raise trio.BusyResourceError("this port has a block already, or has had one")
    # Set before the checkpoint: what a listener raises meanwhile is the block's already.
    block = port._block = Block()
    try:
        await trio.lowlevel.checkpoint()
    except BaseException as error:
        port._close(crash_error(error), vanished=False)
        block.raise_errors(error)
        raise
    block.scope.__enter__()
    block.entered = True
    # A pump that found something unheard meanwhile has left it, and finished. What starts here runs after the first
    # step of the body, which may be to receive.
    port._start_wanted_pump()


async def leave_block(port: PortCore, error: BaseException | None) -> None:
    """End the port, wait for a listener that is running, and raise what its listeners raised."""
    block = port._block
    assert block is not None
    port._close(crash_error(error), vanished=False)
    port._end.close()  # What was kept after the other side's end is not delivered any more.
    leaving = error
    try:
        await _finish_pump(port, crashed=error is not None)
    except BaseException as interruption:
        leaving = interruption
    port._discard()
    try:
        try:
            block.scope.__exit__(None if leaving is None else type(leaving), leaving, None)
        finally:
            block.raise_errors(leaving)
        if leaving is not None and leaving is not error:
            raise leaving
    finally:
        del leaving, error


async def _finish_pump(port: PortCore, *, crashed: bool) -> None:
    """Wait for a listener that is running; one that runs beside a crash, or is waited for in vain, is cancelled."""
    pump = port._pump
    if pump is not None and not runs_within(pump.task):
        try:
            if not crashed:
                await pump.wait_done()
        finally:
            with trio.CancelScope(shield=True):
                while port._pump is not None:  # One that was cancelled leaves late listeners to another one.
                    port._pump.scope.cancel()
                    await port._pump.wait_done()
    if crashed:
        await trio.lowlevel.cancel_shielded_checkpoint()
    else:
        await trio.lowlevel.checkpoint()
