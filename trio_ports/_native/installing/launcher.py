"""Launchers: small scripts that run a command of several words, because a browser starts a single path."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from ..._util import check_type
from ..programs import is_noexec
from .command import is_writable, refusal

_MARK: Final = "Written by trio_ports.native.install; uninstall removes it."
"""Distinguishes a launcher from a program of somebody else's in its place."""

_NAMED_BY: Final = "Named by "

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

_FOREIGN: Final = (
    "PYTHONHOME PYTHONPATH PYTHONPLATLIBDIR PYTHONSTARTUP PYTHONEXECUTABLE PYTHONUSERBASE PYTHONNOUSERSITE "
    "PYTHONSAFEPATH PYTHONCASEOK PYTHONPYCACHEPREFIX PYTHONINSPECT PYTHONOPTIMIZE PYTHONDEBUG PYTHONVERBOSE "
    "PYTHONWARNINGS PYTHONBREAKPOINT __PYVENV_LAUNCHER__"
)
"""Variables that were meant for the browser's own Python, such as an AppImage's, and would break the application's."""

_FOREIGN_LIBRARIES: Final = (
    'case "${LD_LIBRARY_PATH-}" in */.mount_*|*/snap/*) unset LD_LIBRARY_PATH;; esac',
    'case "${LD_PRELOAD-}" in */.mount_*|*/snap/*) unset LD_PRELOAD;; esac',
)
"""The same for libraries of a browser from an AppImage or a Snap; others may be meant for everybody."""


def check_variables(variables: Mapping[str, str], *, windows: bool) -> None:
    """Raise TypeError or ValueError for variables that a launcher could not set."""
    check_type("env", variables, Mapping)
    for name, value in variables.items():
        check_type("each name in env", name, str)
        check_type("each value in env", value, str)
        if not _VARIABLE.fullmatch(name) or not is_writable(value, windows=windows):
            raise ValueError(
                f"env must have names of letters, digits and underscores, and plain values: {name}={value!r}"
            )


def check_executable_folder(folder: Path) -> None:
    """Raise ManifestError if nothing in ``folder`` can be executed, because of how it is mounted."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        noexec = is_noexec(there)
    except FileNotFoundError:  # It has just been removed.
        check_executable_folder(folder)
        return
    if noexec:
        rule = (
            "must not be on a file system mounted noexec, where no browser can start it; give another launcher_folder"
        )
        raise refusal(str(folder), rule)


def launcher_text(
    words: Sequence[str],
    *,
    windows: bool,
    env: Mapping[str, str] | None = None,
    manifests: Iterable[Path] = (),
) -> bytes:
    """Return a script that runs ``words`` with the script's own arguments, deaf to the browser's Python variables.

    Args:
        words: the command.
        windows: whether cmd.exe reads it.
        env: variables that it sets first.
        manifests: the manifests that name the script; `manifests_of` finds them in it.
    """
    # A path with a line end could add a command.
    named = [f"{_NAMED_BY}{file}" for file in manifests if not set("\r\n") & set(str(file))]
    if not windows:
        lines = ["#!/bin/sh", *(f"# {line}" for line in (_MARK, *named))]
        lines += [f"unset {_FOREIGN}", *_FOREIGN_LIBRARIES]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in (env or {}).items()]
        return os.fsencode("\n".join([*lines, f'exec {shlex.join(words)} "$@"', ""]))
    lines = ["@echo off", *(f"rem {line}" for line in (_MARK, *named))]
    lines += [f"set {name}=" for name in _FOREIGN.split()]
    lines += [f'set "{name}={value.replace("%", "%%")}"' for name, value in (env or {}).items()]
    lines.append(" ".join([*map(_cmd_word, words), "%*"]))
    if not "".join(lines).isascii():
        # cmd.exe reads a batch file in the console's code page, which is rarely UTF-8.
        lines.insert(1, "chcp 65001 >nul")
    return "".join(f"{line}\r\n" for line in lines).encode()


def manifests_of(data: bytes) -> list[Path]:
    """Return the manifests that name a launcher, as its own text says."""
    lines = [os.fsdecode(line).removeprefix("rem ").removeprefix("# ") for line in data.splitlines()]
    return [Path(line.removeprefix(_NAMED_BY)) for line in lines if line.startswith(_NAMED_BY)]


def command_of(data: bytes) -> list[str]:
    """Return the words that a launcher runs, as its own text says; none for a batch file, or if it was edited."""
    words: list[str] = []
    if data.startswith(b"#!"):
        with contextlib.suppress(ValueError):  # A quotation without an end.
            words = shlex.split(os.fsdecode(data), comments=True)
    return words[words.index("exec") + 1 : -1] if "exec" in words else []


def is_launcher(data: bytes) -> bool:
    """Return whether a file's content is a launcher of ours."""
    return _MARK.encode() in data[:200]


def _cmd_word(word: str) -> str:
    """Return a word as cmd.exe and then the program's own reading of its command line take it."""
    # The program: backslashes count only before a quote. cmd.exe: nothing between quotes
    # is special but %. A quote in a word would end that, so there everything is escaped.
    quoted = '"' + re.sub(r'(\\*)("|\Z)', lambda found: found[1] * 2 + ('\\"' if found[2] else ""), word) + '"'
    if '"' in word:
        quoted = re.sub(r'[()^"<>&|!]', r"^\g<0>", quoted)
    return quoted.replace("%", "%%")
