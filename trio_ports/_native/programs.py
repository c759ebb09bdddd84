"""What keeps the system from starting a program: its file, its mode, and the first line of a script."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
from pathlib import Path
from typing import Final, Literal, TypeAlias, final

import attrs

ProgramFaultKind: TypeAlias = Literal[
    "program-missing",
    "program-not-a-file",
    "program-not-executable",
    "program-noexec",
    "program-format",
    "program-line-ends",
    "interpreter-missing",
    "interpreter-not-executable",
    "env-finds-nothing",
]
_WINDOWS: Final = os.name == "nt"
_FIRST_BYTES: Final = 4096
_BOM: Final = b"\xef\xbb\xbf"


@final
@attrs.frozen
class ProgramFault:
    """Why a program cannot be started."""

    kind: ProgramFaultKind
    text: str
    """The same for people, with what was found."""


def program_faults(program: Path, search_path: str | None = None) -> list[ProgramFault]:
    """Return everything that keeps a program from being started, as far as its file shows.

    Args:
        program: its absolute path.
        search_path: the PATH that ``env`` searches; our own unless given.
    """
    try:
        mode = program.stat().st_mode
    except OSError as error:
        link = " is a link that leads nowhere" if os.path.lexists(program) else f": {error.strerror}"
        return [ProgramFault("program-missing", f"{program}{link}{_arguments_hint(program)}")]
    if not stat.S_ISREG(mode):
        kind = "folder" if stat.S_ISDIR(mode) else "special file"
        return [ProgramFault("program-not-a-file", f"{program} is a {kind}")]
    return [*_mode_faults(program), *_first_line_faults(program, search_path)]


def _arguments_hint(program: Path) -> str:
    """Say that a path is a whole command, if it is one."""
    first, *arguments = str(program).split()
    return f"; a path cannot have arguments, and {first} is there" if arguments and _is_file(Path(first)) else ""


def _mode_faults(program: Path) -> list[ProgramFault]:
    if os.access(program, os.X_OK):
        return []
    mode = program.stat().st_mode
    faults: list[ProgramFault] = []
    if is_noexec(program):
        faults.append(ProgramFault("program-noexec", f"{program} is on a file system that is mounted noexec"))
    if not faults or not mode & 0o111:
        text = f"{program} may not be executed: its mode is {stat.filemode(mode)}"
        faults.append(ProgramFault("program-not-executable", text))
    return faults


def is_noexec(place: Path) -> bool:
    """Return whether nothing there can be executed, because of how it is mounted."""
    return not _WINDOWS and bool(os.statvfs(place).f_flag & getattr(os, "ST_NOEXEC", 0))


def _first_line_faults(program: Path, search_path: str | None) -> list[ProgramFault]:
    """Check that the system knows how to run a file: it is a binary, or a script whose interpreter is there."""
    if _WINDOWS:
        return []
    try:
        with program.open("rb") as opened:
            start = opened.read(_FIRST_BYTES)
    except OSError:
        return []  # Whoever may execute a binary need not be able to read it.
    if not start.startswith(b"#!"):
        if b"\0" in start:  # As every binary has one.
            return []
        bom = ", but with a byte order mark" if start.startswith(_BOM) else ""
        return [ProgramFault("program-format", f"{program} is neither a binary, nor does it begin with #!{bom}")]
    line = os.fsdecode(start[2:].partition(b"\n")[0])
    faults: list[ProgramFault] = []
    if line.endswith("\r"):
        faults.append(ProgramFault("program-line-ends", rf"the first line of {program} ends with \r: {line!r}"))
    words = line.strip(" \t\r").split(None, 1)
    if not words:
        return [*faults, ProgramFault("program-format", f"the first line of {program} names no interpreter: {line!r}")]
    return faults + _interpreter_faults(program, words[0], words[1] if len(words) > 1 else "", search_path)


def _interpreter_faults(program: Path, interpreter: str, argument: str, search_path: str | None) -> list[ProgramFault]:
    named = f"{interpreter!r}, which the first line of {program} names,"
    # A relative one is looked for in the folder in which the program is started, its own.
    path = program.parent / interpreter
    if not _is_file(path):
        return [ProgramFault("interpreter-missing", f"{named} is not there")]
    if not os.access(path, os.X_OK):
        return [ProgramFault("interpreter-not-executable", f"{named} may not be executed")]
    if path.name != "env" or not argument:
        return []
    wanted = _wanted_of_env(argument)
    if shutil.which(wanted, path=search_path) is not None:
        return []
    text = f"env, which the first line of {program} names, finds no {wanted!r} on the PATH {search_path or ''}".strip()
    elsewhere = shutil.which(wanted)
    if elsewhere is not None:
        text += f"; yours has {elsewhere}"
    elif " " in wanted:
        text += "; it gets all words as one, unless its first one is -S"
    return [ProgramFault("env-finds-nothing", text)]


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _wanted_of_env(argument: str) -> str:
    """Return what env looks for: Linux passes it all words as one, and only -S splits them."""
    if sys.platform != "darwin" and not argument.startswith(("-S", "--split-string")):
        return argument
    words = shlex.split(argument.removeprefix("--split-string").removeprefix("-S").removeprefix("="))
    return next((word for word in words if not word.startswith("-") and "=" not in word), "")
