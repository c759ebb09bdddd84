"""The pump: the task that calls a port's listeners.

It takes what has arrived in batches and calls the listeners of each message, one message after the other; an awaitable
that a listener returns is awaited before the next, so that a slow listener holds the sender back. Between batches it
lets other tasks run. A checkpoint for every message would cost more than everything else together; none at all would
let one busy port starve the rest.

There is a pump while there is something for it to do, and never two. It leaves messages that somebody may still want
where they are: it looks before it takes. It calls the on_disconnect listeners too, so that they come after the last
message and never inside somebody's ``disconnect()``.
"""

from __future__ import annotations

import math
import types
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeGuard, final

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection, wait_task_rescheduled

from .._protocol.errors import MalformedMessageError
from .._protocol.lifecycle import State
from .failures import is_cancellation, split_cancelled
from .observers import Delivered

if TYPE_CHECKING:
    from .core import PortCore

BATCH: Final = 64


@final
class Pump:
    """Calls the listeners of one port."""

    __slots__ = ("_done", "exceeded", "port", "scope", "task")

    def __init__(self, port: PortCore) -> None:
        self.port = port
        self.task: trio.lowlevel.Task | None = None
        self.scope = trio.CancelScope()
        self.exceeded = False
        """A listener posted more than there was room for: no further message is dispatched until it is queued."""
        self._done: trio.Event | None = None

    @enable_ki_protection
    async def run(self) -> None:
        """Call the listeners until there is nothing to do. Cancelled, the end is still told to sync listeners."""
        port = self.port
        self.task = trio.lowlevel.current_task()
        try:
            with self.scope:
                try:
                    try:
                        await self._run_messages()
                    finally:
                        port._end.lane.sleeper = None  # A KeyboardInterrupt on its way to sleep leaves this task there.
                    await self._tell_end()
                except BaseException as error:
                    if is_cancellation(error):
                        await self._finish_cancelled()
                    raise
        except BaseException as error:
            if not port._owner_failed(error):
                raise
        finally:
            port._pump_finished()
            if self._done is not None:
                self._done.set()

    async def wait_done(self) -> None:
        """Wait until the pump has finished."""
        if self._done is None:
            self._done = trio.Event()
        await self._done.wait()

    @disable_ki_protection
    async def _run_messages(self, batch: float = BATCH) -> None:  # noqa: C901, PLR0912, PLR0915 - see below
        """Dispatch what arrives until there is nothing more to do for messages.

        One long loop on purpose: this is what every message runs through, and each call taken out of it would cost
        some four per cent of a message.
        """
        port = self.port
        lane = port._end.lane
        event = port._on_message
        decode = port._decoder.decode
        observer = port._observer
        receive_nowait = lane.sink.receive_nowait
        head = lane.head
        blocked = lane.direction.blocked
        abort_sleep = lane.abort_sleep
        task = trio.lowlevel.current_task()
        left = batch
        while True:
            listeners = event.listeners
            if not lane.used or not left or not (listeners or port._drops_messages):
                if (port._state is not State.OPEN or not listeners) and self._is_done():
                    return
                if lane.used:
                    await trio.lowlevel.checkpoint()
                else:
                    frame, message, result, listeners = b"", None, None, ()  # Nothing of the last one is kept.
                    if lane.on_idle is not None:
                        lane.on_idle()
                    lane.sleeper = task
                    await wait_task_rescheduled(abort_sleep)
                left = batch
                continue
            left -= 1
            if not head:
                # While a listener was awaited, somebody else may have begun another batch.
                head = lane.head
                if not head:
                    lane.begin(receive_nowait())
                    head = lane.head
            frame = head.popleft()
            lane.used -= 1
            if blocked:
                lane.direction.settle()
            if not listeners:
                port._drop(frame)
                continue
            try:
                message = decode(frame)
            except Exception as refusal:
                try:
                    message = port._decoder.decode_unusual(frame, refusal)
                except MalformedMessageError as error:
                    port._undecodable(error)
                    continue
            if observer is not None:
                observer(Delivered(port, frame))
            if len(listeners) == 1:
                try:
                    result = listeners[0](message, port)
                    if result is not None and _is_awaitable(result):
                        await result
                except BaseException as error:
                    port._listener_failed(error)
            else:
                await self._dispatch(listeners, message)
            if self.exceeded:
                self.exceeded = False
                await self._wait_for_room()

    def _is_done(self) -> bool:
        """Say whether there is nothing to wait for: the end is to be told, or nobody wants what arrives."""
        port = self.port
        if port._state is State.ENDING:
            unheard = not (port._on_message.listeners or port._drops_messages) and (
                port._abandoned or not port._has_read
            )
            if unheard or not port._end.lane.used:
                return True
        elif port._state is State.CLOSED or (port._state is State.ENDED and not port._end.lane.used):
            return True
        return not port._on_message.listeners and not port._drops_messages

    async def _dispatch(self, listeners: tuple[Any, ...], message: Any) -> None:
        """Call several listeners with one message."""
        port = self.port
        event = port._on_message
        for listener in listeners:
            if port._owner.closed:
                return  # A context that was closed runs no listeners.
            removed = event.listeners is not listeners and not event.has_listener(listener)
            if removed and not port._dialect.calls_removed_listeners:
                continue
            try:
                result = listener(message, port)
                if result is not None and _is_awaitable(result):
                    await result
            except BaseException as error:
                port._listener_failed(error)

    @enable_ki_protection
    async def _wait_for_room(self) -> None:
        """Wait until what the listeners posted fits."""
        end = self.port._end
        if end.sources and not end.out.has_room(0):
            try:
                await end.out.wait(end, None)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                return  # One of the two ends has gone meanwhile; the next look at the state sees it.

    @disable_ki_protection
    async def _tell_end(self) -> None:
        """Deliver the end, if it is time, and call the on_disconnect listeners, all of them, cancelled or not."""
        port = self.port
        if port._state is State.ENDING and (port._abandoned or not port._waits_for_reader):
            port._deliver_end()
        cancelled: BaseException | None = None
        try:
            while port._untold:
                listener, *rest = port._untold
                port._untold = tuple(rest)
                removed = not port._on_disconnect.has_listener(listener) and not port._dialect.calls_removed_listeners
                if removed or port._owner.closed:
                    continue  # A context that was closed runs no listeners.
                cancelled = await self._tell(listener) or cancelled
            if cancelled is not None:
                raise cancelled
        finally:
            del cancelled  # Its traceback holds this frame, and so the port.

    async def _tell(self, listener: Callable[[Any], object]) -> BaseException | None:
        """Call an on_disconnect listener; return what cancelled it, if anything did."""
        port = self.port
        port._show_error(True)
        try:
            result = listener(port)
            if result is not None and _is_awaitable(result):
                await result
        except BaseException as error:
            cancelled, failure = split_cancelled(error)
            try:
                if failure is not None:
                    port._listener_failed(failure)
                return cancelled
            finally:
                del cancelled, failure
        finally:
            port._show_error(False)
        return None

    async def _finish_cancelled(self) -> None:
        """Hand what is left to the listeners that do not wait, and tell them the end."""
        port = self.port
        if port._state is State.ENDING and port._on_message.listeners:
            try:
                await self._run_messages(batch=math.inf)
            except BaseException as error:
                if not is_cancellation(error):  # Otherwise a listener waited.
                    raise
        if port._state is State.ENDING:
            port._abandoned = True
            await self._tell_end()


def _is_awaitable(result: object) -> TypeGuard[Awaitable[object]]:
    return type(result) is types.CoroutineType or isinstance(result, Awaitable)
