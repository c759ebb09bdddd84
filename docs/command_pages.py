"""The pages of the commands: for each command of `trio-ports` what `--help` says, written when the docs are built."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import click
from sphinx.application import Sphinx

from trio_ports.cli.commands import program

FOLDER = Path("reference", "commands")
"""Where the pages are written; git does not see them."""


def write_pages(app: Sphinx) -> None:
    """Write the pages, and remove those of commands that are no longer there."""
    folder = Path(app.srcdir, FOLDER)
    folder.mkdir(exist_ok=True)
    context = click.Context(program, info_name="trio-ports")
    names = program.list_commands(context)
    for page in folder.glob("*.rst"):
        if page.stem not in names:
            page.unlink()
    for name in names:
        command = program.get_command(context, name)
        assert command is not None, name
        text = "\n".join([*write_page(command, click.Context(command, info_name=name, parent=context)), ""])
        page = folder / f"{name}.rst"
        if not page.exists() or page.read_text() != text:  # Otherwise every build would read it again.
            page.write_text(text)


def write_page(command: click.Command, context: click.Context) -> Iterator[str]:
    """Return the page of one command, line by line."""
    title = f"``{context.command_path}``"
    yield from (title, "=" * len(title), "")
    text, _, example = inspect.cleandoc(command.help or "").partition("Example: ")
    yield from (escape(text.strip()), "")
    yield from (".. code-block:: console", "", f"   $ {example.strip()}", "")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield from ("Usage::", "", f"   {usage}", "")
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1]:  # Arguments are in the text.
            yield from (f"``{record[0]}``", f"   {escape(record[1])}")
    yield from ("", "Its exit statuses, and what it writes for programs: :doc:`../command_line`.")


def escape(text: str) -> str:
    """Return a text without anything that would be markup."""
    return "".join(f"\\{letter}" if letter in "\\*`|_<>" else letter for letter in text)
