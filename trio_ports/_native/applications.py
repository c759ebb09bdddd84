"""Native applications, started and ended as browsers do. Source: rules 34 to 39."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, final

import attrs
import trio

from .._ports.connection import End
from .._protocol.dialects import Dialect, DialectName
from .._protocol.errors import Cause, NativeApplicationError, PortError, TruncatedError
from .._protocol.frames import FROM_APPLICATION_BYTES, FrameDecoder
from .._protocol.manifests import Family, NativeManifest, extension_origin, family_of, is_application_name
from .._transports.carrier import Finish
from .._transports.processes import Outcome, Patience, run_process, start_program
from .._util import check_type
from .finding import Folder, bad_name, files_of, search

FAMILIES: Final[dict[DialectName, Family]] = {"firefox": "firefox", "chrome": "chromium"}
"""Whose way a dialect goes; where it is not said, the extension's id decides."""

PATIENCE: Final[dict[DialectName, Patience]] = {
    "trio": Patience(flush=3, leave=3, terminate=3, closes_both=False, status=3),
    "firefox": Patience(flush=0, leave=3, terminate=3, closes_both=False, watches=False),
    "chrome": Patience(flush=0, leave=2, terminate=0, closes_both=True, watches=False),
}

TOO_LARGE_TEXT: Final = (
    "Native application tried to send a message of {size} bytes, which exceeds the limit of {limit} bytes."
)

_REFUSALS: Final = (errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOTDIR, errno.ELOOP, errno.ETXTBSY)
"""What the system says of a program; anything else, such as too many open files, is no fault of the application."""

_WORDS: Final[dict[Cause, str]] = {
    Cause.BAD_NAME: "bad_name",
    Cause.MANIFEST_NOT_FOUND: "manifest",
    Cause.MANIFEST_INVALID: "manifest",
    Cause.NOT_ALLOWED: "not_allowed",
    Cause.PROGRAM_MISSING: "program_missing",
    Cause.NOT_EXECUTABLE: "not_executable",
    Cause.INTERPRETER_MISSING: "interpreter_missing",
    Cause.EXITED: "exited",
    Cause.STDIN_CLOSED: "closed_stdin",
    Cause.STDOUT_CLOSED: "closed_stdout",
}
"""Which of a dialect's texts stands for which cause."""


def check_application_name(name: str, dialect: Dialect) -> None:
    """Raise, where the dialect refuses at the call, unless a native application may have that name.

    Raises:
        TypeError: if it is no text at all, in every dialect.
        NativeApplicationError: with the cause BAD_NAME.
    """
    check_type("the name of a native application", name, str)
    if dialect.native_name_raises and not is_application_name(name, FAMILIES.get(dialect.name, "firefox")):
        raise bad_name(name)


async def run_application(
    end: End,
    name: str,
    *,
    extension_id: str,
    dialect: Dialect,
    manifest_folders: Sequence[Folder] | None = None,
    max_message_bytes: float | None = None,
) -> None:
    """Start a native application, carry its messages, and end it, all as a browser of the dialect does.

    It owns ``end``: when this returns, the end is closed and the process is gone. The application's faults are told to
    the port and never raised. A cancelled call takes the time that a polite end takes.

    Args:
        end: the far end of the port's connection.
        name: of the application.
        extension_id: of the extension that asked.
        dialect: whose rules, texts and patience; in ``trio`` the extension's id decides between the two families.
        manifest_folders: searched instead of the browsers' places.
        max_message_bytes: the largest message the application may send, in bytes; 1 MiB unless given.
    """
    family = FAMILIES.get(dialect.name) or family_of(extension_id)
    application: Application | None = None
    try:
        manifest = search(name, extension_id, family, files_of(name, family, manifest_folders=manifest_folders))
        # What was posted is to reach the application, also if this is cancelled before it is up.
        with trio.CancelScope(shield=end.lane.used > 0):
            application = await Application.start(manifest, extension_id, family)
    except NativeApplicationError as error:
        end.close(in_dialect(error, dialect))
        return
    except BaseException:
        end.close()
        raise
    assert application is not None, "nobody cancels the scope that it was started in"
    await application.run(end, dialect=dialect, max_message_bytes=max_message_bytes)


