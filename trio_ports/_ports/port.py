"""A port: one end of a connection, as the program sees it. Source: MDN, ``runtime.Port``; rules 10 to 32.

The sending side is here; the receiving side is in `trio_ports._ports.delivery`.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection, reschedule

from .._protocol.errors import ContextInvalidatedError, PortError
from .._protocol.lifecycle import State
from .._protocol.messages import Decoder
from .._protocol.senders import MessageSender
from .._util import outside_trio, require_trio
from .block import Block
from .connection import End
from .delivery import Delivery, ShowError
from .events import Event
from .observers import Opened, Posted
from .options import Options
from .scopes import Scope

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import TypeVar

    SendT = TypeVar("SendT", contravariant=True, default=Any)
    ReceiveT = TypeVar("ReceiveT", covariant=True, default=Any)
    MessageT = TypeVar("MessageT", default=Any)
else:
    from typing import TypeVar

    SendT = TypeVar("SendT", contravariant=True)
    ReceiveT = TypeVar("ReceiveT", covariant=True)
    MessageT = TypeVar("MessageT")


@final
@attrs.frozen
class PortStatistics:
    """How full a port is, for debugging; see `Port.statistics`."""

    state: str
    """``"open"``, ``"ending"`` (the other side has gone; that is not delivered yet), ``"ended"`` or ``"closed"``."""
    messages_waiting: int
    """How many messages have arrived and not been taken yet."""
    messages_unsent: int
    """How many messages posted here the slowest receiver has not taken yet."""
    max_buffer_size: float
    """How many may wait in each direction."""
    tasks_waiting_send: int
    """How many tasks of this side wait for room."""
    bytes_waiting: int
    """How many bytes the messages have, encoded, that have arrived and not been taken yet."""
    bytes_unsent: int
    """How many bytes wait at the receiver where most do, of messages posted here."""
    max_buffer_bytes: float
    """How many bytes may wait in each direction."""


@final
class Port(trio.abc.Channel[Any], Generic[SendT, ReceiveT]):
    """One end of a named, two-way connection that ends exactly once.

    You get ports from ``connect``, ``on_connect``, `open_port_pair` and the other openers. Use JavaScript's methods
    (`post_message`, `on_message`, `on_disconnect`, `disconnect`) or Trio's (`send`, `receive`, ``async for``,
    ``async with``), but do not read and listen at the same time.

    A port belongs to the scope that it was made in: a context of a browser, or the nursery given to the opener.
    ``async with port:`` narrows this to the block. When the scope ends, for whatever reason, the port disconnects.
    """

    __slots__ = (
        "__weakref__",
        "_block",
        "_delivery",
        "_encoder",
        "_end",
        "_name",
        "_observer",
        "_options",
        "_sender",
        "_thread",
    )

    def __init__(
        self,
        end: End,
        scope: Scope,
        options: Options,
        decoder: Decoder,
        *,
        name: str = "",
        sender: MessageSender | None = None,
        held: bool = False,
        ends_block: bool = False,
        context: contextvars.Context | None = None,
        show_error: ShowError | None = None,
    ) -> None:
        # If ``held`` is true, the port delivers nothing until its delivery is released. ``ends_block`` (rule 43) is
        # true of every port that somebody else has opened, and so of one with a sender.
        self._end = end
        self._options = options
        self._encoder = options.encoder
        self._observer = options.observer
        self._name = name
        self._sender = sender
        self._thread = get_ident()
        self._block: Block | None = None
        self._delivery = Delivery(self, end, scope, options, decoder, context=context, show_error=show_error)
        self._delivery.ends_block = ends_block or sender is not None
        if self._observer is not None:
            self._observer(Opened(self, end.number))
            end.on_sent = self._sent
        if not held:
            self._delivery.release()

    # What it is -------------------------------------------------------------------------------------------------

    @property
    def on_message(self) -> Event[Callable[[ReceiveT, Port[SendT, ReceiveT]], object]]:
        """The event whose listeners are called with ``(message, port)`` for every message.

        A task of the owner calls them, and awaits an async one before the next message.
        """
        return self._delivery.on_message

    @property
    def on_disconnect(self) -> Event[Callable[[Port[SendT, ReceiveT]], object]]:
        """The event whose listeners are called with ``(port)``, once, when the *other* side has disconnected."""
        return self._delivery.on_disconnect

    @property
    def name(self) -> str:
        """The name that the opener gave, the same at both ends."""
        return self._name

    @property
    def sender(self) -> MessageSender | None:
        """Who opened the connection, on a receiving end; None on the opener's end."""
        return self._sender

    @property
    def error(self) -> PortError | None:
        """Why the other side ended the connection; None until then, and after an orderly end.

        In the dialect ``chrome`` it is always None; ``runtime.last_error`` has it while on_disconnect listeners run.
        """
        return self._delivery.error if self._options.dialect.keeps_error else None

    def statistics(self) -> PortStatistics:
        """Return how full this port is. For debugging."""
        end = self._end
        return PortStatistics(
            state=end.state.value,
            messages_waiting=end.lane.used,
            messages_unsent=end.unsent,
            max_buffer_size=end.out.bound,
            tasks_waiting_send=end.tasks_waiting,
            bytes_waiting=end.lane.used_bytes,
            bytes_unsent=end.unsent_bytes,
            max_buffer_bytes=end.out.max_bytes,
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("a port is one end of a live connection: it can be neither copied nor pickled")

    def __repr__(self) -> str:
        error = self._delivery.error
        reason = "" if error is None else f", {error.cause.value}"
        return f"<Port {self._name!r} ({self._end.side}, {self._end.state.value}{reason}) at {id(self):#x}>"

    # Sending ----------------------------------------------------------------------------------------------------

    @enable_ki_protection
    def post_message(self, message: SendT) -> None:
        """Encode ``message`` now, and send it after the messages posted before. Never waits.

        Between the other side's disconnect and its delivery here, this does nothing. A listener of this port may post
        beyond the bound; the next message is then dispatched once the queue is within the bound again.

        Raises:
            NotSerializableError: ``message`` is not JSON; nothing was sent.
            MessageTooLargeError: ``message`` is larger than this connection carries; nothing was sent.
            trio.WouldBlock: there is no room; nothing was sent. Use `send` to wait.
            trio.ClosedResourceError: this side has disconnected.
            trio.BrokenResourceError: the other side has, and that was delivered; raised from `error`.
            RuntimeError: outside Trio, or in another thread.

        Source: rules 12, 16, 17 and 23.
        """
        if get_ident() != self._thread:
            raise outside_trio("port.post_message")
        encoder = self._encoder
        try:
            frame = encoder.encode_json(message)
            size = len(frame)
            usual = size <= encoder.plain_bytes and 0xC4 not in encoder.mark(message)
        except Exception:
            frame, size, usual = None, 0, False
        if frame is None or not usual:
            frame = encoder.encode(message, frame)
            size = len(frame)
        lane = self._end.only
        if lane is not None and lane.used < lane.bound and size <= lane.room:
            # Nearly always; this is end.send_nowait(), without the calls.
            task = lane.sleeper
            if task is not None:
                lane.sleeper = None
                lane.head.append(frame)
                reschedule(task)
            elif lane.tail is None:
                batch = deque((frame,))
                lane.source.send_nowait(batch)
                lane.tail = batch
            else:
                lane.tail.append(frame)
            lane.used += 1
            lane.room -= size
            if self._observer is not None:
                self._observer(Posted(self, frame))
        else:
            self._post_unusual(frame)

    @enable_ki_protection
    async def send(self, message: SendT) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - it is no value
        """Send ``message``, waiting for room. A checkpoint; a cancelled call has sent nothing.

        Raises:
            NotSerializableError, MessageTooLargeError: as `post_message`.
            trio.ClosedResourceError: this side has disconnected, before or meanwhile.
            trio.BrokenResourceError: the other side has gone, even if that is not delivered yet; raised from its error.
        """
        if get_ident() != self._thread:
            raise outside_trio("port.send")
        encoder = self._encoder
        try:
            frame = encoder.encode_json(message)
            size = len(frame)
            usual = size <= encoder.plain_bytes and 0xC4 not in encoder.mark(message)
        except Exception:
            frame, size, usual = None, 0, False
        if frame is None or not usual:
            frame = encoder.encode(message, frame)
            size = len(frame)
        # A task whose own cancelled scope took the port with it is to see the cancellation, not an error.
        await trio.lowlevel.checkpoint_if_cancelled()
        lane = self._end.only
        if lane is not None and lane.used < lane.bound and size <= lane.room:  # Nearly always, as in post_message.
            lane.put(frame)
            if self._observer is not None:
                self._observer(Posted(self, frame))
            if self._options.dialect.keeps_unheard_messages:
                await trio.lowlevel.cancel_shielded_checkpoint()
            else:
                await self._delivery.come_back()
        else:
            await self._send_unusual(frame)

    def _post_unusual(self, frame: bytes) -> None:
        """Send to several receivers, or beyond the bound, or raise. Do nothing if nobody is there any more."""
        end = self._end
        if end.state is State.CLOSED or end.state is State.ENDED:
            raise self._delivery.after_close()
        try:
            end.send_nowait(frame)
        except trio.BrokenResourceError:
            return
        except trio.WouldBlock:
            if not self._delivery.may_exceed():
                raise trio.WouldBlock(
                    f"{end.unsent} messages wait at the other end, of {end.unsent_bytes} bytes; "
                    "`await port.send(message)` waits for room"
                ) from None
            end.put_before_waiting(frame)

    async def _send_unusual(self, frame: bytes) -> None:
        """Send to several receivers, or wait for room, or raise."""
        end = self._end
        if end.state is not State.OPEN:
            raise self._delivery.after_close()
        try:
            if self._options.dialect.keeps_unheard_messages or not end.out.has_room(frame):
                await end.send(frame)
            else:
                end.send_nowait(frame)
                await self._delivery.come_back()
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            if end.closed or end.peer_gone:
                # A task whose own cancelled scope took the port with it is to see the cancellation, not an error.
                await trio.lowlevel.checkpoint_if_cancelled()
                raise self._delivery.after_close() from end.peer_error
            await trio.lowlevel.checkpoint()  # This receiver's posts are swallowed (rule 26, Chromium).

    def _sent(self, frame: bytes) -> None:
        assert self._observer is not None, "the end calls this only if there is an observer"
        self._observer(Posted(self, frame))

    # Receiving --------------------------------------------------------------------------------------------------

    @enable_ki_protection
    async def receive(self) -> ReceiveT:
        """Return the next message. A checkpoint; a cancelled call has taken nothing.

        Raises:
            trio.EndOfChannel: the other side has ended the connection in good order, and its last message was taken.
            trio.BrokenResourceError: the same, but it ended with an error; raised from `error`.
            trio.ClosedResourceError: this side has disconnected, before or meanwhile.
            trio.BusyResourceError: another task is reading, or on_message has listeners.
            MessageShapeError: the message is not of the ``message_type`` asked for; the port goes on.
            RuntimeError: in another thread, even if Trio runs there.
        """
        if get_ident() != self._thread:
            raise outside_trio("port.receive")
        message: ReceiveT = await self._delivery.receive()
        return message

    @enable_ki_protection
    def receive_nowait(self) -> ReceiveT:
        """Return the next message, if one has arrived. Never waits, and counts as a reader, as `receive` does.

        Raises:
            trio.WouldBlock: no message has arrived.
            trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError,
            MessageShapeError, RuntimeError: as `receive`.
        """
        require_trio("port.receive_nowait", self._thread)
        message: ReceiveT = self._delivery.receive_nowait()
        return message

    @enable_ki_protection
    async def __anext__(self) -> ReceiveT:
        if get_ident() != self._thread:
            raise outside_trio("async for message in port")
        try:
            message: ReceiveT = await self._delivery.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
        return message

    def __aiter__(self) -> Self:
        return self

    # Ending -----------------------------------------------------------------------------------------------------

    @enable_ki_protection
    def disconnect(self) -> None:
        """End the connection. The other side gets the posted messages and then on_disconnect; this side gets nothing.

        A second call, a call in on_disconnect, or one after the other side has gone does nothing.

        Raises:
            ContextInvalidatedError: in an orphaned content script, in ``chrome``.
            RuntimeError: outside Trio, or in another thread.
        """
        if get_ident() != self._thread or not trio.lowlevel.in_trio_run():
            raise outside_trio("port.disconnect")
        if self._delivery.scope.invalidated:
            raise ContextInvalidatedError
        self._delivery.close()

    @enable_ki_protection
    async def aclose(self) -> None:
        """Disconnect. A checkpoint; a cancelled call has disconnected all the same."""
        self.disconnect()
        await trio.lowlevel.checkpoint()

    async def wait_disconnected(self) -> None:
        """Wait until the connection is over here: the other side's end was delivered, or this side disconnected.

        A checkpoint. Never raises because of the other side's end; see `error`. If a task reads from this port, the
        end is delivered after the last message: keep reading, or disconnect.

        Raises:
            RuntimeError: in another thread, even if Trio runs there.
        """
        if get_ident() != self._thread:
            raise outside_trio("port.wait_disconnected")
        await self._delivery.wait_over()

    @enable_ki_protection
    async def __aenter__(self) -> Self:
        """Narrow the port's scope to a block. A checkpoint; a cancelled call has disconnected the port.

        Leaving the block disconnects. Leaving it by an exception is a crash: the other side gets an `error`, but not
        the exception's text. A listener's exception cancels the block and leaves through it, in an ExceptionGroup;
        the block's own exception leaves as it is. Leaving waits for a listener that is running.

        Raises:
            trio.BusyResourceError: the port has a block already.
            RuntimeError: in another thread, even if Trio runs there.
        """
        if get_ident() != self._thread:
            raise outside_trio("async with port")
        if self._block is not None:
            raise trio.BusyResourceError("this port has a block already, or has had one")
        self._block = Block(self._delivery)
        await self._block.enter()
        return self

    @enable_ki_protection
    async def __aexit__(  # type: ignore[override]  # trio's returns None
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        assert self._block is not None
        return await self._block.leave(error)
