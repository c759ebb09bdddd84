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

from ..._protocol.dialects import TRIO
from ..._transports.stdio import DescriptorSink, DescriptorSource, prepared, sealed_descriptors, way_of
from ..._util import check_type, require_trio
from ..arguments import Folder, check_application_name, check_folder
from .addresses import addresses, is_own_peer, is_private, refusals, require_sockets
from .greetings import GoodbyeStream, encode_handshake

LOST: Final = 1
"""The exit status if the application failed, or was lost without a goodbye."""
UNAVAILABLE: Final = 69
"""The exit status if nobody listens; EX_UNAVAILABLE of <sysexits.h>."""
LEAVE_SECONDS: Final = 1.7
"""How long the application may still talk once the browser has gone; Chromium kills the relay after two seconds."""
_GOODBYE_SECONDS: Final = 0.05
_BUSY_SECONDS: Final = 5.0
"""How long to try while so many relays wait for the application that the system refuses another."""
_TRY_SECONDS: Final = 0.1

LOST_TEXT: Final = "{name} was lost: it failed in the middle of the conversation, or was ended."
UNAVAILABLE_TEXT: Final = "{name} is not running, or does not listen for browsers: start it, then connect again."
BUSY_TEXT: Final = "{name} does not answer: too many browsers wait for it already. Connect again later."


async def relay(
    application: str,
    *,
    arguments: Sequence[str] | None = None,
    folder: Folder | None = None,
    wait_seconds: float = 0,
) -> int:
    """Connect the browser that started this program to an application, until one of the two has gone.

    This is the command ``trio-ports relay`` as a function, for programs that bring their
    own Python, where no command can be started::

        if "--relay" in sys.argv:
            sys.exit(trio.run(relay, "com.example.app"))

    From here on standard input and output belong to the browser. What goes wrong is a
    line on standard error. Returns the exit status: 0 after an end in good order, 1 if
    the application was lost, 69 if nobody listens, or 128 plus the number of the signal
    that ended the relay.

    Args:
        application: its name.
        arguments: the browser's, which tell the application who connects; those of this
            program unless given.
        folder: where the socket is, if not in the user's own place for sockets.
        wait_seconds: how long to wait for an application that does not listen yet.

    Raises:
        ApplicationNameError: no application can have that name.
        OSError: standard input or output is closed.
        ValueError: the folder's path is too long, or ``wait_seconds`` is negative.
        TypeError: an argument is not as above.
        NotImplementedError: on Windows, where Trio has no Unix sockets.
        RuntimeError: outside Trio, or a port or another relay of this process has, or
            had, standard input and output.
    """
    require_trio("relay")
    require_sockets()
    check_application_name(application, TRIO)
    check_folder("folder", folder)
    check_type("wait_seconds", wait_seconds, (int, float))
    if not wait_seconds >= 0:
        raise ValueError(f"wait_seconds must not be negative, but is {wait_seconds}")
    given = sys.argv[1:] if arguments is None else arguments
    with sealed_descriptors() as (incoming, outgoing):
        return await relay_descriptors(incoming, outgoing, application, given, folder=folder, wait_seconds=wait_seconds)


async def relay_descriptors(
    incoming: int,
    outgoing: int,
    application: str,
    arguments: Sequence[str],
    *,
    folder: Folder | None,
    wait_seconds: float = 0,
) -> int:
    """Do what `relay` does, between two descriptors. Their flags are restored at the end."""
    read_way, write_way = way_of(incoming), way_of(outgoing)
    # The two descriptors may share their flags, so they are restored in reverse order.
    with prepared(incoming, read_way), prepared(outgoing, write_way), _watched(incoming, outgoing) as watch:
        try:
            stream = await connect(application, folder, wait_seconds=wait_seconds, watch=watch)
        except BlockingIOError:
            _say(BUSY_TEXT.format(name=application))
            return UNAVAILABLE
        if stream is None:
            for text in (UNAVAILABLE_TEXT.format(name=application), *refusals(application, folder)):
                _say(text)
            return UNAVAILABLE
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


async def connect(
    application: str, folder: Folder | None, *, wait_seconds: float = 0, watch: int | None = None
) -> trio.SocketStream | None:
    """Connect to an application; None if it does not listen in any of its places. A checkpoint.

    ``watch`` becomes readable when the browser has gone, for which nobody waits then.
    Raises BlockingIOError if the application accepts nobody for `_BUSY_SECONDS`.
    """
    now = trio.current_time()
    start_deadline, busy_deadline = now + wait_seconds, now + max(wait_seconds, _BUSY_SECONDS)
    while True:
        busy = False
        for path in addresses(application, folder):
            if is_private(path.parent):
                try:
                    stream = await trio.open_unix_socket(path)
                except OSError:
                    continue  # There is no socket, or one that a killed program has left behind.
                if _is_connected(stream):
                    if is_own_peer(stream.socket):
                        return stream
                else:
                    busy = True
                await trio.aclose_forcefully(stream)
        if trio.current_time() >= (busy_deadline if busy else start_deadline):
            break
        with trio.move_on_after(_TRY_SECONDS):
            if watch is None:
                await trio.sleep_forever()
            await trio.lowlevel.wait_readable(watch)
            break
    await trio.lowlevel.checkpoint()
    if busy:
        raise BlockingIOError
    return None


def _is_connected(stream: trio.SocketStream) -> bool:
    """Return False if too many others wait: Trio takes the system's refusal for a connection that is being made."""
    try:
        stream.socket.getpeername()
    except OSError:
        return False
    return True


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
