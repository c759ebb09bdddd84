"""Standard error: the last line that a program wrote there, and whether it died of an uncaught error."""

from __future__ import annotations

import re
from typing import Final

MAX_LINE_LETTERS: Final = 200
"""A longer line is cut."""
_UNCAUGHT: Final = re.compile(
    r"Traceback \(most recent call last\)|Uncaught|panicked at|^panic: |Unhandled|"
    r"^\w*(?:Error|Exception)\b.*\n\s+at |terminate called",
    re.MULTILINE,
)
"""How the languages begin the report of an uncaught error."""


def last_line(errors: str) -> str:
    """Return the line that names an uncaught error, or else the last line; an empty text if there is none."""
    lines = _lines(errors)
    return find_uncaught_error(errors) or (lines[-1][:MAX_LINE_LETTERS] if lines else "")


def find_uncaught_error(errors: str) -> str | None:
    """Return the line that names an uncaught error, or None if there was no such error."""
    found = _UNCAUGHT.search(errors)
    if found is None:
        return None
    lines = _lines(errors[found.start() :])
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception|error)\b", line)]
    return (named or lines)[-1][:MAX_LINE_LETTERS]


def _lines(errors: str) -> list[str]:
    """Return the lines that are not empty, without the margin that Python draws beside exception groups."""
    return [line for line in (line.lstrip(" \t|+-").rstrip() for line in errors.splitlines()) if line]
