"""The table of sub-commands."""

import subprocess
import sys

import click

from trio_ports.cli.commands import COMMANDS, program


def test_every_command_is_there() -> None:
    """What the table names can be imported, under its own name, and says what it does."""
    context = click.Context(program)
    assert program.list_commands(context) == list(COMMANDS)
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help


def test_unknown_command() -> None:
    """There is no other."""
    assert program.get_command(click.Context(program), "nonsense") is None


def test_the_package_imports_no_command_line(child) -> None:
    """A program that uses the library never pays for the command line's tools."""
    code = "import sys, trio_ports; print(sorted({'click', 'rich', 'trio_ports.cli'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ran.stdout.strip() == "[]"
