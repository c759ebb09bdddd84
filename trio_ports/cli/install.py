"""The command `trio-ports install`: let browsers find a native application."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from .._native.installing.install import install as install_application
from .._protocol.errors import NoHomeError
from .._protocol.manifests import CHROMIUM_ID, Family, extension_origin
from .._protocol.places import BROWSERS
from .browser_options import ALL, INSTALLED, browser_options
from .changes import as_plain, refuse, write_changes
from .output import Output, printable
from .running import finish

WINDOWS: Final = os.name == "nt"
ORIGIN: Final = re.compile(r"(?:chrome-extension://)?([a-p]{32})/?", re.ASCII)
"""An origin of Chromium's family, with or without what is the same in all."""
ENV_LINE: Final = re.compile(rb"#![ \t]*/usr/bin/env[ \t]+(?:-S[ \t]+)?([^-\s=][^\r\n=]*)\n")
"""The first line of a script whose interpreter is looked for on the PATH, which browsers have another one of."""


def read_variables(
    ctx: click.Context,  # noqa: ARG001 - The signature is click's.
    param: click.Parameter,
    values: tuple[str, ...],
) -> dict[str, str]:
    """Return the variables in words like K=V."""
    for value in values:
        if "=" not in value:
            raise click.BadParameter(f"{value!r} is not of the form NAME=VALUE", param=param)
    return dict(value.split("=", 1) for value in values)


@click.command()
@click.option("--extension", "extensions", multiple=True, metavar="ID", help="An extension that may start it.")
@click.option(
    "--origin", "origins", multiple=True, metavar="ID|URL", help="The same by its origin, chrome-extension://ID/."
)
@browser_options(INSTALLED, ALL, about="Names of browsers; or those that are there, or all.")
@click.option("--system", is_flag=True, help="For all users of this machine.")
@click.option(
    "--env", "variables", multiple=True, metavar="NAME=VALUE", callback=read_variables, help="A variable for PROGRAM."
)
@click.option("--description", default="", help="What it is, for people; NAME unless given.")
@click.option(
    "--launcher-folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Where the launcher goes; among the user's data unless given.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object, for programs.")
