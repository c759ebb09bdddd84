"""The relay: a small program that a browser starts, and that passes bytes between it and a running application.

A relay lives as long as one connection. It decodes nothing, and holds no more than the
piece that it has just read: if one side stops reading, the relay stops reading from the
other.
"""

from __future__ import annotations

import contextlib
import select
import signal
import sys
from collections.abc import AsyncIterator, Generator, Sequence
from typing import Final, final

import trio

from ..._transports.stdio import DescriptorSink, DescriptorSource, prepared, sealed_descriptors, way_of
from ..arguments import Folder
from .addresses import addresses, is_own_peer, is_private, require_sockets
from .greetings import GoodbyeStream, encode_handshake

LOST: Final = 1
"""The exit status if the application failed, or was lost without a goodbye."""
UNAVAILABLE: Final = 69
"""The exit status if nobody listens; EX_UNAVAILABLE of <sysexits.h>."""
LEAVE_SECONDS: Final = 1.7
"""How long the application may still talk once the browser has gone; Chromium kills the relay after two seconds."""
_GOODBYE_SECONDS: Final = 0.05

LOST_TEXT: Final = "{name} was lost: it failed in the middle of the conversation, or was ended."
UNAVAILABLE_TEXT: Final = "{name} is not running, or does not listen for browsers: start it, then connect again."


async def relay(application: str, arguments: Sequence[str], *, folder: Folder | None = None) -> int:
    """Connect the browser that started this program to an application, until one of the two has gone.

    From here on standard input and output belong to the browser. What goes wrong is a
    line on standard error. Returns the exit status: 0, or `LOST`, or `UNAVAILABLE`, or
    128 plus the number of the signal that ended it.

    Args:
        application: its name.
        arguments: the browser's, which tell the application who connects.
        folder: where the socket is, if not in the user's own place for sockets.

    Raises:
        OSError: standard input or output is closed.
        ValueError: the folder's path is too long.
        NotImplementedError: on Windows.
    """
    require_sockets()
    with sealed_descriptors() as (incoming, outgoing):
        return await relay_descriptors(incoming, outgoing, application, arguments, folder=folder)


async def relay_descriptors(
    incoming: int, outgoing: int, application: str, arguments: Sequence[str], *, folder: Folder | None
) -> int:
    """Do what `relay` does, between two descriptors. Their flags are restored at the end."""
    stream = await connect(application, folder)
    if stream is None:
        _say(UNAVAILABLE_TEXT.format(name=application))
        return UNAVAILABLE
    read_way, write_way = way_of(incoming), way_of(outgoing)
    # The two descriptors may share their flags, so they are restored in reverse order.
    with prepared(incoming, read_way), prepared(outgoing, write_way), _watched(incoming, outgoing) as watch:
        source, sink = DescriptorSource(incoming, read_way), DescriptorSink(outgoing, write_way)
        return await _talk(Conversation(stream, source, sink), application, arguments, watch)


async def _talk(conversation: Conversation, application: str, arguments: Sequence[str], watch: int | None) -> int:
    status = 0

    async def leave_at_signal(signals: AsyncIterator[int]) -> None:
        nonlocal status
        async for number in signals:
            status = 128 + number
            conversation.stop()

    async def leave_with_browser() -> None:
        if watch is not None:
            await trio.lowlevel.wait_readable(watch)
            conversation.leave()

    # What its parent told it to ignore stays ignored.
    stopping = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    wanted = [number for number in stopping if signal.getsignal(number) is not signal.SIG_IGN]
    with trio.open_signal_receiver(*wanted) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave_at_signal, signals)
            nursery.start_soon(leave_with_browser)
            in_order = await conversation.run(encode_handshake(arguments))
            nursery.cancel_scope.cancel()
    if in_order:
        return status
    _say(LOST_TEXT.format(name=application))
    return LOST


@final
class Conversation:
    """Carries bytes between a browser and an application until one of them has gone.

    It owns ``stream``, the socket to the application. The browser writes to ``source``
    and reads from ``sink``.
    """

    def __init__(self, stream: trio.SocketStream, source: DescriptorSource, sink: DescriptorSink) -> None:
        self._stream = stream
        self._application = GoodbyeStream(stream)
        self._source = source
        self._sink = sink
        self._scope = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._leaving = False
        self._readable = True

    async def run(self, handshake: bytes) -> bool:
        """Carry, and return whether it ended in good order: the browser left, or the application said goodbye."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._carry_there, handshake)
                    await self._carry_back()
                    nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                if self._leaving:  # A goodbye may still be possible.
                    with trio.move_on_after(_GOODBYE_SECONDS), contextlib.suppress(trio.BrokenResourceError):
                        await self._application.say_goodbye()
                await trio.aclose_forcefully(self._stream)
        return self._leaving or self._application.received_goodbye

    def leave(self) -> None:
        """Note that the browser is leaving. What is under way has a moment to arrive."""
        self._leaving = True
        self._scope.deadline = min(self._scope.deadline, trio.current_time() + LEAVE_SECONDS)

    def stop(self) -> None:
        """Leave, whatever the browser still sends."""
        self.leave()
        self._reading.cancel()

    async def _carry_there(self, handshake: bytes) -> None:
        with contextlib.suppress(trio.BrokenResourceError):  # The task that carries back notices it too.
            await self._stream.send_all(handshake)
            while data := await self._read():
                await self._application.send_all(data)
            self.leave()
            await self._application.say_goodbye()
            await self._stream.send_eof()

    async def _read(self) -> bytes:
        """Return what the browser sends next; ``b""`` at its end of file, or once `stop` was called."""
        if not self._reading.cancel_called:
            with trio.CancelScope() as self._reading:
                return await self._source.receive_some()
        return b""

    async def _carry_back(self) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            while data := await self._application.receive_some():
                await self._write(data)

    async def _write(self, data: bytes) -> None:
        """Write to the browser, or nowhere once it has stopped reading, which is how Chromium leaves."""
        if self._readable:
            try:
                await self._sink.send_all(data)
            except trio.BrokenResourceError:
                self._readable = False
                self.leave()


async def connect(application: str, folder: Folder | None) -> trio.SocketStream | None:
    """Connect to an application; None if it does not listen in any of its places. A checkpoint."""
    for path in addresses(application, folder):
        if is_private(path.parent):
            try:
                stream = await trio.open_unix_socket(path)
            except OSError:
                continue  # There is no socket, or one that a killed program has left behind.
            if is_own_peer(stream.socket):
                return stream
            await trio.aclose_forcefully(stream)
    await trio.lowlevel.checkpoint()
    return None


@contextlib.contextmanager
def _watched(incoming: int, outgoing: int) -> Generator[int | None]:
    """Yield a descriptor that becomes readable when the browser closes one of its ends; None where the system has none.

    Without it the end of file is seen only once everything before it has been read, and
    that may be never.
    """
    if sys.platform != "linux":
        yield None
        return
    with select.epoll() as watch:
        for descriptor, events in ((incoming, select.EPOLLRDHUP), (outgoing, 0)):
            with contextlib.suppress(OSError):  # A regular file, which nobody closes at the other end.
                watch.register(descriptor, events)
        yield watch.fileno()


def _say(text: str) -> None:
    """Write a line to standard error, if there is one."""
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(f"trio-ports relay: {text}\n")
        sys.stderr.flush()
