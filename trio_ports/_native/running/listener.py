"""The listener of an application that runs already: browsers reach it through relays, and each of them is a port.

The far end of each port is a task that carries frames between that end and a relay's
socket.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from ..._ports.body import Body
from ..._ports.connection import End, open_connection
from ..._ports.events import check_callable
from ..._ports.failures import ListenerErrors, crash_error
from ..._ports.handlers import Handler, run_handler
from ..._ports.observers import Observer
from ..._ports.options import Options, make_options
from ..._ports.port import MessageT, Port, ReceiveT
from ..._ports.scopes import Scope
from ..._protocol.dialects import TRIO
from ..._protocol.frames import FROM_APPLICATION_BYTES, TO_APPLICATION_BYTES, FrameDecoder
from ..._protocol.messages import Decoder
from ..._transports.carrier import Carrier, Finish, wire_error
from ..._transports.forks import kept_from_children
from ..._transports.streams import take_leave
from ..._util import check_limit, require_trio
from ..arguments import Folder, check_application_name, check_folder
from ..started.port import GRACE_SECONDS, for_application, read_arguments
from .addresses import is_own_peer, require_sockets
from .greetings import GoodbyeStream, receive_handshake
from .lock import Place, held_places

if TYPE_CHECKING:
    from typing_extensions import TypeForm

_NO_ROOM: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_ROOM_SECONDS: Final = 0.5
"""How long to wait for room for another connection, before the next try."""
_LOG_SECONDS: Final = 60.0
"""How often the log may say so."""
_RENEW_SECONDS: Final = 60.0
"""How often to see whether the files by which relays find the application are still there."""


@final
@attrs.define(eq=False, repr=False)
class NativeListener(trio.abc.Listener[Port[Any, ReceiveT]]):
    """Where browsers reach a native application that runs already. Made by `open_native_listener`.

    Every connection of every browser is a port of its own, with a `sender` of its own.
    Take the ports with `serve`, or one by one with `accept` and ``async for port in
    listener``. They belong to the block of `open_native_listener`; inside ``async with
    port:`` a port belongs to that block instead. ``trio.serve_listeners`` takes this
    listener too: let its handler, or a task that you start for an accepted port, begin
    with ``async with port:``, or a browser that leaves early ends the whole server.
    """

    _application: str
    _address: Path
    _scope: Scope
    _options: Options
    _decoder: Decoder
    _max_incoming_bytes: float
    """The largest message from a browser."""
    _holding: contextlib.ExitStack
    """What holds the name and the socket; closing it gives both up."""
    _arrived: trio.MemorySendChannel[tuple[End, list[str]]] = attrs.field(init=False)
    _waiting: trio.MemoryReceiveChannel[tuple[End, list[str]]] = attrs.field(init=False)
    _listening: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _welcoming: set[trio.CancelScope] = attrs.field(factory=set[trio.CancelScope], init=False)

    def __attrs_post_init__(self) -> None:
        self._arrived, self._waiting = trio.open_memory_channel[tuple[End, list[str]]](0)

    @property
    def address(self) -> Path:
        """The path of the socket where the relays look first for this application."""
        return self._address

    @enable_ki_protection
    async def accept(self) -> Port[Any, ReceiveT]:
        """Wait for a connection and return its port. A checkpoint; a cancelled call has taken no connection.

        No message is lost: messages wait at the port until it has a listener or a
        reader. The port may have ended already, if the browser left at once.

        Raises:
            trio.ClosedResourceError: the listener is closed, before the call or during
            it.
        """
        near, arguments = await self._waiting.receive()
        if self._scope.closed:
            near.close()
            raise trio.ClosedResourceError("this listener is closed")
        _, sender = read_arguments(arguments)
        return Port(near, self._scope, self._options, self._decoder, name=self._application, sender=sender)

    async def serve(
        self, handler: Handler[ReceiveT], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run ``handler(port)`` for every connection, each in a task and inside ``async with port:``.

        Runs until the listener is closed, and then waits for the handlers that are still
        at work. A handler that its own port's end interrupts has ended, and concerns
        nobody else (rule 43). To end one conversation, call ``port.disconnect()`` and
        return. What a handler raises otherwise is a crash of its port and leaves through
        here, which cancels the other handlers.

        Args:
            handler: an async function.
            task_status: for ``await nursery.start(listener.serve, handler)``.

        Raises:
            trio.ClosedResourceError: the listener is closed already.
            TypeError: ``handler`` is not an async function of a port.
        """
        check_callable("handler", handler, ("port",), kind="an async function")
        if self._listening.cancel_called:
            raise trio.ClosedResourceError("this listener is closed")
        async with trio.open_nursery() as nursery:
            task_status.started()
            with contextlib.suppress(trio.ClosedResourceError):
                async for port in self:
                    nursery.start_soon(_handle, handler, port)

    async def aclose(self) -> None:
        """Stop listening, and give up the name and the socket. A checkpoint; a cancelled call has done so all the same.

        Ports that were accepted live on until the end of the block. Connections that
        were not are refused.
        """
        self._close()
        await trio.lowlevel.checkpoint()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Port[Any, ReceiveT]:
        return await self.accept()

    def __repr__(self) -> str:
        state = "closed" if self._listening.cancel_called else f"{len(self._scope.members)} ports"
        return f"<NativeListener {self._application!r} ({state}) at {id(self):#x}>"

    @enable_ki_protection
    async def _listen(self, places: list[Place]) -> None:
        """Welcome relays until the listener is closed, and look after the files of the places. Owns their sockets."""
        with self._listening:
            async with trio.open_nursery() as nursery:
                for place in places:
                    nursery.start_soon(self._accept, place.socket)
                while True:
                    await trio.sleep(_RENEW_SECONDS)
                    for place in places:
                        if place.renew():
                            nursery.start_soon(self._accept, place.socket)

    @enable_ki_protection
    async def _accept(self, listening: socket.socket) -> None:
        """Welcome relays at one socket, which it owns."""
        await trio.serve_listeners(self._serve, [_Sockets(listening)], handler_nursery=self._scope.nursery)

    def _close(self) -> None:
        self._holding.close()
        self._listening.cancel()
        self._waiting.close()
        for scope in self._welcoming:
            scope.cancel()

    @enable_ki_protection
    async def _serve(self, stream: trio.SocketStream) -> None:
        """Welcome a relay, wait until its connection is accepted, and carry its frames."""
        far = None
        with kept_from_children(stream.socket):
            with trio.CancelScope() as welcome, contextlib.suppress(trio.BrokenResourceError):
                self._welcoming.add(welcome)
                try:
                    far = await self._welcome(stream)
                finally:
                    self._welcoming.remove(welcome)
            if far is not None:
                await _carry(far, stream, FrameDecoder(max_frame_bytes=self._max_incoming_bytes))

    async def _welcome(self, stream: trio.SocketStream) -> End | None:
        """Return the far end of a connection once it is accepted; None if this is not a relay of the same user."""
        if self._listening.cancel_called or not is_own_peer(stream.socket):
            return None
        arguments = await receive_handshake(stream)
        if arguments is None:
            return None
        near, (far,) = open_connection(
            max_buffer_size=self._options.max_buffer_size, max_buffer_bytes=self._options.max_buffer_bytes
        )
        await self._arrived.send((near, arguments))
        return far


