"""Start a native application, carry its messages, and end it, as browsers do. Source: rules 34 to 39."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import trio

from ..._ports.connection import End
from ..._protocol.dialects import Dialect, DialectName
from ..._protocol.errors import NativeApplicationError
from ..._protocol.frames import FROM_APPLICATION_BYTES, FrameDecoder
from ..._protocol.manifests import Family, NativeManifest, extension_origin, family_of
from ..._transports.forks import kept_from_children
from ..._transports.processes import Patience, Tap, run_process, start_program
from ..arguments import FAMILIES, Folder
from .find import search
from .judge import in_dialect, judge, start_error

PATIENCE: Final[dict[DialectName, Patience]] = {
    "trio": Patience(flush=3, leave=3, terminate=3, closes_both=False, status=3),
    "firefox": Patience(flush=0, leave=3, terminate=3, closes_both=False, watches=False),
    "chrome": Patience(flush=0, leave=2, terminate=0, closes_both=True, watches=False),
}

TOO_LARGE_TEXT: Final = (
    "Native application tried to send a message of {size} bytes, which exceeds the limit of {limit} bytes."
)


async def run_application(
    end: End,
    name: str,
    *,
    extension_id: str,
    dialect: Dialect,
    manifest_folders: Sequence[Folder] | None = None,
    max_message_bytes: float = FROM_APPLICATION_BYTES,
) -> None:
    """Start a native application, carry its messages, and end it, all as a browser of the dialect does.

    It owns ``end``, the far end of the port's connection: when this returns, the end is
    closed and the process is gone. The application's faults are reported to the port
    and never raised. A cancelled call takes the time that a polite end takes.

    The dialect's rules, texts and patience apply; in ``trio`` the extension's id decides
    between the families. The application's messages may have ``max_message_bytes``.
    """
    family = FAMILIES.get(dialect.name) or family_of(extension_id)
    process: trio.Process | None = None
    try:
        manifest = search(name, extension_id, family, manifest_folders=manifest_folders)
        # Shielded if something was posted: it is to reach the application, even if this
        # is cancelled before it is up.
        with trio.CancelScope(shield=end.lane.used > 0):
            process = await start_application(manifest, extension_id, family)
    except NativeApplicationError as error:
        end.close(in_dialect(error, dialect))
        return
    except BaseException:
        end.close()
        raise
    assert process is not None, "nobody cancels the scope that it was started in"
    with pipes_kept_from_children(process):
        await carry_application(end, process, manifest.name, dialect=dialect, max_message_bytes=max_message_bytes)


async def start_application(
    manifest: NativeManifest, extension_id: str, family: Family, environment: Mapping[str, str] | None = None
) -> trio.Process:
    """Start the program that ``manifest`` names, or raise why not. A checkpoint; a cancelled call started nothing.

    It gets our own environment, unless one is given.
    """
    arguments = [manifest.path, extension_origin(extension_id)]
    if family == "firefox":
        arguments = [manifest.path, str(manifest.file), extension_id]
    try:
        return await start_program(arguments, Path(manifest.path).parent, environment)
    except OSError as error:
        raise start_error(manifest, error) from error


def pipes_kept_from_children(process: trio.Process) -> AbstractContextManager[None]:
    """Keep an application's pipes from children that we fork in the block: it must see their end when we close them."""
    pipes: list[Any] = [process.stdin, process.stdout, process.stderr]
    return kept_from_children(*pipes)


async def carry_application(
    end: End,
    process: trio.Process,
    name: str,
    *,
    dialect: Dialect,
    max_message_bytes: float,
    on_stderr: Callable[[str], object] | None = None,
    tap: Tap | None = None,
) -> None:
    """Carry the messages of an application that was started, and end it, as in `run_application`."""
    texts = dialect.native_texts
    # A frame over the limit ends the port with a FrameTooLargeError, made by the decoder
    # from the length alone.
    decoder = FrameDecoder(
        max_frame_bytes=max_message_bytes,
        too_large_text=texts.too_large if texts else TOO_LARGE_TEXT,
        names_printed_text=texts is None,
    )
    judged = functools.partial(judge, name, dialect)
    patience = PATIENCE[dialect.name]
    await run_process(end, process, decoder=decoder, patience=patience, judge=judged, on_stderr=on_stderr, tap=tap)
