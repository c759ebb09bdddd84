"""Run the command line: in this process, and as a program."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import pytest
from support import PATIENCE_SECONDS

import trio_ports
from trio_ports.cli.commands import program

PACKAGE_FOLDER = str(Path(trio_ports.__file__).parent.parent)


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command line puts its temporary files; the child processes find the package under test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([PACKAGE_FOLDER, os.environ.get("PYTHONPATH", "")]))
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "PYTHONIOENCODING", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def command(temporary_folder: Path) -> Callable[..., click.testing.Result]:
    """Call a command in this process."""
    return lambda *arguments: click.testing.CliRunner().invoke(program, arguments)


@pytest.fixture
def child(temporary_folder: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a command as a program of its own."""

    def run(*arguments: str, stdout: Any = subprocess.PIPE, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "trio_ports", *arguments],
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
            timeout=PATIENCE_SECONDS,
            encoding="utf-8",
            env={**os.environ, **environment},
        )

    return run
