"""The table of sub-commands."""

import inspect
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from trio_ports.cli.commands import COMMANDS, program
from trio_ports.native import install


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


def test_every_command_shows_an_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The help ends with one that has all that the command asks for."""
    (tmp_path / "extension").mkdir()
    monkeypatch.chdir(tmp_path)
    context = click.Context(program)
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        _, found, example = inspect.cleandoc(command.help or "").partition("\n\nExample: trio-ports ")
        assert found, name
        words = shlex.split(example)
        assert words[0] == name
        command.make_context(name, words[1:])


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("inst", ["plain,install"]),
        ("uninstall com.example.c", ["plain,com.example.completed"]),
        ("list com.example.c", ["plain,com.example.completed"]),
        ("talk com.example.c", ["file,com.example.c", "plain,com.example.completed"]),
        ("check com.example.c", ["file,com.example.c", "plain,com.example.completed"]),
        ("install --browser firefox,wat", ["plain,firefox,waterfox"]),
        ("install --browser inst", ["plain,installed"]),
        ("uninstall --browser al", ["plain,all"]),
    ],
)
def test_completion(child, tmp_path, monkeypatch: pytest.MonkeyPatch, line: str, completed: list[str]) -> None:
    """The shell completes commands, browsers, and the names of installed applications."""
    monkeypatch.setenv("HOME", str(tmp_path))
    install("com.example.completed", "/bin/sh", allowed_extensions=["notes@example.org"])
    words = f"trio-ports {line}"
    ran = child(_TRIO_PORTS_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1))
    assert ran.stdout.splitlines() == completed
