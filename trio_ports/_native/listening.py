"""A native application that runs already: browsers reach it through relays, and each of them is a port.

The far end of each port is a task that carries frames between it and a relay's socket.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._ports.body import Body
from .._ports.connection import End, open_connection
from .._ports.failures import ListenerErrors, crash_error
from .._ports.observers import Observer
from .._ports.options import Options, make_options
from .._ports.port import Port
from .._ports.scopes import Scope
from .._protocol.dialects import TRIO
from .._protocol.errors import PortError
from .._protocol.frames import FROM_APPLICATION_BYTES, TO_APPLICATION_BYTES, FrameDecoder
from .._protocol.messages import Decoder
from .._transports.carrier import SETTLE_SECONDS, Carrier, Finish, wire_error
from .._transports.streams import take_leave
from .._util import check_limit, check_type, require_trio
from .addresses import is_own_peer, require_sockets
from .applications import check_application_name
from .claims import claimed
from .farewells import FarewellStream
from .finding import Folder
from .hellos import receive_hello
from .native_ports import GRACE_SECONDS, for_application
from .senders import read_arguments

if TYPE_CHECKING:
    from typing import Self


@final
@attrs.frozen
class Terms:
    """What holds for every port of one listener."""

    application: str
    """The name of the application, and so of each port."""
    options: Options
    """How the ports behave."""
    decoder: Decoder
    """For what arrives."""
    max_incoming_bytes: float
    """The largest message from a browser, in bytes."""


@final
class NativeListener(trio.abc.Listener[Port[Any, Any]]):
    """Where browsers reach a native application that runs already. Made by `open_native_listener`.

    Every connection of every browser is a port of its own, with a `sender` of its own. Take them with `accept`, with
    ``async for port in listener``, or with ``trio.serve_listeners(handler, [listener])``. They belong to the block of
    `open_native_listener`; ``async with port:`` narrows that.
    """

    __slots__ = (
        "_address",
        "_arrived",
        "_claim",
        "_listening",
        "_nursery",
        "_scope",
        "_terms",
        "_waiting",
        "_welcoming",
    )

    def __init__(self, nursery: trio.Nursery, terms: Terms, address: Path, claim: contextlib.ExitStack) -> None:
        self._nursery = nursery
        self._scope = Scope(nursery)
        self._terms = terms
        self._address = address
        self._claim = claim
        self._arrived, self._waiting = trio.open_memory_channel[tuple[End, list[str]]](0)
        self._listening = trio.CancelScope()
        self._welcoming: set[trio.CancelScope] = set()

    @property
    def address(self) -> Path:
        """The path of the socket where the relays look for this application."""
        return self._address

    @enable_ki_protection
    async def accept(self) -> Port[Any, Any]:
        """Wait for a connection and return its port. A checkpoint; a cancelled call has taken none.

        Nothing is lost meanwhile: the messages wait at the port until it has a listener or a reader. The port may have
        ended already, if the browser went at once.

        Raises:
            trio.ClosedResourceError: if the listener is closed, before or meanwhile.
        """
        near, arguments = await self._waiting.receive()
        if self._scope.closed:
            near.close()
            raise trio.ClosedResourceError("this listener is closed")
        _, sender = read_arguments(arguments)
        terms = self._terms
        return Port(near, self._scope, terms.options, terms.decoder, name=terms.application, sender=sender)

    async def aclose(self) -> None:
        """Stop listening, and let go of the name and the socket. A checkpoint; cancelled, it has done so all the same.

        Ports that were accepted live on, to the end of the block; connections that were not are refused.
        """
        self._close()
        await trio.lowlevel.checkpoint()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Port[Any, Any]:
        return await self.accept()

    def __repr__(self) -> str:
        state = "closed" if self._listening.cancel_called else f"{len(self._scope.members)} ports"
        return f"<NativeListener {self._terms.application!r} ({state}) at {id(self):#x}>"

    @enable_ki_protection
    async def _listen(self, sockets: trio.SocketListener) -> None:
        """Welcome relays until the listener is closed. Owns ``sockets``."""
        with self._listening:
            await trio.serve_listeners(self._serve, [sockets], handler_nursery=self._nursery)

    def _end(self, error: PortError | None) -> None:
        """Close, and end the ports, telling the other sides ``error``."""
        self._close()
        self._scope.close(error)

    def _close(self) -> None:
        self._claim.close()
        self._listening.cancel()
        self._waiting.close()
        for scope in self._welcoming:
            scope.cancel()

    @enable_ki_protection
    async def _serve(self, stream: trio.SocketStream) -> None:
        """Welcome a relay, wait until its connection is accepted, and carry its frames."""
        far = None
        with trio.CancelScope() as welcome, contextlib.suppress(trio.BrokenResourceError):
            self._welcoming.add(welcome)
            try:
                far = await self._welcome(stream)
            finally:
                self._welcoming.remove(welcome)
        if far is not None:
            await carry_relayed(far, stream, FrameDecoder(max_frame_bytes=self._terms.max_incoming_bytes))

    async def _welcome(self, stream: trio.SocketStream) -> End | None:
        """Return the far end of a connection that was accepted; None if this is no relay of the user's own."""
        if self._listening.cancel_called or not is_own_peer(stream.socket):
            return None
        arguments = await receive_hello(stream)
        if arguments is None:
            return None
        near, (far,) = open_connection(max_buffer_size=self._terms.options.max_buffer_size)
        await self._arrived.send((near, arguments))
        return far