@final
@attrs.frozen
class Application:
    """A native application that has been started."""

    name: str
    process: trio.Process

    @classmethod
    async def start(cls, manifest: NativeManifest, extension_id: str, family: Family) -> Application:
        """Start the program that ``manifest`` names. A checkpoint; a cancelled call has started nothing.

        Raises:
            NativeApplicationError: it cannot be started; the cause says why.
        """
        arguments = [manifest.path, extension_origin(extension_id)]
        if family == "firefox":
            arguments = [manifest.path, str(manifest.file), extension_id]
        try:
            return cls(manifest.name, await start_program(arguments, Path(manifest.path).parent))
        except OSError as error:
            raise _start_error(manifest, error) from error

    async def run(
        self,
        end: End,
        *,
        dialect: Dialect,
        max_message_bytes: float | None = None,
        on_stderr: Callable[[str], object] | None = None,
    ) -> None:
        """Carry its messages and end it, as in `run_application`."""
        texts = dialect.native_texts
        limit = FROM_APPLICATION_BYTES if max_message_bytes is None else max_message_bytes
        decoder = FrameDecoder(
            max_frame_bytes=limit,
            too_large_text=texts.too_large if texts else TOO_LARGE_TEXT,
            names_printed_text=texts is None,
        )

        def judge(outcome: Outcome) -> PortError | None:
            return _judge(self.name, outcome, dialect)

        await run_process(
            end, self.process, decoder=decoder, patience=PATIENCE[dialect.name], judge=judge, on_stderr=on_stderr
        )


def in_dialect(error: NativeApplicationError, dialect: Dialect) -> NativeApplicationError | None:
    """Return ``error`` as the dialect tells it: in its own words, or not at all."""
    if dialect.native_texts is None:
        return error
    text: str | None = getattr(dialect.native_texts, _WORDS[error.cause])
    if text is None:
        return None
    told = NativeApplicationError(
        text.format(name=error.application),
        cause=error.cause,
        application=error.application,
        status=error.status,
        signal=error.signal,
        stderr=error.stderr,
    )
    told.__cause__ = error.__cause__
    return told


def _start_error(manifest: NativeManifest, error: OSError) -> NativeApplicationError:
    """Say why a program could not be started."""
    program = Path(manifest.path)
    found: dict[str, Any] = {"application": manifest.name}
    try:
        exists = program.exists()
    except OSError:
        exists = False
    if not exists:
        text = f"{program}, which {manifest.file} names, does not exist."
        return NativeApplicationError(text, cause=Cause.PROGRAM_MISSING, **found)
    if isinstance(error, FileNotFoundError):
        text = f"{program} exists, but not the interpreter that its first line names: {_first_line(program)!r}"
        return NativeApplicationError(text, cause=Cause.INTERPRETER_MISSING, **found)
    words = "may not be executed" if error.errno in _REFUSALS else "could not be started"
    text = f"{program} {words}: {error.strerror or error}."
    if error.errno == errno.ENOEXEC:
        text += " A script's first line must name its interpreter, like #!/usr/bin/python3."
    return NativeApplicationError(text, cause=Cause.NOT_EXECUTABLE, **found)


def _first_line(program: Path) -> str:
    try:
        with program.open("rb") as opened:
            return opened.readline(200).decode("utf-8", "replace").rstrip()
    except OSError:
        return ""


def _judge(name: str, outcome: Outcome, dialect: Dialect) -> PortError | None:
    """Say what the port is told about an application that finished the conversation. Source: rule 36."""
    ended = _ended_error(name, outcome)
    if outcome.error is None or (isinstance(outcome.error, TruncatedError) and dialect.native_texts is not None):
        clean = dialect.native_texts is None and outcome.returncode == 0
        return None if clean else in_dialect(ended, dialect)
    outcome.error.stderr = outcome.stderr
    if outcome.returncode:
        outcome.error.__cause__ = ended
    return outcome.error


def _ended_error(name: str, outcome: Outcome) -> NativeApplicationError:
    status = signal_number = None
    cause = Cause.EXITED
    if outcome.returncode is None:
        written = outcome.finish is Finish.UNWRITABLE
        cause = Cause.STDIN_CLOSED if written else Cause.STDOUT_CLOSED
        text = f"{name} closed its standard {'input' if written else 'output'} and lives on."
    elif outcome.returncode < 0:
        signal_number = -outcome.returncode
        text = f"{name} was ended by {_signal_name(signal_number)}."
    else:
        status = outcome.returncode
        text = f"{name} exited with status {status}."
    if outcome.stderr:
        text += " The last it wrote to standard error: " + " | ".join(outcome.stderr[-3:])
    return NativeApplicationError(
        text, cause=cause, application=name, status=status, signal=signal_number, stderr=outcome.stderr
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
