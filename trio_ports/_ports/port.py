"""A port: one end of a connection, as the program sees it. Source: MDN, ``runtime.Port``; rules 10 to 32."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection, reschedule

from .._protocol.errors import MalformedMessageError, MessageShapeError, PortError
from .._protocol.lifecycle import State
from .._protocol.senders import MessageSender
from .._util import outside_trio, require_trio
from .block import enter_block, leave_block
from .core import PortCore
from .events import Event
from .observers import Delivered, Posted

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import TypeVar

    SendT = TypeVar("SendT", contravariant=True, default=Any)
    ReceiveT = TypeVar("ReceiveT", covariant=True, default=Any)
else:
    from typing import TypeVar

    SendT = TypeVar("SendT", contravariant=True)
    ReceiveT = TypeVar("ReceiveT", covariant=True)


@final
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
class Port(PortCore, trio.abc.Channel[Any], Generic[SendT, ReceiveT]):
    """One end of a named, two-way connection that ends exactly once.

    Made by ``connect``, ``on_connect``, `open_port_pair` and the other openers; not by you. Use it JavaScript's way
    (`post_message`, `on_message`, `on_disconnect`, `disconnect`) or Trio's (`send`, `receive`, ``async for``,
    ``async with``): one style of consumer at a time.

    A port belongs to the scope that it was made in: a context of a browser, or the nursery given to the opener.
    ``async with port:`` narrows that to the block. When the scope ends, however it ends, the port is disconnected.
    """

    __slots__ = ()

    # What it is -------------------------------------------------------------------------------------------------

    @property
    def on_message(self) -> Event[Callable[[ReceiveT, Port[SendT, ReceiveT]], object]]:
        """Its listeners are called with ``(message, port)`` for every message.

        A sync listener is called by a task of the owner; an async one is awaited before the next message.
        """
        return self._on_message

    @property
    def on_disconnect(self) -> Event[Callable[[Port[SendT, ReceiveT]], object]]:
        """Its listeners are called with ``(port)``, once, when the *other* side has ended the connection."""
        return self._on_disconnect

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

    def __reduce__(self) -> NoReturn:
        raise TypeError("a port is one end of a live connection: it can be neither copied nor pickled")

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

            RuntimeError: outside Trio, or in another thread.

        Source: rules 12, 16, 17 and 23.
        """
        if get_ident() != self._thread:
            raise outside_trio("port.post_message")
        encoder = self._encoder
        try:
            frame = encoder.encode_json(message)
            usual = len(frame) <= encoder.plain_bytes and 0xC4 not in encoder.mark(message)
        except Exception:
            frame, usual = None, False
        if frame is None or not usual:
            frame = encoder.encode(message, frame)
        end = self._end
        lane = end.only
        if lane is not None and lane.used < lane.bound:  # Nearly always; this is end.send_nowait(), without the calls.
            task = lane.sleeper
            if task is not None:
                lane.sleeper = None
                lane.head.append(frame)
                reschedule(task)
            elif lane.tail is None:
                batch = deque((frame,))
                end.send_only(batch)
                lane.tail = batch
            else:
                lane.tail.append(frame)
            lane.used += 1
            if self._observer is not None:
                self._observer(Posted(self, frame))
        else:
            self._post_unusual(frame)

    @enable_ki_protection
    async def send(self, message: SendT) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - it is no value
        """Send ``message``, waiting for room. A checkpoint; a cancelled call has sent nothing.

        Raises:
            NotSerializableError, MessageTooLargeError: as `post_message`.
            trio.ClosedResourceError: if this side has disconnected, before or meanwhile.
            trio.BrokenResourceError: if the other side has gone, even if that was not delivered yet; from its error.
        """
        if get_ident() != self._thread:
            raise outside_trio("port.send")
        encoder = self._encoder
        try:
            frame = encoder.encode_json(message)
            usual = len(frame) <= encoder.plain_bytes and 0xC4 not in encoder.mark(message)
        except Exception:
            frame, usual = None, False
        if frame is None or not usual:
            frame = encoder.encode(message, frame)
        # A task whose own cancelled scope took the port with it is to see the cancellation, not an error.
        await trio.lowlevel.checkpoint_if_cancelled()
        end = self._end
        lane = end.only
        if lane is not None and lane.used < lane.bound:  # Nearly always, as in post_message.
            lane.put(end.send_only, frame)
            if self._observer is not None:
                self._observer(Posted(self, frame))
            if self._dialect.keeps_unheard_messages:
                await trio.lowlevel.cancel_shielded_checkpoint()
            else:
                await self._come_back()
        else:
            await self._send_unusual(frame)

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
        if self._reading or self._on_message.listeners:
            raise self._busy()
        lane = self._end.lane
        self._has_read = lane.heard = True
        # A pump may sleep here still, which dropped what nobody listened for, or whose listeners were removed. It would
        # be handed what this task waits for; woken, it finds that nothing is left for it to do.
        lane.wake()
        while True:
            if self._state is State.ENDED and not lane.used:
                await trio.lowlevel.checkpoint()
                raise self._end_of_messages()
            self._reading = True
            try:
                frame = await lane.take()
            except (trio.EndOfChannel, trio.ClosedResourceError):
                await trio.lowlevel.checkpoint_if_cancelled()
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
                    continue
            if self._observer is not None:
                self._observer(Delivered(self, frame))
            return message

    async def __anext__(self) -> ReceiveT:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def __aiter__(self) -> Self:
        return self

    # Ending -----------------------------------------------------------------------------------------------------

    @enable_ki_protection
    def disconnect(self) -> None:
        """End the connection. The other side gets what was posted, then on_disconnect; this side gets nothing more.

        Calling it again, in on_disconnect, or after the other side has gone does nothing.
        """
        require_trio("port.disconnect", self._thread)
        self._close(None, vanished=False)

    @enable_ki_protection
    async def aclose(self) -> None:
        """Disconnect. A checkpoint; a cancelled call has disconnected all the same."""
        self.disconnect()
        await trio.lowlevel.checkpoint()

    async def wait_disconnected(self) -> None:
        """Wait until the connection is over here: the other side's end was delivered, or this side disconnected.

        A checkpoint. Never raises for the other side's end; see `error`. Where a task reads from this port, the end
        is delivered after the last message: keep reading, or disconnect.
        """
        await self._wait_over()

    @enable_ki_protection
    async def __aenter__(self) -> Self:
        """Narrow the port's scope to a block. A checkpoint; a cancelled call has disconnected the port.

        Leaving the block disconnects. Leaving it by an exception is a crash: the other side's `error` is set, without
        a word of it. A listener's exception cancels the block and leaves through it, in an ExceptionGroup; the
        block's own exception leaves as it is. Leaving waits for a listener that is running.

        Raises:
            trio.BusyResourceError: if the port has a block already.
        """
        await enter_block(self)
        return self

    @enable_ki_protection
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await leave_block(self, error)
