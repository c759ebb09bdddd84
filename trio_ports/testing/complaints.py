"""Complaints: what a program wrote to its standard error, and whether that is an error that nobody caught."""

from __future__ import annotations

import re
from typing import Final

MOST_LETTERS: Final = 200
"""More of a line is not shown."""
_UNCAUGHT: Final = re.compile(
    r"Traceback \(most recent call last\)|Uncaught|panicked at|^panic: |Unhandled|"
    r"^\w*(?:Error|Exception)\b.*\n\s+at |terminate called",
    re.MULTILINE,
)
"""How languages begin to say that nobody caught an error."""


def last_words(errors: str) -> str:
    """Return the last line, or that of an error that nobody caught; nothing, if there is none."""
    said = _lines(errors)
    return find_crash(errors) or (said[-1][:MOST_LETTERS] if said else "")


def find_crash(errors: str) -> str | None:
    """Return the last line of an error that nobody caught; None if there was none."""
    found = _UNCAUGHT.search(errors)
    if found is None:
        return None
    lines = _lines(errors[found.start() :])
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception|error)\b", line)]
    return (named or lines)[-1][:MOST_LETTERS]


def _lines(errors: str) -> list[str]:
    return [line for line in map(_undecorated, errors.splitlines()) if line]


def _undecorated(line: str) -> str:
    """Return a line of an error without the margin that Python gives to groups."""
    return line.lstrip(" \t|+-").rstrip()
