"""The receiving side of a port: delivers messages to listeners or to a reader, and decides when the end is reported.

The pump is the task that calls the listeners. It takes what has arrived in batches and calls
the listeners of each message, one message after the other; an awaitable that a listener
returns is awaited before the next, so that a slow listener holds the sender back. Between
batches it lets other tasks run. A checkpoint for every message would cost more than everything
else together; none at all would let one busy port starve the rest.

There is a pump while there is something for it to do, and never two. It leaves messages that
somebody may still want where they are: it looks before it takes. It calls the on_disconnect
listeners too, so that they come after the last message and never inside somebody's
``disconnect()``.
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
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from .._protocol.errors import MalformedMessageError, MessageShapeError, PortError
from .._protocol.lifecycle import State
from .._protocol.messages import Decoder
from .._util import runs_within
from .connection import End
from .events import Event, is_same
from .failures import Verdict, closed_scope_error, crash_error, judge, raise_as_it_is
from .observers import Delivered, Disconnected, Dropped, ListenerFailed
from .options import Options
from .scopes import Job, Scope

BATCH: Final = 64
"""How many messages are delivered before other tasks run."""

ShowError = Callable[[PortError | None], None]


@final
class Delivery:
    """What a port does with what arrives. It knows the port only to hand it to listeners and observers.

    Args:
        port: whose receiving side this is.
        end: of its connection.
        scope: owns the port, and runs its listeners.
        options: how the port behaves.
        decoder: of its messages.
        context: the context variables that its listeners see; the scope's unless given.
        show_error: gets the error before on_disconnect listeners run, and None afterwards (``runtime.last_error``).
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
        """A task is on its way into the port's block, and could not listen or read yet: nothing is dropped meanwhile,
        and no end reported."""
        self.on_failure: Callable[[BaseException], None] | None = None
        """Takes what a listener raises; unless given, that leaves through the scope."""
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
        """How many have called `hold`, and not `release` yet; whoever makes a port is the first."""
        self._reading: bool = False
        """A task is reading now."""
        self._has_read: bool = False
        """A task has read once: from then on what arrives is kept for the next one."""
        self._returning: int = 0
        """How many tasks are on their way back from sending, and may be about to listen or read."""
        self._job: Job | None = None
        """The pump."""
        self._verdict: Verdict | None = None
        """What was decided of an exception that leaves the pump."""
        self._exceeded: bool = False
        """A listener posted more than there was room for: the next message waits until that is queued."""
        self._abandoned: bool = False
        """The scope is ending: nobody will read any more."""
        self._informed: tuple[Callable[[Any], object], ...] = ()
        """The on_disconnect listeners that were called, or will be."""
        self._uninformed: tuple[Callable[[Any], object], ...] = ()
        """Those of them that were not called yet."""
        self._done: trio.Event | None = None
        scope.members[self] = port
        end.watcher = self

    # Who takes what arrives ----------------------------------------------------------------

    def hold(self) -> None:
        """Deliver nothing until `release` was called as often."""
        self._holds += 1

    @enable_ki_protection
    def release(self, *, within_task: bool = False) -> None:
        """Deliver, if nobody else holds this port.

        Args:
            within_task: what this task does next, until it waits, may be to listen or to read.
        """
        self._holds -= 1
        if self._holds == 0:
            # Where nobody else is sent the same, whether somebody listens makes no difference.
            if not within_task or self.end.lane.direction.only() is not None:
                self._note_heard()
            else:
                self.scope.start_soon(self._note_heard_later)
            self.start_wanted_pump()

    def _note_heard(self) -> None:
        """From now on this port's bound holds senders back if somebody listens or reads here, and not otherwise."""
        self.end.set_heard(self._has_read or bool(self.on_message.listeners))

    async def _note_heard_later(self) -> None:
        self._note_heard()

    def _before_message_listener(self, _: Callable[..., object]) -> None:
        """Begin to deliver; refuse a listener beside a reader."""
        if self._reading:
            raise trio.BusyResourceError("one consumer at a time: a task is reading from this port")
        self.end.hold_sender()
        self._start_pump()

    def _before_disconnect_listener(self, listener: Callable[..., object]) -> None:
        """Call a listener that comes after the end, once."""
        late = self.end.state is State.ENDED and self._options.dialect.tells_late_listeners
        if late and not any(is_same(other, listener) for other in self._informed):
            self._informed = (*self._informed, listener)
            self._uninformed = (*self._uninformed, listener)
            self._start_pump()

    @property
    def _drops_messages(self) -> bool:
        """What nobody listens for is dropped on arrival."""
        keeps = self._options.dialect.keeps_unheard_messages
        return not (keeps or self._has_read or self.entering or self._returning)

    @property
    def _waits_for_reader(self) -> bool:
        """Somebody has read here, or is about to, and is to take what has arrived before the end is delivered."""
        return self.entering or bool(self._has_read and self.end.lane.used)

    # A reader ------------------------------------------------------------------------------

    async def receive(self) -> Any:
        """Return the next message; see `Port.receive`."""
        if self._reading or self.on_message.listeners:
            other = "another task is reading" if self._reading else "on_message has listeners"
            raise trio.BusyResourceError(f"one consumer at a time: {other}")
        end = self.end
        lane = end.lane
        self._has_read = lane.heard = True
        # A pump may sleep here still, which dropped what nobody listened for, or whose listeners were removed. It would
        # be handed what this task waits for; woken, it finds that nothing is left for it to do.
        lane.wake()
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

    def _end_reading(self) -> Exception:
        """Deliver the other side's end to a reader that has come to it, and return what says so."""
        if self.end.state is State.CLOSED:
            return self.after_close()
        self._deliver_end()
        self._start_pump()
        return self._end_of_messages()

    def _end_of_messages(self) -> Exception:
        if self.error is None:
            return trio.EndOfChannel("the other side of the port has disconnected")
        broken = trio.BrokenResourceError(str(self.error))
        broken.__cause__ = self.error
        return broken

    def _after_last_message(self) -> None:
        """Everything that arrived was taken: the end can be delivered, or was, and then nothing is needed any more."""
        if self.end.state is State.ENDING:
            self._start_pump()
        elif self.end.state is State.ENDED:
            self.end.close()

    async def come_back(self) -> None:
        """Let others run after sending, and drop nothing meanwhile: what comes next may be to read the answer.

        In JavaScript, whoever posts and then listens does so in one turn.
        """
        self._returning += 1
        try:
            await trio.lowlevel.cancel_shielded_checkpoint()
        finally:
            self._returning -= 1
            self.start_wanted_pump()  # It runs after this task's next step.

    def after_close(self) -> Exception:
        """Return the error for the use of a port that is over, or whose other side has gone."""
        text = self._options.dialect.post_after_close_text
        if self.end.state is State.CLOSED:
            closed_error = closed_scope_error if self.scope.closed else trio.ClosedResourceError
            return closed_error(text or "this side of the port has disconnected")
        why = self.end.peer_error
        error = trio.BrokenResourceError(text or str(why or "the other side of the port has disconnected"))
        error.__cause__ = why
        return error

    # The pump ------------------------------------------------------------------------------

    def start_wanted_pump(self) -> None:
        """Start the pump, if there is something for it to do."""
        state = self.end.state
        wanted = self.on_message.listeners or self._drops_messages
        if state is State.ENDING or (state is State.OPEN and wanted):
            self._start_pump()

    @enable_ki_protection
    def _start_pump(self) -> None:
        if self._job is None and self._holds == 0 and self.end.state is not State.CLOSED:
            port = self._port()
            if port is not None:
                self._job = self.scope.start_soon(self._pump, port, context=self._context)

    @enable_ki_protection
    async def _pump(self, port: Any) -> None:
        """Call the listeners until there is nothing to do. Cancelled, sync listeners still learn of the end."""
        try:
            try:
                try:
                    if not await self._deliver_messages(port):
                        await self._report_end(port)
                except trio.Cancelled as error:
                    self._verdict = Verdict(None, error, ends_port=False)
                if self._verdict is not None and not self._verdict.ends_port:
                    await self._finish_cancelled(port)
            except BaseException as error:  # Interrupted between two listeners.
                self._verdict = Verdict(None, error, ends_port=True)
            if self._verdict is not None and self._verdict.raised is not None:
                self._leave_by(self._verdict.raised, crash=self._verdict.ends_port)
        finally:
            self._verdict = None
            self._pump_finished()

    def _leave_by(self, error: BaseException, *, crash: bool) -> None:
        """End the port, if this is a crash, and raise what a listener raised where that belongs."""
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
        # What came while it reported the end: further listeners for that, or one for the messages that were kept. Of
        # what a scope that was left has cut short, nothing is delivered after the end.
        kept = self.end.state is State.ENDED and self.end.lane.used and not self._abandoned
        if self._uninformed or (kept and self.on_message.listeners):
            self._start_pump()

    def may_exceed(self) -> bool:
        """Say whether the caller is a listener of this port, whose posts may exceed the bound until it returns."""
        if self._job is None or self._job.task is not trio.lowlevel.current_task():
            return False
        self._exceeded = True
        return True

    @disable_ki_protection
    async def _deliver_messages(self, port: Any, batch: float = BATCH) -> bool:  # noqa: C901, PLR0912, PLR0915
        """Deliver what arrives until there is nothing more to do for messages; say whether a listener's error leaves.

        One long loop on purpose: this is what every message runs through, and each call taken out of it would cost
        some four per cent of a message.
        """
        end = self.end
        lane = end.lane
        event = self.on_message
        decode = self.decoder.decode
        observer = self._observer
        direction = lane.direction
        blocked = direction.blocked
        head = lane.head
        left = batch
        while True:
            listeners = event.listeners
            if not lane.used or not left or not (listeners or self._drops_messages):
                if (end.state is not State.OPEN or not listeners) and self._is_done():
                    return False
                if lane.used:
                    await trio.lowlevel.checkpoint()
                else:
                    frame, message, result, listeners = b"", None, None, ()  # Nothing of the last one is kept.
                    head = await lane.sleep()
                left = batch
                continue
            left -= 1
            if not head:
                # While a listener was awaited, somebody else may have begun another batch.
                head = lane.head or lane.begin()
            frame = head.popleft()
            lane.used -= 1
            if blocked:
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
                    if self._leaves(port, error):
                        return True
            elif await self._dispatch(port, listeners, message):
                return True
            if self._exceeded:
                self._exceeded = False
                await end.wait_bound()

    def _is_done(self) -> bool:
        """Say whether there is nothing to wait for: the end is to be reported, or nobody wants what arrives."""
        state = self.end.state
        unwanted = not self.on_message.listeners and not self._drops_messages
        if state is State.ENDING:
            if not self.end.lane.used or (unwanted and (self._abandoned or not self._has_read)):
                return True
        elif state is State.CLOSED or (state is State.ENDED and not self.end.lane.used):
            return True
        return unwanted

    async def _dispatch(self, port: Any, listeners: tuple[Any, ...], message: Any) -> bool:
        """Call several listeners with one message; say whether the exception of one leaves."""
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
                if self._leaves(port, error):
                    return True
        return False

    def _leaves(self, port: Any, error: BaseException) -> bool:
        """Decide what becomes of what a listener raised, let the observer know, and say whether it leaves the pump."""
        verdict = judge(error, self._options.listener_errors)
        if verdict.reported is not None and self._observer is not None:
            self._observer(ListenerFailed(port, verdict.reported, verdict.ends_port))
        if verdict.raised is None:
            return False
        self._verdict = verdict
        return True

    # What cannot be delivered --------------------------------------------------------------

    def _drop(self, port: Any, frame: bytes) -> None:
        """Let go of what nobody listens for; what is not a message ends the connection all the same."""
        try:
            self.decoder.decode(frame)
        except Exception as refusal:
            try:
                self.decoder.decode_unusual(frame, refusal)
            except MessageShapeError:
                pass  # Of another shape or not, it is a message.
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
            # A copy has no traceback, which would keep this port, and what has arrived here, for as long as the error.
            self.end.fail(copy.copy(error))

    # How it ends ---------------------------------------------------------------------------

    def peer_gone(self) -> None:
        """Report the end, once everything that came before is delivered."""
        if not self._reading and not self._waits_for_reader:
            self._start_pump()

    @enable_ki_protection
    def _deliver_end(self) -> None:
        """Let the other side's end take effect here. The on_disconnect listeners are left to the pump."""
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
        """Deliver the end, if it is time, and call the on_disconnect listeners, all of them, cancelled or not."""
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
            self._leaves(port, error)
        finally:
            if self._show_error is not None:
                self._show_error(None)

    async def _finish_cancelled(self, port: Any) -> None:
        """Hand what is left to the listeners that do not wait, and report the end to them."""
        if self.end.state is State.ENDING and self.on_message.listeners:
            with suppress(trio.Cancelled):  # A listener has posted more than there was room for.
                await self._deliver_messages(port, batch=math.inf)
        if self.end.state is State.ENDING and not (self._verdict is not None and self._verdict.ends_port):
            self._abandoned = True
            await self._report_end(port)

    @enable_ki_protection
    def close(self, error: PortError | None = None, *, vanished: bool = False) -> None:
        """End this side, telling the other ``error``. Nothing happens after the end."""
        if self.end.state is State.OPEN or self.end.state is State.ENDING:
            self.end.close(error if self._options.dialect.tells_crashes else None, vanished=vanished)
            self._over(here=True)

    def _over(self, *, here: bool) -> None:
        self.scope.forget(self)
        if self._done is not None:
            self._done.set()
        if self._observer is not None:
            self._observer(Disconnected(self._port(), self.error, here))

    async def wait_over(self) -> None:
        """Wait until this port is over. A checkpoint."""
        if self._done is None:
            self._done = trio.Event()
            if self.end.state is State.ENDED or self.end.state is State.CLOSED:
                self._done.set()
        await self._done.wait()

    # As its block or its scope ends --------------------------------------------------------

    async def wait_listeners(self, *, cancelled: bool) -> None:
        """Wait for a listener that is running, unless it is the caller; cancelled, or on demand, cancel it first."""
        job = self._job
        if job is not None and not runs_within(job.task):
            try:
                if not cancelled:
                    await job.wait_done()
            finally:
                with trio.CancelScope(shield=True):
                    while self._job is not None:  # One that was cancelled leaves late listeners to another one.
                        self._job.scope.cancel()
                        await self._job.wait_done()
        if cancelled:
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            await trio.lowlevel.checkpoint()

    def begin_settling(self, error: PortError | None) -> None:
        """End this side, or let the other side's end be delivered if that came first, as far as nobody waits."""
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
            if self._job is None:  # It is held, and whoever holds it is not there any more.
                self.close(error, vanished=True)

    async def settle(self, error: PortError | None) -> None:
        """Do the same, and wait for the listeners."""
        self.begin_settling(error)
        while self.end.state is State.ENDING and self._job is not None:
            await self._job.wait_done()  # One that a listener has failed in leaves the rest to another one.
            self.begin_settling(error)

    def discard(self) -> None:
        """Let go of everything: messages that were kept after the end, and late listeners."""
        self.end.close()
        self._uninformed = ()


def _is_awaitable(result: object) -> TypeGuard[Awaitable[object]]:
    return type(result) is types.CoroutineType or isinstance(result, Awaitable)
