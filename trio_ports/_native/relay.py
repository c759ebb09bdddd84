"""The relay: a small program that a browser starts, and that passes its bytes to an application that runs already.

It lives as long as one connection. Nothing is decoded, and nothing waits in it but what it has just read: if one side
does not take what the other one sends, the other one is not read.
"""

from __future__ import annotations

import contextlib
import select
import signal
import sys
from collections.abc import AsyncIterator, Generator, Sequence
from typing import Final, final

import trio

from .._transports.stdio import DescriptorSink, DescriptorSource, prepared, sealed_descriptors, way_of
from .addresses import addresses, is_own_peer, is_private, require_sockets
from .farewells import FarewellStream
from .finding import Folder
from .hellos import encode_hello

LOST: Final = 1
"""The exit status if the application was lost, or failed."""
UNAVAILABLE: Final = 69
"""The exit status if nobody listens; EX_UNAVAILABLE of <sysexits.h>."""
LEAVE_SECONDS: Final = 1.7
"""How long the application may still talk once the browser has gone: Chromium kills two seconds after that."""
_FAREWELL_SECONDS: Final = 0.05

LOST_TEXT: Final = "{name} was lost: it failed in the middle of the conversation, or was ended."
UNAVAILABLE_TEXT: Final = "{name} is not running, or does not listen for browsers: start it, then connect again."


async def relay(application: str, arguments: Sequence[str], *, folder: Folder | None = None) -> int:
    """Connect the browser that started this program to an application, until either has gone.

    From here on standard input and output belong to the browser, and what went wrong is a line on standard error.

    Args:
        application: its name.
        arguments: what the browser gave this program, for the application to know who connects.
        folder: where the application's socket is, if not in the user's place for such.

    Returns:
        The exit status: 0, or `LOST`, or `UNAVAILABLE`, or 128 and the number of the signal that ended it.

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
    """Do what `relay` does, between two descriptors, whose flags are restored at the end."""
    stream = await connect(application, folder)
    if stream is None:
        _say(UNAVAILABLE_TEXT.format(name=application))
        return UNAVAILABLE
    read_way, write_way = way_of(incoming), way_of(outgoing)
    # The two may share their flags, so the last that is prepared is the first to be restored.
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

    with trio.open_signal_receiver(*_wanted_signals()) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave_at_signal, signals)
            nursery.start_soon(leave_with_browser)
            in_order = await conversation.run(encode_hello(arguments))
            nursery.cancel_scope.cancel()
    if in_order:
        return status
    _say(LOST_TEXT.format(name=application))
    return LOST


@final
class Conversation:
    """Carries bytes between a browser and an application until one of them has gone. It owns ``stream``."""

    def __init__(self, stream: trio.SocketStream, source: DescriptorSource, sink: DescriptorSink) -> None:
        self._stream = stream
        self._application = FarewellStream(stream)
        self._source = source
        self._sink = sink
        self._scope = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._leaving = False
        self._readable = True

    async def run(self, hello: bytes) -> bool:
        """Carry, and say whether it ended in good order: the browser left, or the application said farewell."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._carry_there, hello)
                    await self._carry_back()
                    nursery.cancel_scope.cancel()
        finally:
            await self._part()
        return self._leaving or self._application.heard_farewell

    def leave(self) -> None:
        """Note that the browser is leaving: what is under way may arrive, for a moment."""
        self._leaving = True
        self._scope.deadline = min(self._scope.deadline, trio.current_time() + LEAVE_SECONDS)

    def stop(self) -> None:
        """Leave, whatever the browser still says."""
        self.leave()
        self._reading.cancel()

    async def _carry_there(self, hello: bytes) -> None:
        with contextlib.suppress(trio.BrokenResourceError):  # Whoever carries back hears of it too.
            await self._stream.send_all(hello)
            while data := await self._read():
                await self._application.send_all(data)
            self.leave()
            await self._application.say_farewell()
            await self._application.send_eof()

    async def _read(self) -> bytes:
        """Return what the browser says next, ``b""`` once it says nothing more or is not listened to any more."""
        if not self._reading.cancel_called:
            with trio.CancelScope() as self._reading:
                return await self._source.receive_some()
        return b""

    async def _carry_back(self) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            while data := await self._application.receive_some():
                await self._write(data)

    async def _write(self, data: bytes) -> None:
        """Write to the browser, or nowhere once it does not read any more: that is how Chromium leaves."""
        if self._readable:
            try:
                await self._sink.send_all(data)
            except trio.BrokenResourceError:
                self._readable = False
                self.leave()

    async def _part(self) -> None:
        """Say farewell if that can still be said, and close."""
        with trio.CancelScope(shield=True):
            if self._leaving:
                with trio.move_on_after(_FAREWELL_SECONDS), contextlib.suppress(trio.BrokenResourceError):
                    await self._application.say_farewell()
            await trio.aclose_forcefully(self._stream)


async def connect(application: str, folder: Folder | None) -> trio.SocketStream | None:
    """Connect to an application that listens in one of its places; None if there is none. A checkpoint.

    Raises:
        ValueError: the folder's path is too long.
    """
    for path in addresses(application, folder):
        if is_private(path.parent):
            try:
                stream = await trio.open_unix_socket(path)
            except OSError:
                continue  # Nobody, or somebody who was killed and has left a socket behind.
            if is_own_peer(stream.socket):
                return stream
            await trio.aclose_forcefully(stream)
    await trio.lowlevel.checkpoint()
    return None


@contextlib.contextmanager
def _watched(incoming: int, outgoing: int) -> Generator[int | None]:
    """Yield a descriptor that is readable once the browser has closed one of its ends; None where there is no such.

    Its end of file is otherwise seen only once everything before it was read, and that may be never.
    """
    if sys.platform != "linux":
        yield None
        return
    with select.epoll() as watch:
        for descriptor, events in ((incoming, select.EPOLLRDHUP), (outgoing, 0)):
            with contextlib.suppress(OSError):  # A file: it is never closed by anybody else.
                watch.register(descriptor, events)
        yield watch.fileno()


def _wanted_signals() -> list[signal.Signals]:
    """Return the signals that ask a program to stop, without those that its parent made it ignore."""
    wanted = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    return [number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN]


def _say(text: str) -> None:
    """Write a line to standard error, if there is one."""
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(f"trio-ports relay: {text}\n")
        sys.stderr.flush()
