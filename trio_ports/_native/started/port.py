"""The port of a program that a browser started, over its standard input and output. Source: rules 33 to 36."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from ..._ports.connection import End
from ..._ports.failures import ListenerErrors
from ..._ports.observers import Observer
from ..._ports.options import Options, make_options
from ..._ports.port import MessageT, Port
from ..._protocol.frames import FROM_APPLICATION_BYTES, TO_APPLICATION_BYTES, FrameDecoder
from ..._protocol.senders import UNKNOWN_SENDER, MessageSender
from ..._transports.carried import open_carried_port
from ..._transports.carrier import Carrier, Finish, wire_error
from ..._transports.forks import undone_in_children
from ..._transports.stdio import DescriptorSink, DescriptorSource, prepared, sealed_descriptors, way_of
from ..._util import check_limit, require_trio
from .stdout import lossy_output, named_prints

if TYPE_CHECKING:
    from typing_extensions import TypeForm

GRACE_SECONDS: Final = 1.5
"""How long, after the end of file, the last answer may take, and its writing. Chromium kills after two seconds."""

_ORIGIN: Final = re.compile(r"chrome-extension://([^/]+)/?")
_WINDOW: Final = "--parent-window="

TERMINAL_TEXT: Final = """\
{program} is a native application: a browser starts it and talks to it through standard input and output, in frames
that nobody can type, and this standard input is a terminal. To try the program, start it as a browser would: with
trio_ports.native.install() and trio_ports.native.connect_native(), from a few lines of Python.
"""


@contextlib.asynccontextmanager
async def open_native_port(
    *,
    max_buffer_size: float | None = None,
    max_buffer_bytes: float | None = None,
    max_message_bytes: float = FROM_APPLICATION_BYTES,
    max_incoming_bytes: float = TO_APPLICATION_BYTES["chromium"],
    listener_errors: ListenerErrors | None = None,
    observer: Observer | None = None,
    message_type: TypeForm[MessageT] = Any,
) -> AsyncGenerator[Port[Any, MessageT]]:
    """Open the port to the browser that started this program, for a block.

    ::

        async with open_native_port() as port:
            async for message in port:
                await port.send({"got": message})

    From here on standard input and output belong to the port. Whatever else is printed,
    also by C libraries and child processes, goes to standard error. The first time that
    a place in the Python code prints, a line says where that is.

    The browser's end of file ends the connection in good order, once the messages
    before it have been taken. A listener that is still at work on the last one may
    answer it, for at most 1.5 seconds. Leave the block then: the browser kills a
    program that stays longer than two seconds. SIGTERM cancels the block. Leaving the
    block writes what was posted and closes standard output.

    The port's `sender` has the extension's id, and in Chromium's family its origin. Its
    `name` is the application's name if the browser gives it, which only Firefox does.

    Args:
        max_buffer_size: how many messages may wait in each direction, an int of at
            least 1 or ``math.inf``; 1,024 unless given. When they are full, nothing
            more is read from the browser.
        max_buffer_bytes: how many bytes these messages may have together, encoded, likewise;
            64 MiB unless given. One message alone may have more.
        max_message_bytes: the largest message to the browser, encoded, in bytes.
            Browsers end the connection when a message is larger than 1 MiB.
        max_incoming_bytes: the largest message from the browser, in bytes: 64 MiB,
            Chromium's own limit.
        listener_errors: ``"raise"`` or ``"log"``.
        observer: called with a record of everything that happens to the port.
        message_type: the type that every arriving message is decoded into and checked
            against.

    Raises:
        SystemExit: standard input is a terminal; the text says how to try the program.
        OSError: standard input or output is closed.
        RuntimeError: outside Trio, or another port of this process has, or had,
            standard input and output.
        TypeError, ValueError: an argument is not as above.
    """
    require_trio("open_native_port")
    check_limit("max_incoming_bytes", max_incoming_bytes)
    options = make_options(
        "trio", listener_errors, max_buffer_size, max_message_bytes, observer, max_buffer_bytes=max_buffer_bytes
    )
    if os.isatty(0):
        raise SystemExit(TERMINAL_TEXT.format(program=sys.argv[0]))
    # `sys.orig_argv` would have the interpreter's own arguments too.
    name, sender = read_arguments(sys.argv[1:])
    decoder = FrameDecoder(max_frame_bytes=max_incoming_bytes)
    options = for_application(options)
    messages = options.decoder(message_type)
    block, left = trio.CancelScope(), trio.Event()
    with (
        sealed_descriptors() as (incoming, outgoing),
        lossy_output(),
        named_prints(),
        _signals() as signals,
        block,
    ):

        @enable_ki_protection
        async def carry(end: End) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_at_signal, signals, block)
                await carry_descriptors(end, incoming, outgoing, decoder)
                await left.wait()  # Until the block is left, SIGTERM cancels it, also after the end of file.
                nursery.cancel_scope.cancel()

        async with open_carried_port(carry, options, messages, name=name, sender=sender) as port:
            try:
                yield port
            finally:
                left.set()


def read_arguments(arguments: Sequence[str]) -> tuple[str, MessageSender]:
    """Return from a program's arguments the application's name and who started it; unknown if no browser did.

    Firefox gives the path of the manifest, whose file has the application's name, and
    the extension's id. Chromium gives the extension's origin, sometimes followed by
    ``--parent-window=…``, and no name; the name is then empty. A browser's arguments
    are always the last, after those of a launcher: so only the last ones are looked at.
    """
    *_, manifest, last = "", "", *arguments
    if found := _ORIGIN.fullmatch(manifest if last.startswith(_WINDOW) else last):
        return "", MessageSender(id=found[1], origin=f"chrome-extension://{found[1]}")
    if manifest.endswith(".json") and not last.startswith(_WINDOW):
        return Path(manifest).stem, MessageSender(id=last)
    return "", UNKNOWN_SENDER


def for_application(options: Options) -> Options:
    """Return the options for an application's side, where an empty frame is read as None."""
    return attrs.evolve(options, reading=attrs.evolve(options.reading, empty_is_null=True))


