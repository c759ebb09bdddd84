"""The command that is to be installed: whether a browser can start it, today and tomorrow."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Final

from ..._protocol.errors import ManifestError
from ..._util import check_list, check_type
from ..programs import ProgramFaultKind, program_faults

_INTERPRETERS: Final = ("python", "pypy")

_INTERPRETER_RULE: Final = r"must have an interpreter that exists, and lines that end without \r"
_RULES: Final[dict[ProgramFaultKind, str]] = {
    "program-missing": "must be a program that exists",
    "program-not-a-file": "must be a program that exists",
    "program-not-executable": "must be a program that may be executed",
    "program-noexec": "must not be on a file system mounted noexec",
    "program-format": "must begin with #! and an interpreter if it is a script, without a byte order mark",
    "program-line-ends": _INTERPRETER_RULE,
    "interpreter-missing": _INTERPRETER_RULE,
    "interpreter-not-executable": _INTERPRETER_RULE,
    "env-finds-nothing": _INTERPRETER_RULE,
}
"""What is wrong with a program's file, as a rule for the manifest that would name it."""

_PASSING: Final = {
    r"/\.mount_[^/]+/|/appimage_extracted_[^/]+/": "an AppImage's mount; install the path in $APPIMAGE instead",
    r"uv[^/]*/(cache/)?(archive|builds|environments)-v\d+/": "uv's cache; use uv tool install, or the command uv run",
    r"/\.cache/pipx/|/pipx/(Cache|\.cache)/": "the cache of pipx run; use pipx install",
    r"/_npx/|/pnpm/dlx[-/]|/bunx-": "a cache of npx and the like; install the package",
    r"/_MEI\w+/|/onefile_\d": "what a frozen program unpacks for one run; install sys.executable instead",
    r"/\.pex/|/\.cache/pex/|/\.shiv/": "a cache of pex or shiv; install the archive itself",
    r"/go-build\d+/": "what go run builds for one run; use go build",
    r"/AppTranslocation/": "a place that macOS gives an application for one run; move the application first",
}
"""Places that are gone tomorrow: a pattern, and what it is, with what to do about it."""


def words_of(command: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return the words of a command, at least one; several in one text would be the name of one program."""
    several = [command] if isinstance(command, (str, os.PathLike)) else command
    check_list("command", several, "words")
    words = [os.fspath(word) if isinstance(word, os.PathLike) else word for word in several]
    for word in words:
        check_type("each word of command", word, str)
    if not words:
        raise ValueError("command must have at least one word, the program")
    if len(words) == 1 and len(words[0].split()) > 1 and not os.path.lexists(words[0]):
        raise refusal(words[0], f"must be a program that exists; several words are a list: {words[0].split()}")
    return words


def check_words(words: Sequence[str], *, windows: bool) -> None:
    """Raise ManifestError for a command that a browser could not start, or not for long.

    A browser starts a program in that program's own folder, so no path may be relative.
    """
    for word in words:
        if not is_writable(word, windows=windows):
            lines = " and, on Windows, without line ends" if windows else ""
            raise refusal(word, f"must have words that can be encoded, without NUL{lines}")
    program, *arguments = words
    kind = PureWindowsPath if windows else PurePosixPath
    _check_program(kind(program), windows=windows)
    if kind(program).name.startswith(_INTERPRETERS) and arguments and not arguments[0].startswith("-"):
        _check_script(kind(arguments[0]))
    for word in arguments:
        if _means_relative_file(kind(word)):
            raise refusal(word, "must not have relative paths in its command, which is started in another folder")
    for word in words:
        if kind(word).is_absolute():
            _check_lasting(word)
    if getattr(sys, "frozen", False) and program == sys.executable and "-m" in arguments:
        rule = "must have no -m: the frozen program is no interpreter; give it an argument that it understands itself"
        raise refusal(program, rule)


def is_writable(word: str, *, windows: bool) -> bool:
    """Return whether a word can be written into a launcher or a manifest."""
    try:
        data = word.encode() if windows else os.fsencode(word)
    except UnicodeEncodeError:
        return False
    return not set(b"\0\r\n" if windows else b"\0") & set(data)


def refusal(word: str, rule: str) -> ManifestError:
    """Return the error for a word of the command, which a browser could not start."""
    return ManifestError(field="path", value=word, rule=rule)


def _check_program(program: PurePath, *, windows: bool) -> None:
    if not program.is_absolute():
        raise refusal(str(program), "must be an absolute path")
    if windows:  # There no first line counts, and everything that exists may be executed.
        if not _is_there(str(program), stat.S_ISREG):
            raise refusal(str(program), _RULES["program-missing"])
        return
    for fault in program_faults(Path(program)):
        raise refusal(str(program), f"{_RULES[fault.kind]}: {fault.text}")


def _check_script(script: PurePath) -> None:
    if not script.is_absolute():
        raise refusal(str(script), "must have an absolute path for its script")
    if not _is_there(str(script)):
        raise refusal(str(script), "must have a script that exists")


def _check_lasting(word: str) -> None:
    """Refuse a place that is gone soon, whether it is named or a link leads there."""
    for path in (word, os.path.realpath(word)):
        plain = path.replace("\\", "/")
        for pattern, place in _PASSING.items():
            if re.search(pattern, plain):
                raise refusal(word, f"must be in a place that stays, and not in {place}")


def _means_relative_file(word: PurePath) -> bool:
    """Return whether a word looks like the path of a file that exists; a plain word may only happen to match one."""
    means_file = bool(word.suffix) or len(word.parts) > 1
    return means_file and not word.is_absolute() and _is_there(str(word), stat.S_ISREG)


def _is_there(word: str, is_right: Callable[[int], bool] = bool) -> bool:
    """Return whether a file of the right kind exists. A word that is too long for a file's name names no file."""
    try:
        return is_right(Path(word).stat().st_mode)
    except OSError:
        return False