@click.argument("name")
@click.argument("program", nargs=-1, required=True)
def install(
    *,
    name: str,
    program: tuple[str, ...],
    extensions: tuple[str, ...],
    origins: tuple[str, ...],
    browsers: tuple[str, ...],
    profile: Path | None,
    system: bool,
    variables: dict[str, str],
    description: str,
    launcher_folder: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Let browsers find PROGRAM as the native application NAME.

    PROGRAM is a program with its arguments; a Python script is run by the Python that
    runs this. Write -- before PROGRAM if its arguments begin with a dash. --extension,
    --origin and --env may be repeated. Everything is checked before the first file is
    written. Ends with 0 if it is installed, with 1 if it could not be, and with 2 if no
    browser could start it that way.

    Example: trio-ports install com.example.app ./app.py --extension notes@example.org
    """
    allowed = _allowed(extensions, origins)
    command = _command(program)
    if profile is not None:
        _check_profile(allowed)
    try:
        changes = install_application(
            name,
            command,
            description=description,
            allowed_extensions=allowed.get("firefox", []),
            allowed_origins=[extension_origin(each) for each in allowed.get("chromium", [])],
            browsers=None if profile is not None else _browsers(browsers, allowed),
            user_data_dir=profile,
            present_only=profile is None and browsers == INSTALLED,
            launcher_folder=launcher_folder,
            env=variables,
            system=system,
            dry_run=dry_run,
        )
    except (ValueError, NoHomeError, OSError) as error:
        refuse(error)
    if not changes:
        names = ", ".join(_browsers(ALL, allowed))
        raise click.ClickException(f"none of these browsers is here: {names}. To install for one anyway, name it.")
    output = Output()
    if as_json:
        plain = {"name": name, "command": command, "changes": [as_plain(change) for change in changes]}
        output.write(json.dumps(plain, indent=2) + "\n")
    else:
        write_changes(changes, output)
        whom = ", ".join(each for ids in allowed.values() for each in ids)
        output.write_text(Text(printable(f"It starts {shlex.join(command)}, for {whom}.")))
        for warning in _warnings(command, variables, system=system):
            output.write_text(Text(warning, "yellow"))
        for line in (
            ["Nothing was written."] if dry_run else _next_steps(name, changes[-1].file, profile, system=system)
        ):
            output.write_text(Text(line))
    sys.exit(finish(0, output))


def _allowed(extensions: Sequence[str], origins: Sequence[str]) -> dict[Family, list[str]]:
    """Return the ids of extensions by family."""
    allowed: dict[Family, list[str]] = {}
    for each in extensions:
        allowed.setdefault("chromium" if CHROMIUM_ID.fullmatch(each) else "firefox", []).append(each)
    for each in origins:
        origin = ORIGIN.fullmatch(each)
        if origin is None:
            raise click.BadParameter(
                f"{each!r} is not an origin of Chromium's, chrome-extension://ID/ with 32 letters from a to p",
                param_hint="--origin",
            )
        allowed.setdefault("chromium", []).append(origin[1])
    if not allowed:
        raise click.UsageError("which extension may start it? Give --extension or --origin; trio-ports id shows ids")
    return {family: list(dict.fromkeys(ids)) for family, ids in allowed.items()}


def _browsers(names: tuple[str, ...], allowed: dict[Family, list[str]]) -> list[str]:
    """Return the browsers to install for; a browser that is named needs an extension that may start it there."""
    if names in (ALL, INSTALLED):
        return [name for name, places in BROWSERS.items() if places.family in allowed]
    for name in names:
        if BROWSERS[name].family not in allowed:
            given = "--extension with an id of Firefox's" if BROWSERS[name].family == "firefox" else "--origin"
            raise click.UsageError(f"nobody may start it in {name}: give {given}")
    return list(names)


def _check_profile(allowed: dict[Family, list[str]]) -> None:
    if WINDOWS:
        raise click.UsageError("on Windows, the registry counts for profiles too: leave --profile out")
    if "chromium" not in allowed:
        raise click.UsageError("--profile is for Chromium's family: give --origin")


# The program ------------------------------------------------------------------------------------------------------


def _command(words: Sequence[str]) -> list[str]:
    """Return a command that does the same in any folder and with any PATH: with absolute paths and interpreters."""
    first, *rest = words
    found = shutil.which(first)
    if found is None and not Path(first).is_file():
        raise click.UsageError(f"there is no program {first!r}")
    program = Path(found or first).absolute()
    files = [str(Path(word).absolute()) if Path(word).is_file() else word for word in rest]
    return [*_interpreter(program), str(program), *files]


def _interpreter(program: Path) -> list[str]:
    """Return the words that have to stand before a script, if a browser could not find its interpreter, or another."""
    try:
        with program.open("rb") as opened:
            start = opened.read(4096)
    except PermissionError:
        return []
    line = ENV_LINE.match(start)
    words = [] if line is None else os.fsdecode(line[1]).split()
    is_python = program.suffix == ".py" if not words else re.fullmatch(r"python[\d.]*", words[0])
    if is_python and (words or not start.startswith(b"#!") or not os.access(program, os.X_OK)):
        return [sys.executable, *words[1:]]
    if words and (interpreter := shutil.which(words[0])) is not None:
        return [str(Path(interpreter).absolute()), *words[1:]]
    return []


# What is shown ----------------------------------------------------------------------------------------------------


def _warnings(command: Sequence[str], variables: dict[str, str], *, system: bool) -> Iterator[str]:
    """Return what may keep the program from working, although browsers find it and can start it."""
    if os.environ.get("PYTHONPATH") and "PYTHONPATH" not in variables and command[0] == sys.executable:
        yield "PYTHONPATH is set here, and will not be there: if it needs it, give --env."
    for word in command:
        if system and Path(word).is_absolute() and not _is_for_all(Path(word)):
            yield f"Other users may not read {printable(word)}."


def _is_for_all(path: Path) -> bool:
    """Return whether every user may read a file, as far as modes show; also if there is none."""
    try:
        others = [each.stat().st_mode for each in (path, *path.parents)]
    except OSError:
        return True
    return bool(others[0] & stat.S_IROTH) and all(mode & stat.S_IXOTH for mode in others[1:])


def _next_steps(name: str, manifest: Path, profile: Path | None, *, system: bool) -> list[str]:
    """Return what to do next. Only the browser of a profile finds what is installed for it."""
    found = name if profile is None else shlex.quote(str(manifest))
    options = "" if profile is None else f" --profile {shlex.quote(str(profile))}"
    return [
        f'In the extension: permission "nativeMessaging", and runtime.connectNative("{name}").',
        f"To talk to it from here: trio-ports talk {found}",
        f"If a browser does not start it: trio-ports doctor {found}",
        f"To remove it: trio-ports uninstall {name}{options}{' --system' if system else ''}",
    ]
