"""Talk to a native application as a browser would, without one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING, Any

import trio

from ..._ports.connection import End
from ..._ports.failures import ListenerErrors
from ..._ports.observers import Observer
from ..._ports.options import Options, make_options
from ..._ports.port import MessageT, Port
from ..._protocol.dialects import TRIO
from ..._protocol.errors import Cause, NativeApplicationError, PortError
from ..._protocol.frames import FROM_APPLICATION_BYTES
from ..._protocol.messages import Decoder
from ..._transports.carried import open_carried_port
from ..._transports.processes import Tap
from ..._util import check_limit, require_trio
from ..arguments import Folder, check_application_name
from .find import family_for, find_manifest
from .start import carry_application, pipes_kept_from_children, start_application

if TYPE_CHECKING:
    from typing_extensions import TypeForm


@contextlib.asynccontextmanager
async def connect_native(
    application: str,
    *,
    extension_id: str,
    browser: str | None = None,
    manifest_folders: Sequence[Folder] | None = None,
    max_buffer_size: float | None = None,
    max_buffer_bytes: float | None = None,
    max_message_bytes: float | None = None,
    max_incoming_bytes: float = FROM_APPLICATION_BYTES,
    listener_errors: ListenerErrors | None = None,
    observer: Observer | None = None,
    message_type: TypeForm[MessageT] = Any,
    on_stderr: Callable[[str], object] | None = None,
) -> AsyncGenerator[Port[Any, MessageT]]:
    """Start a native application as a browser does, and open a port to it for a block.

    Leaving the block writes what was posted, as long as the application takes some of
    it every three seconds. Then the application's standard input is closed; after three
    seconds it gets SIGTERM, and after three more it is killed. Afterwards the process
    is gone, whether the block was cancelled or not. A block that is cancelled, or whose
    application takes nothing, is left after ten seconds in all at the latest.

    If the application ends by itself, everything that it wrote is delivered first. Then
    `error` says how it ended, unless that was with status 0.

    Args:
        application: its name.
        extension_id: the extension that asks. 32 letters from a to p are treated as
            Chromium does, anything else as Firefox does.
        browser: the browser whose manifests are searched; see `find_manifest`.
        manifest_folders: folders that are searched, in this order, instead of the
            browsers' places.
        max_buffer_size: how many messages may wait in each direction, an int of at
            least 1 or ``math.inf``; 1,024 unless given. When they are full, nothing
            more is read from the application.
        max_buffer_bytes: how many bytes these messages may have together, encoded, likewise;
            64 MiB unless given. One message alone may have more.
        max_message_bytes: the largest message to the application, encoded, in bytes; 64
            MiB unless given.
        max_incoming_bytes: the largest message from the application, in bytes; 1 MiB,
            the browsers' limit.
        listener_errors: ``"raise"`` or ``"log"``.
        observer: called with a record of everything that happens to the port.
        message_type: the type that every arriving message is decoded into and checked
            against.
        on_stderr: called with every line that the application writes to standard error,
            without its line end. What it raises ends the block, in an ExceptionGroup.

    Raises:
        NativeApplicationError: on entry: the application cannot be found, or cannot or
            must not be started. The cause says which.
        TypeError, ValueError: an argument is not as above.
    """
    require_trio("connect_native")
    check_application_name(application, TRIO)
    check_limit("max_incoming_bytes", max_incoming_bytes)
    if on_stderr is not None and not callable(on_stderr):
        raise TypeError(f"on_stderr must be a function of a line of text, not {on_stderr!r}")
    options = make_options(
        "trio", listener_errors, max_buffer_size, max_message_bytes, observer, max_buffer_bytes=max_buffer_bytes
    )
    decoder = options.decoder(message_type)
    async with open_application(
        application,
        extension_id,
        options,
        decoder,
        browser=browser,
        manifest_folders=manifest_folders,
        max_incoming_bytes=max_incoming_bytes,
        on_stderr=on_stderr,
    ) as port:
        yield port


@contextlib.asynccontextmanager
async def open_application(
    application: str,
    extension_id: str,
    options: Options,
    decoder: Decoder,
    *,
    browser: str | None,
    manifest_folders: Sequence[Folder] | None,
    max_incoming_bytes: float = FROM_APPLICATION_BYTES,
    on_stderr: Callable[[str], object] | None,
    tap: Tap | None = None,
) -> AsyncGenerator[Port[Any, Any]]:
    """Do the work of `connect_native`, whose arguments are checked; a ``tap`` sees the bytes on the pipes."""
    manifest = find_manifest(application, extension_id=extension_id, browser=browser, manifest_folders=manifest_folders)
    process = await start_application(manifest, extension_id, family_for(extension_id, browser))

    async def carry(end: End) -> None:
        limit = max_incoming_bytes
        await carry_application(
            end, process, application, dialect=TRIO, max_message_bytes=limit, on_stderr=on_stderr, tap=tap
        )

    with pipes_kept_from_children(process):
        async with open_carried_port(carry, options, decoder, name=application) as port:
            yield port


async def send_native_message(
    application: str,
    message: Any,
    *,
    extension_id: str,
    browser: str | None = None,
    manifest_folders: Sequence[Folder] | None = None,
    message_type: TypeForm[MessageT] = Any,
) -> MessageT:
    """Start a native application, send it one message, and return its first answer; then end it.

    Args:
        application: its name.
        message: the message.
        extension_id: the extension that asks; this and what follows are as in
            `connect_native`.
        browser: the browser whose manifests are searched.
        manifest_folders: folders that are searched, in this order, instead of the
            browsers' places.
        message_type: the type that the answer is decoded into and checked against.

    Raises:
        PortError: there was no answer: a NativeApplicationError if the application
            could not be started or ended first, a RemoteProtocolError if it sent
            nonsense.
        NotSerializableError, MessageTooLargeError: ``message`` cannot be sent; nothing
            was.
        MessageShapeError: the answer is not of the ``message_type`` that was asked for.
    """
    async with connect_native(
        application,
        extension_id=extension_id,
        browser=browser,
        manifest_folders=manifest_folders,
        message_type=message_type,
    ) as port:
        try:
            await port.send(message)
            return await port.receive()
        except trio.BrokenResourceError as broken:
            failure = broken.__cause__
        except trio.EndOfChannel:
            failure = None
    if isinstance(failure, PortError):
        raise failure
    text = f"{application} ended without an answer."
    raise NativeApplicationError(text, cause=Cause.EXITED, application=application, status=0)