async def _handle(handler: Handler[ReceiveT], port: Port[Any, ReceiveT]) -> None:
    async with port:
        await run_handler(handler, port)


@contextlib.asynccontextmanager
async def open_native_listener(
    application: str,
    *,
    folder: Folder | None = None,
    max_buffer_size: float | None = None,
    max_buffer_bytes: float | None = None,
    max_message_bytes: float = FROM_APPLICATION_BYTES,
    max_incoming_bytes: float = TO_APPLICATION_BYTES["chromium"],
    listener_errors: ListenerErrors | None = None,
    observer: Observer | None = None,
    message_type: TypeForm[MessageT] = Any,
) -> AsyncGenerator[NativeListener[MessageT]]:
    """Let browsers reach this program, which runs already, as a native application, for a block.

    ::

        async with open_native_listener("com.example.app") as listener:
            await listener.serve(talk)

    The application's manifest names a relay, ``trio-ports relay com.example.app``,
    which a browser starts for every connection. Relays find this program by a socket in
    a folder of the user's own. One program at a time has the name. If a program was
    killed, the next one takes over the socket that it left.

    The ports belong to the block. Leaving the block ends them: in good order, or as a
    crash if the block leaves by an exception. What was posted is written first, as long
    as the browser takes some of it every second and a half.

    What a port's listener raises leaves through the block, in an ExceptionGroup, and
    ends the block with all its ports, unless ``async with port:`` takes it. The block's
    own exception leaves as it is.

    A program that connects to the socket and does not send a relay's handshake within
    five seconds is disconnected.

    Args:
        application: its name, which every port has too.
        folder: the folder of the socket, instead of the user's own place for sockets;
            give it to the relay, too (``--folder``). It is made if it does not exist,
            and must be private.
        max_buffer_size: how many messages may wait in each direction of a connection,
            an int of at least 1 or ``math.inf``; 1,024 unless given. When they are
            full, nothing more is read from the relay, and so from the browser.
        max_buffer_bytes: how many bytes these messages may have together, encoded, likewise;
            64 MiB unless given. One message alone may have more.
        max_message_bytes: the largest message to a browser, encoded, in bytes. Browsers
            end the connection when a message is larger than 1 MiB.
        max_incoming_bytes: the largest message from a browser, in bytes: 64 MiB,
            Chromium's own limit.
        listener_errors: ``"raise"`` or ``"log"``.
        observer: called with a record of everything that happens to the ports.
        message_type: the type that every arriving message is decoded into and checked
            against.

    Raises:
        AlreadyListeningError: somebody else listens for the application, in this or
            another program of the same user.
        ApplicationNameError: no application can have that name.
        PermissionError: others can enter the folder, or it belongs to another user.
        OSError: the socket cannot be made.
        NotImplementedError: on Windows, where Trio has no Unix sockets.
        RuntimeError: outside Trio.
        TypeError, ValueError: an argument is not as above, or the folder's path is too
            long for a socket.
    """
    require_trio("open_native_listener")
    require_sockets()
    check_application_name(application, TRIO)
    check_folder("folder", folder)
    check_limit("max_incoming_bytes", max_incoming_bytes)
    options = for_application(
        make_options(
            "trio", listener_errors, max_buffer_size, max_message_bytes, observer, max_buffer_bytes=max_buffer_bytes
        )
    )
    decoder = options.decoder(message_type)
    await trio.lowlevel.checkpoint()
    with contextlib.ExitStack() as holding:
        places = holding.enter_context(held_places(application, folder))
        body = Body()
        with body.joined():
            async with trio.open_nursery() as nursery:
                scope = Scope(nursery)
                listener = NativeListener(
                    application, places[0].path, scope, options, decoder, max_incoming_bytes, holding
                )
                nursery.start_soon(listener._listen, places)
                try:
                    with body:
                        yield listener
                finally:
                    listener._close()
                    scope.close(crash_error(body.failure))


