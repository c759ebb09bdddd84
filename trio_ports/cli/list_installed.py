"""The command `trio-ports list`: which native applications are installed, and whether they are sound."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from .._native.installing.listing import OURS, InstalledManifest
from .._native.installing.listing import list_installed as installed
from .application import complete_name
from .browser_options import ALL, browser_options
from .output import Output, printable
from .running import finish


@click.command("list")
@browser_options(ALL, about="Only for these browsers.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON list, for programs.")
@click.argument("name", required=False, shell_complete=complete_name)
def list_installed(*, name: str | None, browsers: tuple[str, ...], profile: Path | None, as_json: bool) -> None:
    """List the native applications that browsers find, or the one called NAME.

    For each manifest: whether a browser would accept it and find its program, which
    browsers look there, and who put it there. Ends with 0 if all are sound, and with 1 if
    one is not, or if there is none called NAME.

    Example: trio-ports list --browser firefox
    """
    found = installed(None if browsers == ALL else browsers, profile)
    if name is not None:
        found = [each for each in found if each.name == name]
    output = Output()
    if as_json:
        output.write(json.dumps([as_plain(each) for each in found], indent=2) + "\n")
    else:
        _write(found, name, output)
    sys.exit(finish(any(each.problem for each in found) or (name is not None and not found), output))


def as_plain(each: InstalledManifest) -> dict[str, Any]:
    """Return a manifest as a JSON value."""
    return {
        "name": each.name,
        "file": str(each.file),
        "browsers": list(each.browsers),
        "system": each.system,
        "command": list(each.command),
        "by": "trio-ports" if each.by == OURS else "other" if each.by is None else "package",
        "package": None if each.by == OURS else each.by,
        "sound": each.problem is None,
        "problem": each.problem,
    }


def _write(found: list[InstalledManifest], name: str | None, output: Output) -> None:
    if not found:
        click.echo(f"{name or 'No native application'} is not installed where this looked.", err=True)
    heading = ""
    for each in found:
        if each.name != heading:
            heading = each.name
            output.write_text(Text(printable(heading), "bold"))
        sound = ("ok     ", "green") if each.problem is None else ("broken ", "bold red")
        by = "by trio-ports" if each.by == OURS else "by others" if each.by is None else f"by package {each.by}"
        whom = "for all users" if each.system else "for this user"
        browsers = f"  {', '.join(each.browsers)};" if each.browsers else ""
        output.write_text(Text.assemble("  ", sound, printable(str(each.file)), (f"{browsers} {whom}, {by}", "dim")))
        output.write_text(Text(printable(f"         {each.problem or 'starts ' + shlex.join(each.command)}")))
