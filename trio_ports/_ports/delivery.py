"""The receiving side of a port: delivers messages to listeners or to a reader, and decides when the end is reported.

The pump is the task that calls the listeners. It takes waiting messages in batches, and calls
the listeners for one message after the other. If a listener returns an awaitable, the pump
awaits it before the next message, so a slow listener holds the sender back. Between batches,
other tasks run. A checkpoint for every message would cost more than everything else together;
without any, one busy port would starve the rest.

There is a pump while it has something to do, and never more than one. It looks before it takes,
so it never takes a message that somebody may still want. It also calls the on_disconnect
listeners, so that they run after the last message, and never inside a ``disconnect()``.
"""

from __future__ import annotations

import contextvars
import copy
import math
import types
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeGuard, final
from weakref import ref

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection, wait_task_rescheduled

from .._protocol.errors import ContextInvalidatedError, MalformedMessageError, MessageShapeError, PortError
from .._protocol.lifecycle import State
from .._protocol.messages import Decoder
from .._util import running_task, runs_within
from .connection import End
from .events import Event, is_same
from .failures import Verdict, closed_scope_error, crash_error, judge, note_end, raise_as_it_is, without_own_end
from .observers import Delivered, Disconnected, Dropped, ListenerFailed
from .options import Options
from .scopes import Job, Scope

BATCH: Final = 64
"""How many messages are delivered before other tasks run."""

ShowError = Callable[[PortError | None], None]


