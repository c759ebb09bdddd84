"""What `trio-ports install` and `uninstall` have done to which file, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NoReturn

import click
from rich.text import Text

from .._native.installing.files import FileChange
from .._native.installing.listing import browsers_at
from .output import Output, printable

STYLES: Final = {"unchanged": "dim", "left": "yellow"}
"""How actions are shown, if not as what was done."""


def as_plain(change: FileChange) -> dict[str, Any]:
    """Return a change as a JSON value."""
    return {
        "file": str(change.file),
        "action": change.action,
        "done": change.done,
        "registered": change.registered,
        "browsers": list(browsers_at(change.file, change.registered)),
    }


def write_changes(changes: Iterable[FileChange], output: Output) -> None:
    """Write a line for each change."""
    for change in changes:
        browsers = ", ".join(browsers_at(change.file, change.registered))
        action = change.action if change.done or change.action in STYLES else f"would be {change.action}"
        line = Text.assemble((action, STYLES.get(change.action, "green")), f"  {printable(str(change.file))}")
        if browsers:
            line.append(f"  ({browsers})", "dim")
        output.write_text(line)


def refuse(error: Exception) -> NoReturn:
    """Show why a call of `install` or `uninstall` raised: 2 if it was asked for the wrong thing, 1 if it failed."""
    if not isinstance(error, OSError):
        raise click.UsageError(str(error)) from error
    file = f"{error.filename}: " if error.filename else ""
    notes: list[str] = getattr(error, "__notes__", [])
    raise click.ClickException(". ".join([f"{file}{error.strerror or error}", *notes])) from error
