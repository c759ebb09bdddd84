"""The command `trio-ports init`: the files of a new extension and its native application, ready to run."""

from __future__ import annotations

import os
import shlex
import string
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from .._protocol.extension_ids import id_of_key, new_key
from .._protocol.manifests import is_application_name
from .output import Output

START: Final = Path(__file__).with_name("start")
SUFFIX: Final = ".template"
"""The files of a start have it, because they are not programs yet: `string.Template` fills them in."""


@click.command()
@click.option(
    "--name",
    metavar="NAME",
    help="The application's name, as the extension calls it; the folder's name, with underscores for hyphens, "
    "unless given.",
)
@click.argument("directory", type=click.Path(path_type=Path))
def init(*, directory: Path, name: str | None) -> None:
    """Write an extension for Firefox and Chromium, and a native application that it talks to.

    DIRECTORY gets the extension, the application, a program that installs it, tests, and
    a README that says how to run them. It may be there already, but no file is ever
    overwritten.

    Example: trio-ports init notes
    """
    name = directory.resolve().name.lower().replace("-", "_") if name is None else name
    _check_name(name)
    key = new_key()
    fields = {"name": name, "key": key, "firefox_id": f"{name}@example.org", "chromium_id": id_of_key(key)}
    files = {
        directory / template.relative_to(START).with_suffix(""): template for template in START.rglob(f"*{SUFFIX}")
    }
    standing = [str(file) for file in files if os.path.lexists(file)]
    if standing:
        raise click.ClickException(f"nothing was written, because these exist: {', '.join(sorted(standing))}")
    output = Output()
    try:
        for file, template in sorted(files.items()):
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as opened:
                opened.write(string.Template(template.read_text(encoding="utf-8")).substitute(fields))
            output.write_text(Text(f"created {file}"))
    except OSError as error:
        raise click.ClickException(f"cannot write {error.filename}: {error.strerror}") from error
    output.write_text(Text(f"\nNow see them talk, in a browser of their own:\n\n    cd {shlex.quote(str(directory))}"))
    output.write_text(
        Text('    trio-ports try --extension extension --app "python app.py" --browser firefox --watch\n')
    )
    output.write_text(Text(f"{directory / 'README.md'} says how to go on."))


def _check_name(name: str) -> None:
    """Raise UsageError for a name that one of the browsers would refuse."""
    if not is_application_name(name, "chromium"):
        raise click.UsageError(
            f"{name!r} cannot be the name of a native application. It is made of lower-case letters, digits and "
            "underscores, in parts separated by single dots: give one with --name, such as --name com.example.notes"
        )
