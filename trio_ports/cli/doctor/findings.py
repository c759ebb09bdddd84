"""Everything that the doctor can find, as one table. Each finding has a section in docs/reference/doctor.rst."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, final

import attrs

from ..._protocol.errors import Cause

Status: TypeAlias = Literal["pass", "warn", "fail", "skip"]

CHECKS: Final = ("browser", "manifest", "rules", "allowed", "program", "start", "messages", "answer", "end")
"""What is looked at for each browser, in this order."""


@final
@attrs.frozen
class Kind:
    """Something that can be wrong."""

    check: str
    """The check that finds it."""
    remedy: str
    """What to do about it, in one line. ``{list}`` is the manifest's field with the extensions."""
    cause: Cause | None = None
    """What it is to a browser, if that ends the port for it."""
    status: Status = "fail"


KINDS: Final[dict[str, Kind]] = {
    # The browser
    "snap": Kind(
        "browser",
        "Use a browser from the distribution or its vendor, or let the desktop's portal start the application.",
        status="warn",
    ),
    "flatpak": Kind(
        "browser",
        "Use a browser from the distribution or its vendor, or let the desktop's portal start the application.",
        status="warn",
    ),
    "bad-name": Kind(
        "manifest", "Give the application another name, in its manifest and in the extension.", Cause.BAD_NAME
    ),
    # The manifest
    "manifest-not-found": Kind(
        "manifest",
        "Write it to the first of these folders; trio-ports install does.",
        Cause.MANIFEST_NOT_FOUND,
    ),
    "manifest-unreadable": Kind(
        "manifest", "Make it a plain file that you may read, like other manifests.", Cause.MANIFEST_INVALID
    ),
    "manifest-skipped": Kind("manifest", "Mend this manifest, or remove it.", status="warn"),
    "manifest-json": Kind(
        "rules", "Write one JSON object, in UTF-8, without comments or trailing commas.", Cause.MANIFEST_INVALID
    ),
    "manifest-name": Kind(
        "rules", "Write the name that the file has, without .json, as the extension does.", Cause.MANIFEST_INVALID
    ),
    "manifest-description": Kind("rules", "Add a description; any text will do.", Cause.MANIFEST_INVALID),
    "manifest-type": Kind("rules", 'Write "type": "stdio".', Cause.MANIFEST_INVALID),
    "manifest-path": Kind("rules", "Write the program's absolute path, from the root.", Cause.MANIFEST_INVALID),
    "manifest-allowed": Kind("rules", "Mend the list {list}, which this browser reads.", Cause.MANIFEST_INVALID),
    "not-allowed": Kind("allowed", "Add the extension to {list} in the manifest.", Cause.NOT_ALLOWED),
    # The program's file
    "program-missing": Kind("program", "Mend the path in the manifest, or install the program.", Cause.PROGRAM_MISSING),
    "program-not-a-file": Kind("program", "Name the program itself in the manifest.", Cause.NOT_EXECUTABLE),
    "program-not-executable": Kind("program", "Run chmod +x on it.", Cause.NOT_EXECUTABLE),
    "program-noexec": Kind(
        "program", "Move it to a file system from which programs may be started.", Cause.NOT_EXECUTABLE
    ),
    "program-format": Kind(
        "program",
        "Begin a script with #! and its interpreter, as the very first bytes; build a binary for this machine.",
        Cause.INTERPRETER_MISSING,
    ),
    "program-line-ends": Kind(
        "program", r"Save it with Unix line ends: sed -i 's/\r$//' FILE.", Cause.INTERPRETER_MISSING
    ),
    "interpreter-missing": Kind(
        "program", "Install the interpreter, or name another one in the first line.", Cause.INTERPRETER_MISSING
    ),
    "interpreter-not-executable": Kind(
        "program", "Name a program in the first line that may be executed.", Cause.INTERPRETER_MISSING
    ),
    "env-finds-nothing": Kind(
        "program", "Write the interpreter's absolute path into the first line.", Cause.INTERPRETER_MISSING
    ),
    # Its start
    "cannot-start": Kind("start", "See what the system says; the manifest is right.", Cause.NOT_EXECUTABLE),
    "crashed": Kind("start", "Mend what its last lines say.", Cause.EXITED),
    "exits-at-once": Kind("start", "Let it wait for messages until its input ends.", Cause.EXITED),
    "needs-environment": Kind(
        "start", "Use absolute paths; set what it needs in a launcher, with trio-ports install --env.", Cause.EXITED
    ),
    "output-closed": Kind("start", "Keep standard output open until the end.", Cause.STDOUT_CLOSED),
    # What it writes
    "output-printed": Kind("messages", "Print to standard error: standard output carries messages."),
    "output-byte-order": Kind("messages", "Write the length in native byte order."),
    "output-line-end": Kind("messages", "Write nothing after a message, not even a line end."),
    "output-text-mode": Kind("messages", "Make standard output binary before the first message."),
    "output-characters": Kind("messages", "Encode first, and count bytes."),
    "output-length": Kind("messages", "Do not count the four bytes of the length."),
    "output-not-json": Kind("messages", "Write JSON in UTF-8; NaN and Infinity are not JSON."),
    "output-too-large": Kind("messages", "Send pieces of less than 1 MiB."),
    "output-not-a-frame": Kind("messages", "Write each message as its length in four bytes, and its JSON."),
    # Its answer and its end
    "not-flushed": Kind("answer", "Flush standard output after each message."),
    "reads-nothing": Kind("answer", "Read standard input: four bytes of length, and then so many bytes."),
    "no-answer": Kind("answer", "Check that it answers this message, or give it more time with --patience."),
    "hangs": Kind("answer", "Look where it waits: it read the message, and neither answered nor left."),
    "leaves-late": Kind("end", "Leave when standard input ends: the browser kills it otherwise."),
    "pipe-held": Kind("end", "Give child processes standard streams of their own, or end them first.", status="warn"),
    "exit-status": Kind("end", "Let the end of standard input be an orderly end.", status="warn"),
}
"""By its id, which is stable: what is wrong. Each is found by itself, and never follows from another one."""


@final
@attrs.frozen
class Finding:
    """What a check has found in one browser."""

    check: str
    status: Status
    detail: str = ""
    """What was seen, for people."""
    id: str = ""
    """One of `KINDS`; empty if nothing is wrong."""
    remedy: str = ""
    """What to do about it."""
    cause: Cause | None = None
    """What it is to the browser, if that ends the port for it."""


def found(kind: str, detail: str, *, cause: Cause | None = None, listing: str = "") -> Finding:
    """Make a finding.

    Args:
        kind: one of `KINDS`.
        detail: what was seen.
        cause: what it is to this browser, if that is something else than usual.
        listing: the manifest's field with the extensions.
    """
    row = KINDS[kind]
    return Finding(row.check, row.status, detail, kind, row.remedy.replace("{list}", listing), cause or row.cause)