@final
class Delivery:
    """The receiving side of a port. It knows the port only to pass it to listeners and observers.

    Args:
        port: the port whose receiving side this is.
        end: the port's end of the connection.
        scope: owns the port, and runs its listeners.
        options: how the port behaves.
        decoder: decodes its messages.
        context: the context variables that its listeners see; the scope's unless given.
        show_error: called with the error before each on_disconnect listener, and with None after it, for
            ``runtime.last_error``.
    """

    __slots__ = (
        "__weakref__",
        "_abandoned",
        "_context",
        "_done",
        "_exceeded",
        "_has_read",
        "_holds",
        "_informed",
        "_job",
        "_observer",
        "_options",
        "_port",
        "_reading",
        "_returning",
        "_show_error",
        "_uninformed",
        "_verdict",
        "decoder",
        "end",
        "ends_block",
        "entering",
        "error",
        "on_disconnect",
        "on_failure",
        "on_message",
        "scope",
    )

    def __init__(
        self,
        port: Any,
        end: End,
        scope: Scope,
        options: Options,
        decoder: Decoder,
        *,
        context: contextvars.Context | None = None,
        show_error: ShowError | None = None,
    ) -> None:
        self.end = end
        self.scope = scope
        self.decoder = decoder
        self.error: PortError | None = None
        """Why the other side ended the connection, once that was delivered."""
        self.entering: bool = False
        """A task is entering the port's block, and could not listen or read yet. Until then no message is dropped, and
        no end is reported."""
        self.ends_block: bool = False
        """The end of this port ends its block in good order, even if it raised an error there (rule 43)."""
        self.on_failure: Callable[[BaseException], None] | None = None
        """Called with a listener's exception; if it is None, the exception leaves through the scope."""
        self.on_message: Event[Callable[[Any, Any], object]] = Event(
            "on_message", self, Delivery._before_message_listener, arguments=("message", "port")
        )
        self.on_disconnect: Event[Callable[[Any], object]] = Event(
            "on_disconnect", self, Delivery._before_disconnect_listener, arguments=("port",)
        )
        self._port = ref(port)
        self._options = options
        self._observer = options.observer
        self._context = context
        self._show_error = show_error
        self._holds: int = 1
        """How many calls of `hold` have no `release` yet. The code that makes a port holds it first."""
        self._reading: bool = False
        """A task is reading now."""
        self._has_read: bool = False
        """A task has read once. From then on messages are kept for the next reader."""
        self._returning: int = 0
        """How many tasks are returning from ``send``, and may be about to listen or read."""
        self._job: Job | None = None
        """The pump."""
        self._verdict: Verdict | None = None
        """The decision about an exception that leaves the pump."""
        self._exceeded: bool = False
        """A listener has posted beyond the bound. The next message waits until the queue is within it again."""
        self._abandoned: bool = False
        """The scope is ending: nobody will read any more."""
        self._informed: tuple[Callable[[Any], object], ...] = ()
        """The on_disconnect listeners that were called, or will be."""
        self._uninformed: tuple[Callable[[Any], object], ...] = ()
        """Those of them that have not been called yet."""
        self._done: trio.Event | None = None
        scope.members[self] = port
        end.watcher = self

    # Who takes what arrives ----------------------------------------------------------------

    def hold(self) -> None:
        """Deliver nothing until `release` has been called as often."""
        self._holds += 1

    @enable_ki_protection
    def release(self, *, within_task: bool = False) -> None:
        """Deliver messages, if nobody else holds this port.

        Args:
            within_task: whether the calling task may listen or read before it next waits.
        """
        self._holds -= 1
        if self._holds == 0:
            # If this is the only receiver, it makes no difference whether somebody listens.
            if not within_task or self.end.lane.direction.only() is not None:
                self._note_heard()
            else:
                self.scope.start_soon(self._note_heard_later)
            self.start_wanted_pump()

    def _note_heard(self) -> None:
        """Let this port's bound hold senders back from now on if somebody listens or has read here."""
        self.end.set_heard(self._has_read or bool(self.on_message.listeners))

    async def _note_heard_later(self) -> None:
        self._note_heard()

    def _before_message_listener(self, _: Callable[..., object]) -> None:
        """Start to deliver messages; refuse a listener while a task reads."""
        if self._reading:
            raise trio.BusyResourceError("one consumer at a time: a task is reading from this port")
        self.end.hold_sender()
        self._start_pump()

    def _before_disconnect_listener(self, listener: Callable[..., object]) -> None:
        """Arrange that a listener added after the end is called, once."""
        late = self.end.state is State.ENDED and self._options.dialect.tells_late_listeners
        if late and not any(is_same(other, listener) for other in self._informed):
            self._informed = (*self._informed, listener)
            self._uninformed = (*self._uninformed, listener)
            self._start_pump()

    @property
    def _drops_messages(self) -> bool:
        """Whether a message that nobody listens for is dropped on arrival."""
        keeps = self._options.dialect.keeps_unheard_messages
        return not (keeps or self._has_read or self.entering or self._returning)

    @property
    def _waits_for_reader(self) -> bool:
        """Whether a reader gets to take the messages that are left before the end is delivered."""
        return self.entering or bool(self._has_read and self.end.lane.used)

    # A reader ------------------------------------------------------------------------------

    async def receive(self) -> Any:
        """Return the next message; see `Port.receive`."""
        self._begin_reading()
        end = self.end
        lane = end.lane
        while True:
            if end.state is State.ENDED and not lane.used:
                await trio.lowlevel.checkpoint()
                raise self._end_of_messages()
            self._reading = True
            try:
                frame = await lane.take()
            except (trio.EndOfChannel, trio.ClosedResourceError):
                await trio.lowlevel.checkpoint_if_cancelled()
                raise self._end_reading() from end.peer_error
            finally:
                self._reading = False
                if end.state is not State.OPEN and not lane.used:
                    self._after_last_message()
            try:
                message = self.decoder.decode(frame)
            except Exception as refusal:
                try:
                    message = self.decoder.decode_unusual(frame, refusal)
                except MessageShapeError:
                    raise
                except MalformedMessageError as error:
                    self._break_off(error)
                    continue
            if self._observer is not None:
                self._observer(Delivered(self._port(), frame))
            return message

    def receive_nowait(self) -> Any:
        """Return the next message; see `Port.receive_nowait`."""
        self._begin_reading()
        end = self.end
        while True:
            if end.state is State.ENDED and not end.lane.used:
                raise self._end_of_messages()
            try:
                frame = end.lane.take_nowait()
            except (trio.EndOfChannel, trio.ClosedResourceError):
                raise self._end_reading() from end.peer_error
            if end.state is not State.OPEN and not end.lane.used:
                self._after_last_message()
            try:
                message = self.decoder.decode_any(frame)
            except MessageShapeError:
                raise
            except MalformedMessageError as error:
                self._break_off(error)
                continue
            if self._observer is not None:
                self._observer(Delivered(self._port(), frame))
            return message

    def _begin_reading(self) -> None:
        if self._reading or self.on_message.listeners:
            other = "another task is reading" if self._reading else "on_message has listeners"
            raise trio.BusyResourceError(f"one consumer at a time: {other}")
        self._has_read = self.end.lane.heard = True
        # A pump may still sleep here, which dropped messages or whose listeners were removed. It would be handed the
        # message that this task waits for. When it is woken, it finds that it has nothing to do.
        self.end.lane.wake()

    def _end_reading(self) -> Exception:
        """Deliver the other side's end to a reader, and return the exception for it."""
        if self.end.state is State.CLOSED:
            return self.after_close()
        self._deliver_end()
        self._start_pump()
        return self._end_of_messages()

    def _end_of_messages(self) -> Exception:
        if self.error is None:
            return note_end(trio.EndOfChannel("the other side of the port has disconnected"), self.end)
        broken = trio.BrokenResourceError(str(self.error))
        broken.__cause__ = self.error
        return note_end(broken, self.end)

    def _after_last_message(self) -> None:
        """Every message was taken: deliver the end, or close, if it was delivered before."""
        if self.end.state is State.ENDING:
            self._start_pump()
        elif self.end.state is State.ENDED:
            self.end.close()

    async def come_back(self) -> None:
        """Let other tasks run after ``send``, and drop no message meanwhile, as this task may read the answer next.

        In JavaScript, a post and a listener added right after it happen in one turn.
        """
        self._returning += 1
        try:
            await trio.lowlevel.cancel_shielded_checkpoint()
        finally:
            self._returning -= 1
            self.start_wanted_pump()  # It runs after this task's next step.

    def after_close(self) -> Exception:
        """Return the error for using a port that is over, or whose other side has gone."""
        if self.scope.invalidated:
            return ContextInvalidatedError()
        text = self._options.dialect.post_after_close_text
        if self.end.state is State.CLOSED:
            closed_error = closed_scope_error if self.scope.closed else trio.ClosedResourceError
            return note_end(closed_error(text or "this side of the port has disconnected"), self.end)
        why = self.end.peer_error
        error = trio.BrokenResourceError(text or str(why or "the other side of the port has disconnected"))
        error.__cause__ = why
        return note_end(error, self.end)

    # The pump ------------------------------------------------------------------------------

    def start_wanted_pump(self) -> None:
        """Start the pump, if it has something to do."""
        state = self.end.state
        wanted = self.on_message.listeners or self._drops_messages
        if state is State.ENDING or (state is State.OPEN and wanted):
            self._start_pump()

    @enable_ki_protection
    def _start_pump(self) -> None:
        if self._job is None and self._holds == 0 and self.end.state is not State.CLOSED:
            self._job = self.scope.start_soon(self._pump, self._port(), context=self._context)

    @enable_ki_protection
    async def _pump(self, port: Any) -> None:
        """Call the listeners until there is nothing to do. If cancelled, sync listeners still learn of the end."""
        try:
            try:
                try:
                    if not await self._deliver_messages(port):
                        await self._report_end(port)
                except trio.Cancelled as error:
                    self._verdict = Verdict(None, error, ends_port=False)
                if self._verdict is not None and not self._verdict.ends_port:
                    await self._finish_cancelled(port)
            except BaseException as error:  # Interrupted between two listeners, or on the way to sleep.
                self.end.lane.sleeper = None
                self._verdict = Verdict(None, error, ends_port=True)
            if self._verdict is not None and self._verdict.raised is not None:
                self._leave_by(self._verdict.raised, crash=self._verdict.ends_port)
        finally:
            self._verdict = None
            self._pump_finished()

    def _leave_by(self, error: BaseException, *, crash: bool) -> None:
        """End the port, if this is a crash, and raise the listener's exception where it belongs."""
        try:
            if crash:
                self.close(crash_error(error), vanished=True)
                if self.on_failure is not None:
                    self.on_failure(error)
                    return
            raise_as_it_is(error)
        finally:
            del error  # Its traceback holds this frame, and so the message and the port.

    def _pump_finished(self) -> None:
        self._job = None
        # While it reported the end, more listeners may have been added for it, or for the messages that were kept. If
        # the scope was left, no message is delivered after the end.
        kept = self.end.state is State.ENDED and self.end.lane.used and not self._abandoned
        if self._uninformed or (kept and self.on_message.listeners):
            self._start_pump()

    def may_exceed(self) -> bool:
        """Return whether the caller is a listener of this port: it may post beyond the bound until it returns."""
        task = running_task()
        if self._job is None or task is None or self._job.task is not task:
            return False
        self._exceeded = True
        return True

    @disable_ki_protection
    async def _deliver_messages(self, port: Any, batch: float = BATCH) -> bool:  # noqa: C901, PLR0912, PLR0915
        """Deliver messages until there are no more to deliver; return whether a listener's exception leaves.

        One long loop on purpose: every message runs through it, and each call would add some four per cent to the time
        of a message.
        """
        end = self.end
        lane = end.lane
        event = self.on_message
        decode = self.decoder.decode
        observer = self._observer
        direction = lane.direction
        blocked = direction.blocked
        head = lane.head
        exact = lane.exact
        abort_sleep = lane.abort_sleep
        task = trio.lowlevel.current_task()
        left = batch
        while True:
            listeners = event.listeners
            if not lane.used or not left or not (listeners or self._drops_messages):
                if (end.state is not State.OPEN or not listeners) and self._is_done():
                    return False
                if lane.used:
                    await trio.lowlevel.checkpoint()
                else:
                    frame, message, result, listeners = b"", None, None, ()  # Keep nothing of the last one alive.
                    head = lane.begin_sleep(task)
                    await wait_task_rescheduled(abort_sleep)
                left = batch
                continue
            left -= 1
            if not head:
                # While a listener was awaited, another task may have begun a new batch.
                head = lane.head or lane.begin()
            frame = head.popleft()
            lane.used -= 1
            if blocked or exact:
                lane.room += len(frame)
                direction.settle()
            if not listeners:
                self._drop(port, frame)
                continue
            try:
                message = decode(frame)
            except Exception as refusal:
                try:
                    message = self.decoder.decode_unusual(frame, refusal)
                except MalformedMessageError as error:
                    if self._undecodable(port, error):
                        return True
                    continue
            if observer is not None:
                observer(Delivered(port, frame))
            if len(listeners) == 1:
                try:
                    result = listeners[0](message, port)
                    if result is not None and _is_awaitable(result):
                        await result
                except BaseException as error:
                    if self._interrupts(port, error):
                        return True
            elif await self._dispatch(port, listeners, message):
                return True
            if self._exceeded:
                self._exceeded = False
                await end.wait_bound()

    def _is_done(self) -> bool:
        """Return whether there is nothing to wait for: the end has to be reported, or nobody wants messages."""
        state = self.end.state
        unwanted = not self.on_message.listeners and not self._drops_messages
        if state is State.ENDING:
            if not self.end.lane.used or (unwanted and (self._abandoned or not self._has_read)):
                return True
        elif state is State.CLOSED or (state is State.ENDED and not self.end.lane.used):
            return True
        return unwanted

    async def _dispatch(self, port: Any, listeners: tuple[Any, ...], message: Any) -> bool:
        """Call several listeners with one message; return whether the exception of one leaves."""
        event = self.on_message
        for listener in listeners:
            if self.scope.closed:
                return False  # A context that was closed runs no listeners.
            removed = event.listeners is not listeners and not event.has_listener(listener)
            if removed and not self._options.dialect.calls_removed_listeners:
                continue
            try:
                result = listener(message, port)
                if result is not None and _is_awaitable(result):
                    await result
            except BaseException as error:
                if self._interrupts(port, error):
                    return True
        return False

    def _interrupts(self, port: Any, error: BaseException) -> bool:
        """Do as `_leaves` does, unless the end of this port only interrupted a listener (rule 43)."""
        rest = without_own_end(error, self.end)
        return rest is not None and self._leaves(port, rest)

    def _leaves(self, port: Any, error: BaseException) -> bool:
        """Decide about a listener's exception, report it to the observer, and return whether it leaves the pump."""
        verdict = judge(error, self._options.listener_errors)
        if verdict.reported is not None and self._observer is not None:
            self._observer(ListenerFailed(port, verdict.reported, verdict.ends_port))
        if verdict.raised is None:
            return False
        self._verdict = verdict
        return True

    # What cannot be delivered --------------------------------------------------------------

    def _drop(self, port: Any, frame: bytes) -> None:
        """Drop a message that nobody listens for. If it is malformed, it ends the connection all the same."""
        try:
            self.decoder.decode(frame)
        except Exception as refusal:
            try:
                self.decoder.decode_unusual(frame, refusal)
            except MessageShapeError:
                pass  # It has another shape, but it is a message.
            except MalformedMessageError as error:
                self._break_off(error)
                return
        if self._observer is not None:
            self._observer(Dropped(port, frame))

    def _undecodable(self, port: Any, error: MalformedMessageError) -> bool:
        """Treat a message of the wrong shape as a listener's error; anything else ends the connection."""
        if isinstance(error, MessageShapeError):
            return self._leaves(port, error)
        self._break_off(error)
        return False

    def _break_off(self, error: MalformedMessageError) -> None:
        """End the connection because of a frame that is not a message."""
        if self._observer is not None:
            self._observer(Dropped(self._port(), error.raw))
        if not self._options.dialect.ignores_malformed:
            # A copy has no traceback. A traceback would keep this port and its messages alive as long as the error.
            self.end.fail(copy.copy(error))

    # How it ends ---------------------------------------------------------------------------

    def peer_gone(self) -> None:
        """Report the end, once every message before it is delivered."""
        if not self._reading and not self._waits_for_reader:
            self._start_pump()

    @enable_ki_protection
    def _deliver_end(self) -> None:
        """Deliver the other side's end here, except for the on_disconnect listeners, which the pump calls."""
        if self.end.state is not State.ENDING:
            return
        self.end.note_delivered()
        self.error = self.end.peer_error
        self._uninformed = self.on_disconnect.listeners
        self._informed = self._uninformed
        self._over(here=False)
        if self.end.lane.used:
            self.scope.unread.add(self)

    @disable_ki_protection
    async def _report_end(self, port: Any) -> None:
        """Deliver the end, if it is due, and call every on_disconnect listener, even if cancelled."""
        if self.end.state is State.ENDING and (self._abandoned or not self._waits_for_reader):
            self._deliver_end()
        while self._uninformed:
            listener, *rest = self._uninformed
            self._uninformed = tuple(rest)
            current = self.on_disconnect.listeners
            removed = current is not self._informed and not self.on_disconnect.has_listener(listener)
            if self.scope.closed or (removed and not self._options.dialect.calls_removed_listeners):
                continue  # A context that was closed runs no listeners.
            await self._inform(port, listener)
            if self._verdict is not None and self._verdict.ends_port:
                return

    async def _inform(self, port: Any, listener: Callable[[Any], object]) -> None:
        """Call an on_disconnect listener."""
        if self._show_error is not None:
            self._show_error(self.error)
        try:
            result = listener(port)
            if result is not None and _is_awaitable(result):
                await result
        except BaseException as error:
            self._interrupts(port, error)
        finally:
            if self._show_error is not None:
                self._show_error(None)

    async def _finish_cancelled(self, port: Any) -> None:
        """Deliver the messages that are left, and the end, to the listeners that do not wait."""
        if self.end.state is State.ENDING and self.on_message.listeners:
            with suppress(trio.Cancelled):  # A listener has posted beyond the bound.
                await self._deliver_messages(port, batch=math.inf)
        if self.end.state is State.ENDING and not (self._verdict is not None and self._verdict.ends_port):
            self._abandoned = True
            await self._report_end(port)

    @enable_ki_protection
    def close(self, error: PortError | None = None, *, vanished: bool = False) -> None:
        """Disconnect this side; the other side gets ``error``. After the end, nothing happens."""
        if self.end.state is State.OPEN or self.end.state is State.ENDING:
            self.end.close(error if self._options.dialect.tells_crashes else None, vanished=vanished)
            self._over(here=True)

    def _over(self, *, here: bool) -> None:
        port = self._port()  # First, as the scope may be the last to refer to it.
        self.scope.forget(self)
        if self._done is not None:
            self._done.set()
        if self._observer is not None:
            self._observer(Disconnected(port, self.error, here))

    async def wait_over(self) -> None:
        """Wait until this port is over. A checkpoint."""
        if self._done is None:
            self._done = trio.Event()
            if self.end.state is State.ENDED or self.end.state is State.CLOSED:
                self._done.set()
        await self._done.wait()

    # As its block or its scope ends --------------------------------------------------------

    async def wait_listeners(self, *, cancelled: bool) -> None:
        """Wait for a listener that is running, unless it is the caller; if ``cancelled``, or cancelled, cancel it."""
        job = self._job
        if job is not None and not runs_within(job.task):
            try:
                if not cancelled:
                    await job.wait_done()
            finally:
                with trio.CancelScope(shield=True):
                    while self._job is not None:  # A cancelled pump leaves late listeners to a new one.
                        self._job.scope.cancel()
                        await self._job.wait_done()
        if cancelled:
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            await trio.lowlevel.checkpoint()

    def begin_settling(self, error: PortError | None) -> None:
        """Disconnect, or start to deliver the other side's end if that came first. Never waits."""
        if self.end.state is State.OPEN:
            self.close(error, vanished=True)
        elif self.end.state is State.ENDING:
            self._abandoned = True
            if self._job is not None:
                return
            if not self._holds and not self.on_disconnect.listeners and not self.end.lane.used:
                self._deliver_end()
                return
            self._start_pump()
            if self._job is None:  # It is held, and the code that holds it has gone.
                self.close(error, vanished=True)

    async def settle(self, error: PortError | None) -> None:
        """Do the same, and wait for the listeners."""
        self.begin_settling(error)
        while self.end.state is State.ENDING and self._job is not None:
            await self._job.wait_done()  # A pump in which a listener fails leaves the rest to a new one.
            self.begin_settling(error)

    def discard(self) -> None:
        """Throw away the messages that were kept after the end, and the listeners still to be called."""
        self.end.close()
        self._uninformed = ()


def _is_awaitable(result: object) -> TypeGuard[Awaitable[object]]:
    return type(result) is types.CoroutineType or isinstance(result, Awaitable)
