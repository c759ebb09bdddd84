"""The command `trio-ports uninstall`: remove what `trio-ports install` has written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from .._native.installing.install import uninstall as uninstall_application
from .._protocol.errors import NoHomeError
from .application import complete_name
from .browser_options import ALL, browser_options
from .changes import as_plain, refuse, write_changes
from .output import Output
from .running import finish


@click.command()
@browser_options(ALL, about="Only for these browsers.")
@click.option("--system", is_flag=True, help="What was installed for all users of this machine.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object, for programs.")
@click.argument("name", shell_complete=complete_name)
def uninstall(
    *, name: str, browsers: tuple[str, ...], profile: Path | None, system: bool, dry_run: bool, as_json: bool
) -> None:
    """Remove the native application NAME from browsers.

    Only what was installed with trio-ports is removed, and what it had replaced comes
    back. Ends with 0 if these browsers no longer find it, also if nothing was there; with
    1 if a manifest was left, because somebody else wrote it, or could not be removed; and
    with 2 for wrong usage.

    Example: trio-ports uninstall com.example.app
    """
    try:
        changes = uninstall_application(
            name,
            browsers=None if browsers == ALL else list(browsers),
            user_data_dir=profile,
            system=system,
            dry_run=dry_run,
        )
    except (ValueError, NoHomeError, OSError) as error:
        refuse(error)
    output = Output()
    if as_json:
        output.write(json.dumps({"name": name, "changes": [as_plain(each) for each in changes]}, indent=2) + "\n")
    elif changes:
        write_changes(changes, output)
    else:
        where = "for all users" if system else "for this user"
        click.echo(f"{name} is not installed {where}; trio-ports list shows what is.", err=True)
    # A launcher may be left for other browsers; a manifest that is left is still found.
    found = any(change.action == "left" and change.file.suffix == ".json" for change in changes)
    sys.exit(finish(found, output))
