"""The mechanics of a port: its state, who may take what arrives, and when its end is delivered.

What a program sees of it is in `port`. Hardly anything here waits: what sends once there is room, and what waits for
the port to be over.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from threading import get_ident
from typing import Any

import trio
from trio.lowlevel import enable_ki_protection

from .._protocol.errors import MalformedMessageError, MessageShapeError, PortError
from .._protocol.lifecycle import Happening, State, advance
from .._protocol.messages import Decoder
from .._protocol.senders import MessageSender
from .block import Block
from .ends import End
from .events import Event, is_same
from .failures import crash_error, judge_failure, owner_closed_error
from .observers import Disconnected, Dropped, Opened, Posted
from .owners import Owner
from .pump import Pump
from .setup import Setup


class PortCore:
    """What a port does when nobody calls it."""

    __slots__ = (
        "__weakref__",
        "_abandoned",
        "_block",
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
        "_on_disconnect",
        "_on_message",
        "_owner",
        "_pump",
        "_reading",
        "_sender",
        "_sending",
        "_setup",
        "_show",
        "_state",
        "_thread",
        "_told",
        "_untold",
    )

    _on_message: Event[Callable[[Any, Any], object]]
    _on_disconnect: Event[Callable[[Any], object]]

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
        self._thread = get_ident()
        self._state = State.OPEN
        self._error: PortError | None = None
        self._pump: Pump | None = None
        self._gate = 1
        self._reading = False
        self._has_read = False
        self._abandoned = False
        self._sending = 0
        self._block: Block | None = None
        self._untold: tuple[Callable[[Any], object], ...] = ()
        self._told: list[Callable[[Any], object]] = []
        self._done: trio.Event | None = None
        self._on_message = Event("on_message", self._before_message_listener, arguments=("message", "port"))
        self._on_disconnect = Event("on_disconnect", self._before_disconnect_listener, arguments=("port",))
        owner.ports[self] = None
        if self._observer is not None:
            self._observer(Opened(self, end.number))
            end.on_sent = self._sent
        end.on_peer_gone = self._peer_gone
        if end.peer_gone:
            self._state = advance(self._state, Happening.PEER_GONE)
        if not held:
            self._release()

    # Who takes what arrives -----------------------------------------------------------------------------------------

    @property
    def _drops_messages(self) -> bool:
        """What nobody listens for is dropped on arrival."""
        return not (self._dialect.keeps_unheard_messages or self._has_read or self._is_entering or self._sending)

    @property
    def _is_entering(self) -> bool:
        """A task is on its way into the port's block, and could not listen or read yet."""
        return self._block is not None and not self._block.entered

    def _hold(self) -> None:
        """Deliver nothing until `_release` was called as often."""
        self._gate += 1

    @enable_ki_protection
    def _release(self, *, within_task: bool = False) -> None:
        """Deliver, if nobody else holds this port.

        Args:
            within_task: what this task does next, until it waits, may be to listen or to read.
        """
        self._gate -= 1
        if self._gate == 0:
            # Where nobody else is sent the same, whether somebody listens makes no difference.
            if not within_task or self._end.lane.direction.only() is not None:
                self._note_heard()
            else:
                self._owner.start_soon(self._note_heard_later)
            self._start_wanted_pump()

    def _note_heard(self) -> None:
        """From now on this port's bound holds senders back if somebody listens or reads here, and not otherwise."""
        lane = self._end.lane
        lane.heard = self._has_read or bool(self._on_message.listeners)
        if lane.direction.blocked:
            lane.direction.settle()

    async def _note_heard_later(self) -> None:
        self._note_heard()

    def _before_message_listener(self, _: Callable[..., object]) -> None:
        if self._reading:
            raise trio.BusyResourceError("one consumer at a time: a task is reading from this port")
        self._end.lane.heard = True
        self._start_pump()

    def _before_disconnect_listener(self, listener: Callable[..., object]) -> None:
        late = self._state is State.ENDED and self._dialect.tells_late_listeners
        if late and not any(is_same(told, listener) for told in self._told):
            self._told.append(listener)
            self._untold = (*self._untold, listener)
            self._start_pump()

    @property
    def _waits_for_reader(self) -> bool:
        """Somebody has read here, or is about to, and is to take what has arrived before the end is delivered."""
        return self._is_entering or bool(self._has_read and self._end.lane.used)

    def _start_wanted_pump(self) -> None:
        """Start the pump, if there is something for it to do."""
        wanted = self._on_message.listeners or self._drops_messages
        if self._state is State.ENDING or (self._state is State.OPEN and wanted):
            self._start_pump()

    @enable_ki_protection
    def _start_pump(self) -> None:
        if self._pump is None and self._gate == 0 and self._state is not State.CLOSED:
            pump = Pump(self)
            if self._owner.start_soon(pump.run):
                self._pump = pump

    def _pump_finished(self) -> None:
        self._pump = None
        # What came while it told the end: further listeners for that, or one for the messages that were kept. Of what
        # a scope that was left has cut short, nothing is delivered after the end.
        kept = self._state is State.ENDED and self._end.lane.used and not self._abandoned
        if self._untold or (kept and self._on_message.listeners):
            self._start_pump()

    def _drop(self, frame: bytes) -> None:
        """Let go of what nobody listens for; what is no message ends the connection all the same."""
        try:
            self._decoder.decode(frame)
        except Exception as refusal:
            try:
                self._decoder.decode_unusual(frame, refusal)
            except MalformedMessageError as error:
                if not isinstance(error, MessageShapeError):  # Of another shape or not, that would be a message.
                    self._undecodable(error)
                    return
        if self._observer is not None:
            self._observer(Dropped(self, frame))

    def _undecodable(self, error: MalformedMessageError) -> None:
        """A frame was no message: a listener's error if only its shape was wrong; otherwise the connection is over."""
        if isinstance(error, MessageShapeError):
            self._listener_failed(error)
        elif self._observer is not None:
            self._observer(Dropped(self, error.raw))
        if not isinstance(error, MessageShapeError) and not self._dialect.ignores_malformed:
            # A copy has no traceback, which would keep this port, and what has arrived here, for as long as the error.
            self._end.fail(copy.copy(error))

    # When posting or reading meets an end ---------------------------------------------------------------------------

    def _post_unusual(self, frame: bytes) -> None:
        """Send to several receivers, or beyond the bound, or raise why not; nothing, if nobody is there any more."""
        if self._state is State.CLOSED or self._state is State.ENDED:
            raise self._after_close()
        try:
            self._end.send_nowait(frame)
        except trio.BrokenResourceError:
            return
        except trio.WouldBlock:
            pump = self._pump
            if pump is None or pump.task is not trio.lowlevel.current_task():
                raise trio.WouldBlock(
                    f"{self._end.out.bound} messages wait at the other end; `await port.send(message)` waits for room"
                ) from None
            self._end.out.admit(self._end)
            self._end.put(frame)
            pump.exceeded = True

    async def _send_unusual(self, frame: bytes) -> None:
        """Send to several receivers, or once there is room, or raise why not."""
        if self._state is not State.OPEN:
            raise self._after_close()
        try:
            if self._dialect.keeps_unheard_messages or not self._end.out.has_room():
                await self._end.send(frame)
            else:
                self._end.send_nowait(frame)
                await self._come_back()
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            if self._end.closed or self._end.peer_gone:
                # A task whose own cancelled scope took the port with it is to see the cancellation, not an error.
                await trio.lowlevel.checkpoint_if_cancelled()
                raise self._after_close() from self._end.peer_error
            await trio.lowlevel.checkpoint()  # This receiver's posts are swallowed (rule 26, Chromium).

    async def _come_back(self) -> None:
        """Let others run after sending, and drop nothing meanwhile: what comes next may be to read the answer.

        In JavaScript, whoever posts and then listens does so in one turn.
        """
        self._sending += 1
        try:
            await trio.lowlevel.cancel_shielded_checkpoint()
        finally:
            self._sending -= 1
            self._start_wanted_pump()  # It runs after this task's next step.

    def _sent(self, frame: bytes) -> None:
        assert self._observer is not None, "the end calls this for an observer's sake only"
        self._observer(Posted(self, frame))

    def _after_close(self) -> Exception:
        text = self._dialect.post_after_close_text
        if self._state is State.CLOSED:
            closed_error = owner_closed_error if self._owner.closed else trio.ClosedResourceError
            return closed_error(text or "this side of the port has disconnected")
        why = self._end.peer_error
        error = trio.BrokenResourceError(text or str(why or "the other side of the port has disconnected"))
        error.__cause__ = why
        return error

    def _busy(self) -> Exception:
        other = "another task is reading" if self._reading else "on_message has listeners"
        return trio.BusyResourceError(f"one consumer at a time: {other}")

    def _end_of_messages(self) -> Exception:
        if self._error is None:
            return trio.EndOfChannel("the other side of the port has disconnected")
        broken = trio.BrokenResourceError(str(self._error))
        broken.__cause__ = self._error
        return broken

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

    # How it ends ------------------------------------------------------------------------------------------------------

    def _peer_gone(self) -> None:
        self._state = advance(self._state, Happening.PEER_GONE)
        if not self._reading and not self._waits_for_reader:
            self._start_pump()

    @enable_ki_protection
    def _deliver_end(self) -> None:
        """Let the other side's end take effect here. The on_disconnect listeners are left to the pump."""
        if self._state is not State.ENDING:
            return
        self._state = advance(self._state, Happening.DELIVERED)
        self._error = self._end.peer_error
        self._untold = self._on_disconnect.listeners
        self._told = list(self._untold)
        self._over(here=False)
        if self._end.lane.used:
            self._owner.unread.add(self)
        else:
            self._end.close()

    @enable_ki_protection
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
        while self._state is State.ENDING:
            self._abandoned = True
            self._start_pump()
            pump = self._pump
            if pump is None:  # It is held, and whoever holds it is not there any more.
                self._close(error, vanished=True)
            else:
                await pump.wait_done()  # One that a listener has failed in leaves the rest to another one.

    async def _wait_over(self) -> None:
        """Wait until this port is over. A checkpoint."""
        if self._done is None:
            self._done = trio.Event()
            if self._state is State.ENDED or self._state is State.CLOSED:
                self._done.set()
        await self._done.wait()

    # Listeners' exceptions ------------------------------------------------------------------------------------------

    def _listener_failed(self, error: BaseException) -> None:
        """Tell the observer what a listener raised, which logs it, or raise it."""
        try:
            judge_failure(error, self, self._setup)
        finally:
            del error

    def _owner_failed(self, error: BaseException) -> bool:
        """A listener's exception ends the port as a crash; say whether the port's block takes it."""
        crash = crash_error(error)
        if crash is None:
            return False
        self._close(crash, vanished=True)
        if self._block is None or self._block.left:
            return False
        self._block.fail(error)
        return True

    def _show_error(self, shown: bool) -> None:
        if self._show is not None:
            self._show(self._error if shown else None)