async def carry_descriptors(end: End, incoming: int, outgoing: int, decoder: FrameDecoder) -> None:
    """Carry frames between ``end`` and two descriptors. It owns the end; the descriptors' flags are restored.

    Never raises for the other side's faults; the end reports them. A cancelled call
    still writes what was posted.
    """
    read_way, write_way = way_of(incoming), way_of(outgoing)
    # The two descriptors may share their flags, so they are restored in reverse order.
    with prepared(incoming, read_way), prepared(outgoing, write_way):
        source, sink = DescriptorSource(incoming, read_way), DescriptorSink(outgoing, write_way)
        carrier = Carrier(
            end,
            source.receive_some,
            sink.send_all,
            decoder,
            grace_seconds=GRACE_SECONDS,
            delivers_all=False,
            hears_answers=True,
        )
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch_reader, carrier, outgoing)
                await carrier.run()
                nursery.cancel_scope.cancel()
        finally:
            # A browser that stops reading is leaving: that is how Chromium ends an
            # application.
            end.close(None if carrier.finish is Finish.UNWRITABLE else wire_error(carrier))


@enable_ki_protection
async def _watch_reader(carrier: Carrier, outgoing: int) -> None:
    """Notice that the browser has gone even if its end of file lies behind messages that nobody takes."""
    if sys.platform == "linux" and stat.S_ISFIFO(os.fstat(outgoing).st_mode):
        # Nothing can ever be read from this end of a pipe, so it is readable only once
        # the other end is closed.
        await trio.lowlevel.wait_readable(outgoing)
        carrier.lose_writing()


@contextlib.contextmanager
def _signals() -> Generator[AsyncIterator[int] | None]:
    """Receive SIGTERM in the block; None outside the main thread, where signals cannot be received."""
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    before = signal.getsignal(signal.SIGTERM)
    # A forked child that nobody receives for would be deaf to it.
    with (
        undone_in_children(lambda: signal.signal(signal.SIGTERM, before)),
        trio.open_signal_receiver(signal.SIGTERM) as signals,
    ):
        yield signals


@enable_ki_protection
async def _cancel_at_signal(signals: AsyncIterator[int] | None, block: trio.CancelScope) -> None:
    if signals is not None:
        async for _ in signals:
            block.cancel()