@final
class _Sockets(trio.abc.Listener[trio.SocketStream]):
    """Accepts sockets, and waits while the system has no room for another.

    Without it ``trio.serve_listeners`` would wait, and log that ten times a second.
    """

    def __init__(self, listening: socket.socket) -> None:
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
        self._logs_from = -math.inf

    async def accept(self) -> trio.SocketStream:
        while True:
            try:
                return await self._listener.accept()
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                if trio.current_time() >= self._logs_from:
                    self._logs_from = trio.current_time() + _LOG_SECONDS
                    text = "No connection can be accepted until another one ends, or more files are allowed: %s"
                    logging.getLogger("trio_ports").warning(text, error)
            await trio.sleep(_ROOM_SECONDS)

    async def aclose(self) -> None:
        await self._listener.aclose()


async def _carry(end: End, stream: trio.SocketStream, decoder: FrameDecoder) -> None:
    """Carry frames between ``end`` and a relay's socket until one side has finished. It owns both.

    Never raises for the other side's faults; the end reports them. A cancelled call
    still writes what was posted.
    """
    frames = GoodbyeStream(stream)
    carrier = Carrier(
        end, frames.receive_some, frames.send_all, decoder, grace_seconds=GRACE_SECONDS, hears_answers=True
    )
    try:
        await carrier.run()
    finally:
        end.close(wire_error(carrier))
        with carrier.leave_taking(), contextlib.suppress(trio.BrokenResourceError):
            if carrier.finish is Finish.LEFT or carrier.finish is Finish.END_OF_FILE:
                if end.peer_error is None:  # A port that crashed does not say goodbye.
                    await frames.say_goodbye()
                await take_leave(stream)
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)
