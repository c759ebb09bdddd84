"""The entry point: exit statuses."""

import sys

import click
import pytest

import trio_ports.cli
from trio_ports.cli import commands, main


def exit_status(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["trio-ports", *arguments])
    with pytest.raises(SystemExit) as exited:
        main()
    return exited.value.code


def raiser(error: BaseException):
    def program(**options: object) -> None:
        raise error

    return program


def test_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Help is a success, and names every sub-command."""
    assert exit_status(monkeypatch, "--help") == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in commands.COMMANDS)


@pytest.mark.parametrize("arguments", [["nonsense"], ["demo", "--scene", "nonsense"], ["demo", "extra"]])
def test_wrong_usage(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage is explained on standard error, with status 2."""
    assert exit_status(monkeypatch, *arguments) == 2
    printed = capsys.readouterr()
    assert "Usage:" in printed.err
    assert not printed.out


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), BaseExceptionGroup("", [KeyboardInterrupt()]), click.Abort()],
    ids=["plain", "in a group", "at a prompt"],
)
def test_interrupted_anywhere(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with 130 wherever it strikes."""
    monkeypatch.setattr(commands, "program", raiser(error))
    assert exit_status(monkeypatch) == trio_ports.cli.INTERRUPTED


def test_status_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command returns is the exit status."""
    monkeypatch.setattr(commands, "program", lambda **options: 7)
    assert exit_status(monkeypatch) == 7
