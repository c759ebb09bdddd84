"""Judge why a native application could not be started, or how it ended: what its port reports. Source: rules 36, 37."""

from __future__ import annotations

import errno
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..._protocol.dialects import Dialect
from ..._protocol.errors import Cause, NativeApplicationError, PortError, TruncatedError
from ..._protocol.manifests import NativeManifest
from ..._transports.carrier import Finish
from ..._transports.processes import FATAL, Outcome

_REFUSALS: Final = (errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOTDIR, errno.ELOOP, errno.ETXTBSY)
"""What the system reports about a program. Anything else, such as too many open files, is not the program's fault."""

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


def in_dialect(error: NativeApplicationError, dialect: Dialect) -> NativeApplicationError | None:
    """Return ``error`` as the dialect reports it: in its own words, or not at all."""
    if dialect.native_texts is None:
        return error
    text: str | None = getattr(dialect.native_texts, _WORDS[error.cause])
    if text is None:
        return None
    reported = NativeApplicationError(
        text.format(name=error.application),
        cause=error.cause,
        application=error.application,
        status=error.status,
        signal=error.signal,
        stderr=error.stderr,
    )
    reported.__cause__ = error.__cause__
    return reported


def start_error(manifest: NativeManifest, error: OSError) -> NativeApplicationError:
    """Explain why a program could not be started."""
    program = Path(manifest.path)
    try:
        exists = program.exists()
    except OSError:
        exists = False
    if not exists:
        cause = Cause.PROGRAM_MISSING
        text = f"{program}, which {manifest.file} names, does not exist."
    elif isinstance(error, FileNotFoundError):
        cause = Cause.INTERPRETER_MISSING
        text = f"{program} exists, but not the interpreter that its first line names: {_first_line(program)!r}"
    else:
        cause = Cause.NOT_EXECUTABLE
        words = "may not be executed" if error.errno in _REFUSALS else "could not be started"
        text = f"{program} {words}: {error.strerror or error}."
        if error.errno == errno.ENOEXEC:
            text += " A script's first line must name its interpreter, like #!/usr/bin/python3."
    return NativeApplicationError(text, cause=cause, application=manifest.name)


def _first_line(program: Path) -> str:
    try:
        with program.open("rb") as opened:
            return opened.readline(200).decode("utf-8", "replace").removesuffix("\n")
    except OSError:
        return ""


def judge(name: str, dialect: Dialect, outcome: Outcome) -> PortError | None:
    """Return the error of the port to an application that has finished the conversation; None for an orderly end."""
    ended = ended_error(name, outcome)
    if outcome.error is None or (isinstance(outcome.error, TruncatedError) and dialect.native_texts is not None):
        clean = dialect.native_texts is None and outcome.returncode == 0
        return None if clean else in_dialect(ended, dialect)
    outcome.error.stderr = outcome.stderr
    if outcome.returncode:
        outcome.error.__cause__ = ended
    return outcome.error


def ended_error(name: str, outcome: Outcome) -> NativeApplicationError:
    """Say how an application ended, with its last lines on standard error."""
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
        text += " Its last lines on standard error: " + " | ".join(telling(outcome.stderr, 3))
    return NativeApplicationError(
        text, cause=cause, application=name, status=status, signal=signal_number, stderr=outcome.stderr
    )


def telling(lines: Sequence[str], number: int) -> Sequence[str]:
    """Return so many last lines; of a fatal error of Python's, which ends with its threads, so many first ones."""
    for start, line in enumerate(lines):
        if line.startswith(FATAL):
            return lines[start : start + number]
    return lines[-number:]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
