"""Launchers: small scripts that run a command of several words, because a browser starts a single path."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Final

from ..._protocol.errors import ManifestError
from ..._util import check_list, check_type

_MARK: Final = "Written by trio_ports.native.install; uninstall removes it."
"""Distinguishes a launcher from a program of somebody else's in its place."""

_INTERPRETERS: Final = ("python", "pypy")


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
        raise _refusal(words[0], f"must be a program that exists; several words are a list: {words[0].split()}")
    return words


def check_words(words: Sequence[str], *, windows: bool) -> None:
    """Raise ManifestError for a command that a browser could not start.

    A browser starts a program in that program's own folder, so no path may be relative.
    """
    for word in words:
        if not _is_writable(word, windows=windows):
            raise _refusal(word, "must have words that can be encoded, without NUL")
    program, *arguments = words
    kind = PureWindowsPath if windows else PurePosixPath
    if not kind(program).is_absolute():
        raise _refusal(program, "must be an absolute path")
    if not _is_there(program, stat.S_ISREG):
        raise _refusal(program, "must be a program that exists")
    if not os.access(program, os.X_OK):
        raise _refusal(program, "must be a program that may be executed")
    if kind(program).name.startswith(_INTERPRETERS) and arguments and not arguments[0].startswith("-"):
        _check_script(kind(arguments[0]))
    for word in arguments:
        if _means_relative_file(kind(word)):
            raise _refusal(word, "must not have relative paths in its command, which is started in another folder")


def launcher_text(words: Sequence[str], *, windows: bool) -> bytes:
    """Return a script that runs ``words`` with the script's own arguments added."""
    if windows:
        return f"@echo off\r\nrem {_MARK}\r\n{subprocess.list2cmdline(words)} %*\r\n".encode()
    return os.fsencode(f'#!/bin/sh\n# {_MARK}\nexec {shlex.join(words)} "$@"\n')


def is_launcher(data: bytes) -> bool:
    """Return whether a file's content is a launcher of ours."""
    return _MARK.encode() in data[:200]


def _is_there(word: str, is_right: Callable[[int], bool] = bool) -> bool:
    """Return whether a file of the right kind exists. A word that is too long for a file's name names no file."""
    try:
        return is_right(Path(word).stat().st_mode)
    except OSError:
        return False


def _is_writable(word: str, *, windows: bool) -> bool:
    try:
        return b"\0" not in (word.encode() if windows else os.fsencode(word))
    except UnicodeEncodeError:
        return False


def _check_script(script: PurePath) -> None:
    if not script.is_absolute():
        raise _refusal(str(script), "must have an absolute path for its script")
    if not _is_there(str(script)):
        raise _refusal(str(script), "must have a script that exists")


def _means_relative_file(word: PurePath) -> bool:
    """Return whether a word looks like the path of a file that exists; a plain word may only happen to match one."""
    means_file = bool(word.suffix) or len(word.parts) > 1
    return means_file and not word.is_absolute() and _is_there(str(word), stat.S_ISREG)


def _refusal(word: str, rule: str) -> ManifestError:
    return ManifestError(field="path", value=word, rule=rule)