@contextlib.asynccontextmanager
async def open_native_listener(
    application: str,
    *,
    folder: Folder | None = None,
    max_buffer_size: float | None = None,
    max_message_bytes: float = FROM_APPLICATION_BYTES,
    max_incoming_bytes: float = TO_APPLICATION_BYTES["chromium"],
    listener_errors: ListenerErrors | None = None,
    observer: Observer | None = None,
    message_type: Any = Any,
) -> AsyncGenerator[NativeListener]:
    """Let browsers reach this program, which runs already, as a native application, for a block.

    ::

        async with open_native_listener("com.example.app") as listener:
            await trio.serve_listeners(talk, [listener])

    The application's manifest names a relay, ``trio-ports relay com.example.app``, which a browser starts for every
    connection. Relays find this program by a socket in a folder of the user's own. One program at a time has the name;
    the socket that a killed one has left is taken over.

    The ports belong to the block: leaving it ends them, in good order, or as a crash if the block leaves by an
    exception; what was posted is written first, as long as the browser takes something of it every second and a half.
    What a port's listener raises leaves through the block, in an ExceptionGroup, and ends it with all the ports, unless
    ``async with port:`` takes it; the block's own exception leaves as it is. Whatever else connects to the socket, and
    does not say what a relay says within five seconds, is turned away without a word.

    Args:
        application: its name, which every port has too.
        folder: where the socket is, instead of the user's place for such; the relay must be told, too
            (``--folder``). It is made if it is not there, and must be private.
        max_buffer_size: how many messages may wait in each direction of a connection, an int of at least 1 or
            ``math.inf``; 1,024 unless given. Beyond it the relay, and so the browser, is not listened to.
        max_message_bytes: the largest message to a browser, encoded, in bytes. Browsers end the connection over a
            larger one than 1 MiB.
        max_incoming_bytes: the largest message from a browser, in bytes: 64 MiB, Chromium's own limit.
        listener_errors: ``"raise"`` or ``"log"``.
        observer: called with a record of everything that happens to the ports.
        message_type: what every message that arrives is decoded into and checked against.

    Raises:
        AlreadyListeningError: somebody else listens for the application, here or in another program of this user's.
        ApplicationNameError: no application can have that name.
        PermissionError: others can get into the folder, or it is another user's.
        OSError: the socket cannot be made.
        NotImplementedError: on Windows, where Trio has no such sockets.
        RuntimeError: outside Trio.
        TypeError, ValueError: for arguments that are not as above, or if the folder's path is too long for a socket.
    """
    require_trio("open_native_listener")
    require_sockets()
    check_application_name(application, TRIO)
    check_type("folder", folder, (str, os.PathLike, type(None)))
    check_limit("max_incoming_bytes", max_incoming_bytes)
    options = for_application(
        make_options(
            dialect="trio",
            listener_errors=listener_errors,
            max_buffer_size=max_buffer_size,
            max_message_bytes=max_message_bytes,
            observer=observer,
        )
    )
    terms = Terms(application, options, options.decoder(message_type), max_incoming_bytes)
    await trio.lowlevel.checkpoint()
    with contextlib.ExitStack() as claim:
        address, listening = claim.enter_context(claimed(application, folder))
        sockets = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
        body = Body()
        with body.joined():
            async with trio.open_nursery() as nursery:
                listener = NativeListener(nursery, terms, address, claim)
                nursery.start_soon(listener._listen, sockets)
                try:
                    with body:
                        yield listener
                finally:
                    listener._end(crash_error(body.failure))


async def carry_relayed(end: End, stream: trio.SocketStream, decoder: FrameDecoder) -> None:
    """Carry frames between ``end`` and a relay's socket, both of which it owns, until one side is through.

    Never raises for the other side's faults; the end is told. A cancelled call still writes what was posted.
    """
    farewells = FarewellStream(stream)
    carrier = Carrier(
        end,
        farewells.receive_some,
        farewells.send_all,
        decoder,
        grace_seconds=GRACE_SECONDS,
        hears_answers=True,
    )
    try:
        await carrier.run()
    finally:
        end.close(wire_error(carrier))
        with trio.move_on_after(SETTLE_SECONDS, shield=True), contextlib.suppress(trio.BrokenResourceError):
            if carrier.finish is Finish.LEFT or carrier.finish is Finish.END_OF_FILE:
                if end.peer_error is None:  # One that crashed does not say farewell.
                    await farewells.say_farewell()
                await take_leave(stream)
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)
