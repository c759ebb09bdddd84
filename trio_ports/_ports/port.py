"""A port: one end of a connection, as the program sees it. Source: MDN, ``runtime.Port``; rules 10 to 32."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection, reschedule

from .._protocol.errors import MalformedMessageError, MessageShapeError, PortError
from .._protocol.lifecycle import Happening, State, advance
from .._protocol.messages import Decoder
from .._protocol.senders import MessageSender
from .._util import require_trio
from .connection import End
from .events import Event
from .observers import Delivered, Disconnected, Dropped, ListenerFailed, Opened, Posted
from .owners import Owner, crash_error, split_cancelled
from .pump import Pump
from .setup import Setup

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import TypeVar

    SendT = TypeVar("SendT", contravariant=True, default=Any)
    ReceiveT = TypeVar("ReceiveT", covariant=True, default=Any)
else:
    from typing import TypeVar

    SendT = TypeVar("SendT", contravariant=True)
    ReceiveT = TypeVar("ReceiveT", covariant=True)


@attrs.frozen
class PortStatistics:
    """How full a port is, for debugging; see `Port.statistics`."""

    state: str
    """``"open"``, ``"ending"`` (the other side has gone, and this was not delivered yet), ``"ended"``, ``"closed"``."""
    messages_waiting: int
    """How many messages have arrived and were not taken."""
    messages_unsent: int
    """How many messages were posted here and not taken by the slowest receiver."""
    max_buffer_size: float
    """How many may wait in each direction."""
    tasks_waiting_send: int
    """How many tasks of this side wait for room."""


@final
class Port(trio.abc.Channel[Any], Generic[SendT, ReceiveT]):
    """One end of a named, two-way connection that ends exactly once.

    Made by ``connect``, ``on_connect``, `open_port_pair` and the other openers; not by you. Use it JavaScript's way
    (`post_message`, `on_message`, `on_disconnect`, `disconnect`) or Trio's (`send`, `receive`, ``async for``,
    ``async with``): one style of consumer at a time.

    A port belongs to the scope that it was made in: a context of a browser, or the nursery given to the opener.
    ``async with port:`` narrows that to the block. When the scope ends, however it ends, the port is disconnected.

    Attributes:
        on_message: called with ``(message, port)`` for every message. A sync listener is called by a task of the
            owner; an async one is awaited before the next message.
        on_disconnect: called with ``(port)``, once, when the *other* side has ended the connection.
    """

    __slots__ = (
        "__weakref__",
        "_abandoned",
        "_block",
        "_block_errors",
        "_decoder",
        "_dialect",
        "_done",
        "_encoder",
        "_end",
        "_error",
        "_gate",
        "_has_read",
        "_name",
        "_observer",
        "_owner",
        "_pump",
        "_reading",
        "_sender",
        "_setup",
        "_show",
        "_state",
        "_told",
        "_untold",
        "on_disconnect",
        "on_message",
    )

    on_message: Event[Callable[[ReceiveT, Port[SendT, ReceiveT]], object]]
    on_disconnect: Event[Callable[[Port[SendT, ReceiveT]], object]]

    def __init__(
        self,
        end: End,
        owner: Owner,
        setup: Setup,
        decoder: Decoder,
        *,
        name: str = "",
        sender: MessageSender | None = None,
        held: bool = False,
        show_error: Callable[[PortError | None], None] | None = None,
    ) -> None:
        # show_error is told the error before on_disconnect listeners run, and None afterwards (runtime.last_error);
        # a port that is held delivers nothing until it is released.
        self._end = end
        self._owner = owner
        self._setup = setup
        self._show = show_error
        self._dialect = setup.dialect
        self._encoder = setup.encoder
        self._decoder = decoder
        self._observer = setup.observer
        self._name = name
        self._sender = sender
        self._state = State.OPEN
        self._error: PortError | None = None
        self._pump: Pump | None = None
        self._gate = 1
        self._reading = False
        self._has_read = False
        self._abandoned = False
        self._block: trio.CancelScope | None = None
        self._block_errors: list[BaseException] = []
        self._untold: tuple[Callable[[Any], object], ...] = ()
        self._told: list[Callable[[Any], object]] = []
        self._done: trio.Event | None = None
        self.on_message = Event("on_message", self._before_message_listener)
        self.on_disconnect = Event("on_disconnect", self._before_disconnect_listener)
        owner.ports[self] = None
        if self._observer is not None:
            self._observer(Opened(self))
        end.on_peer_gone = self._peer_gone
        if end.peer_gone:
            self._state = advance(self._state, Happening.PEER_GONE)
        if not held:
            self._release()

    # What it is -------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name that the opener gave, the same at both ends."""
        return self._name

    @property
    def sender(self) -> MessageSender | None:
        """Who opened the connection: on a receiving end; None on the opener's."""
        return self._sender

    @property
    def error(self) -> PortError | None:
        """Why the other side ended the connection: None until then, and after an orderly end.

        In the dialect ``chrome`` always None; there ``runtime.last_error`` has it while on_disconnect listeners run.
        """
        return self._error if self._dialect.keeps_error else None

    def statistics(self) -> PortStatistics:
        """Return how full this port is. For debugging."""
        out = self._end.out
        return PortStatistics(
            state=self._state.value,
            messages_waiting=self._end.lane.used,
            messages_unsent=max((lane.used for lane in out.lanes), default=0),
            max_buffer_size=out.bound,
            tasks_waiting_send=sum(end is self._end for end, _ in out.blocked.values()),
        )

    def __repr__(self) -> str:
        reason = f", {self._error.cause.value}" if self._error is not None else ""
        return f"<Port {self._name!r} ({self._end.side}, {self._state.value}{reason}) at {id(self):#x}>"

    # Sending ----------------------------------------------------------------------------------------------------

    @enable_ki_protection
    def post_message(self, message: SendT) -> None:
        """Send ``message``: it is encoded now and arrives after what was posted before. Never waits.

        Between the other side's disconnect and its delivery here, nothing happens: it is fire and forget. A listener
        of this port may post more than there is room for; the next message is then dispatched once all is queued.

        Raises:
            NotSerializableError: if ``message`` is not JSON; nothing was sent.
            MessageTooLargeError: if it is larger than this connection carries; nothing was sent.
            trio.WouldBlock: if there is no room; nothing was sent. Use `send` to wait.
            trio.ClosedResourceError: if this side has disconnected.
            trio.BrokenResourceError: if the other side has, and this was delivered; from `error`.

        Source: rules 12, 16, 17 and 23.
        """
        encoder = self._encoder
        try:
            frame = encoder.encode_json(message)
            if len(frame) > encoder.plain_bytes or 0xC4 in encoder.mark(message):
                frame = encoder.encode(message)
        except Exception:
            frame = encoder.encode(message)
        end = self._end
        lane = end.only
        if lane is not None and lane.used < lane.bound:  # Nearly always; this is end.send_nowait(), without the calls.
            end.send_only(frame)
            lane.used += 1
            task = lane.sleeper
            if task is not None:
                lane.sleeper = None
                reschedule(task)
        elif not self._post_unusual(frame):
            return
        if self._observer is not None:
            self._observer(Posted(self, frame))

    async def send(self, message: SendT) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - it is no value
        """Send ``message``, waiting for room. A checkpoint; a cancelled call has sent nothing.

        Raises:
            NotSerializableError, MessageTooLargeError: as `post_message`.
            trio.ClosedResourceError: if this side has disconnected, before or meanwhile.
            trio.BrokenResourceError: if the other side has gone, even if that was not delivered yet; from its error.
        """
        frame = self._encoder.encode(message)
        if self._state is not State.OPEN:
            raise self._after_close()
        try:
            await self._end.send(frame)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            if self._state is not State.OPEN:
                raise self._after_close() from self._end.peer_error
            await trio.lowlevel.checkpoint()  # This receiver's posts are swallowed (rule 26, Chromium).
        else:
            if self._observer is not None:
                self._observer(Posted(self, frame))

    def _post_unusual(self, frame: bytes) -> bool:
        """Send to several receivers, or beyond the bound, or raise why not; say whether it was sent."""
        if self._state is State.CLOSED or self._state is State.ENDED:
            raise self._after_close()
        try:
            self._end.send_nowait(frame)
        except trio.BrokenResourceError:
            return False
        except trio.WouldBlock:
            pump = self._pump
            if pump is None or pump.task is not trio.lowlevel.current_task():
                raise trio.WouldBlock(
                    f"{self._end.out.bound} messages wait at the other end; `await port.send(message)` waits for room"
                ) from None
            self._end.put(frame)
            pump.exceeded = True
        return True

    def _after_close(self) -> Exception:
        text = self._dialect.post_after_close_text
        if self._state is State.CLOSED:
            return trio.ClosedResourceError(text or "this side of the port has disconnected")
        error = trio.BrokenResourceError(text or "the other side of the port has disconnected")
        error.__cause__ = self._end.peer_error
        return error

    # Receiving --------------------------------------------------------------------------------------------------

    @enable_ki_protection
    async def receive(self) -> ReceiveT:
        """Return the next message. A checkpoint; a cancelled call has taken nothing.

        Raises:
            trio.EndOfChannel: if the other side ended the connection in good order, after its last message.
            trio.BrokenResourceError: if it ended with an error, after its last message; from `error`.
            trio.ClosedResourceError: if this side has disconnected, before or meanwhile.
            trio.BusyResourceError: if another task is reading, or on_message has listeners.
            MessageShapeError: if the message is not of the ``message_type`` asked for; the port lives on.
        """
        if self._reading or self.on_message.listeners:
            other = "another task is reading" if self._reading else "on_message has listeners"
            raise trio.BusyResourceError(f"one consumer at a time: {other}")
        lane = self._end.lane
        self._has_read = lane.heard = True
        if self._state is State.ENDED and not lane.used:
            await trio.lowlevel.checkpoint()
            raise self._end_of_messages()
        self._reading = True
        try:
            frame = await lane.sink.receive()
            if lane.used:  # Not after a disconnect in the tick that brought the message: then nothing is left in use.
                lane.used -= 1
            if lane.direction.blocked:
                lane.direction.settle()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise self._end_reading() from self._end.peer_error
        finally:
            self._reading = False
            if self._state is not State.OPEN and not lane.used:
                self._after_last_message()
        try:
            message: ReceiveT = self._decoder.decode(frame)
        except Exception as refusal:
            try:
                message = self._decoder.decode_unusual(frame, refusal)
            except MessageShapeError:
                raise
            except MalformedMessageError as error:
                self._undecodable(error)
                return await self.receive()
        if self._observer is not None:
            self._observer(Delivered(self, frame))
        return message

    def _end_reading(self) -> Exception:
        """Deliver the other side's end to a reader that has come to it, and return what says so."""
        if self._state is State.CLOSED:
            return self._after_close()
        self._deliver_end()
        self._start_pump()
        return self._end_of_messages()

    def _after_last_message(self) -> None:
        """Everything that arrived was taken: the end can be delivered, or was, and then nothing is needed any more."""
        if self._state is State.ENDING:
            self._start_pump()
        elif self._state is State.ENDED:
            self._end.close()

    async def __anext__(self) -> ReceiveT:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def __aiter__(self) -> Self:
        return self

    def _end_of_messages(self) -> Exception:
        if self._error is None:
            return trio.EndOfChannel("the other side of the port has disconnected")
        broken = trio.BrokenResourceError(str(self._error))
        broken.__cause__ = self._error
        return broken

    # Ending -----------------------------------------------------------------------------------------------------

    def disconnect(self) -> None:
        """End the connection. The other side gets what was posted, then on_disconnect; this side gets nothing more.

        Calling it again, in on_disconnect, or after the other side has gone does nothing.
        """
        require_trio("port.disconnect")
        self._close(None, vanished=False)

    async def aclose(self) -> None:
        """Disconnect. A checkpoint; a cancelled call has disconnected all the same."""
        self.disconnect()
        await trio.lowlevel.checkpoint()

    async def wait_disconnected(self) -> None:
        """Wait until the connection is over here: the other side's end was delivered, or this side disconnected.

        A checkpoint. Never raises for the other side's end; see `error`. Where a task reads from this port, the end
        is delivered after the last message: keep reading, or disconnect.
        """
        if self._done is None:
            self._done = trio.Event()
            if self._state is State.ENDED or self._state is State.CLOSED:
                self._done.set()
        await self._done.wait()

    async def __aenter__(self) -> Self:
        """Narrow the port's scope to a block. A checkpoint; a cancelled call has disconnected the port.

        Leaving the block disconnects. Leaving it by an exception is a crash: the other side's `error` is set, without
        a word of it. A listener's exception cancels the block and leaves through it, in an ExceptionGroup; the
        block's own exception leaves as it is. Leaving waits for a listener that is running.

        Raises:
            trio.BusyResourceError: if the port has a block already.
        """
        if self._block is not None:
            raise trio.BusyResourceError("this port has a block already")
        self._block = trio.CancelScope()
        try:
            await trio.lowlevel.checkpoint()
        except BaseException:
            self._close(None, vanished=False)
            self._block = None
            raise
        self._block.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        block = self._block
        assert block is not None
        self._close(crash_error(error), vanished=False)
        leaving = error
        try:
            await self._leave_block(crashed=error is not None)
        except BaseException as interruption:
            leaving = interruption
        self._discard()
        errors, self._block_errors = self._block_errors, []
        try:
            block.__exit__(None if leaving is None else type(leaving), leaving, None)
        finally:
            if errors:
                own = None if leaving is None else split_cancelled(leaving)[1]
                raise BaseExceptionGroup("listeners of a port failed", errors if own is None else [own, *errors])
        if leaving is not None and leaving is not error:
            raise leaving

    async def _leave_block(self, *, crashed: bool) -> None:
        """Wait for a listener that is running; one that runs beside a crash or is waited for in vain is cancelled."""
        pump = self._pump
        if pump is not None and pump.task is not trio.lowlevel.current_task():
            try:
                if crashed:
                    pump.scope.cancel()
                else:
                    await pump.wait_done()
            finally:
                pump.scope.cancel()
                with trio.CancelScope(shield=True):
                    await pump.wait_done()
        if crashed:
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            await trio.lowlevel.checkpoint()

    # What happens to it (for the package) -------------------------------------------------------------------------

    @property
    def _drops_messages(self) -> bool:
        """What nobody listens for is dropped on arrival."""
        return not self._dialect.keeps_unheard_messages and not self._has_read

    def _hold(self) -> None:
        """Deliver nothing until `_release` was called as often."""
        self._gate += 1

    def _release(self) -> None:
        self._gate -= 1
        if self._gate == 0:
            lane = self._end.lane
            lane.heard = self._has_read or bool(self.on_message.listeners)
            if lane.direction.blocked:
                lane.direction.settle()
            wanted = self.on_message.listeners or self._drops_messages
            if self._state is State.ENDING or (self._state is State.OPEN and wanted):
                self._start_pump()

    def _before_message_listener(self, _: Callable[..., object]) -> None:
        if self._reading:
            raise trio.BusyResourceError("one consumer at a time: a task is reading from this port")
        self._end.lane.heard = True
        self._start_pump()

    def _before_disconnect_listener(self, listener: Callable[..., object]) -> None:
        late = self._state is State.ENDED and self._dialect.tells_late_listeners
        if late and listener not in self._told:
            self._told.append(listener)
            self._untold = (*self._untold, listener)
            self._start_pump()

    def _start_pump(self) -> None:
        if self._pump is None and self._gate == 0 and self._state is not State.CLOSED:
            pump = Pump(self)
            if self._owner.start_soon(pump.run):
                self._pump = pump

    def _pump_finished(self) -> None:
        self._pump = None
        if self._untold:
            self._start_pump()

    def _peer_gone(self) -> None:
        self._state = advance(self._state, Happening.PEER_GONE)
        waits_for_reader = self._has_read and self._end.lane.used
        if not self._reading and not waits_for_reader:
            self._start_pump()

    def _deliver_end(self) -> None:
        """Let the other side's end take effect here. The on_disconnect listeners are left to the pump."""
        if self._state is not State.ENDING:
            return
        self._state = advance(self._state, Happening.DELIVERED)
        self._error = self._end.peer_error
        self._untold = self.on_disconnect.listeners
        self._told = list(self._untold)
        self._over(here=False)
        if self._end.lane.used:
            self._owner.unread.add(self)
        else:
            self._end.close()

    def _close(self, error: PortError | None, *, vanished: bool) -> None:
        """End this side, telling the other ``error``."""
        before, self._state = self._state, advance(self._state, Happening.DISCONNECT)
        if self._state is State.CLOSED and before is not State.CLOSED:
            self._end.close(error if self._dialect.tells_crashes else None, vanished=vanished)
            self._over(here=True)

    def _over(self, *, here: bool) -> None:
        self._owner.ports.pop(self, None)
        if self._done is not None:
            self._done.set()
        if self._observer is not None:
            self._observer(Disconnected(self, self._error, here))

    def _discard(self) -> None:
        """Let go of everything: messages that were kept after the end, and late listeners."""
        self._end.close()
        self._untold = ()

    async def _settle(self, error: PortError | None = None) -> None:
        """As its scope ends: end this side, or let the other side's end be delivered if that came first."""
        if self._state is State.OPEN:
            self._close(error, vanished=True)
        elif self._state is State.ENDING:
            self._abandoned = True
            self._start_pump()
            await self.wait_disconnected()

    def _undecodable(self, error: MalformedMessageError) -> None:
        """A frame was no message: a listener's error if only its shape was wrong; otherwise the connection is over."""
        if isinstance(error, MessageShapeError):
            self._listener_failed(error)
        elif self._observer is not None:
            self._observer(Dropped(self, error.raw))
        if not isinstance(error, MessageShapeError) and not self._dialect.ignores_malformed:
            self._end.fail(error)

    def _listener_failed(self, error: BaseException) -> None:
        """Log what a listener raised, or raise it."""
        if self._setup.listener_errors == "log" and isinstance(error, Exception):
            if self._observer is not None:
                self._observer(ListenerFailed(self, error))
            return
        raise error

    def _owner_failed(self, error: BaseException) -> bool:
        """A listener's exception ends the port as a crash; say whether the port's block takes it."""
        crash = crash_error(error)
        if crash is None:
            return False
        self._close(crash, vanished=True)
        if self._block is None:
            return False
        self._block_errors.append(error)
        self._block.cancel()
        return True

    def _show_error(self, shown: bool) -> None:
        if self._show is not None:
            self._show(self._error if shown else None)
