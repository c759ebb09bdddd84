"""The command `trio-ports init`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click.testing
import pytest
from support import PATIENCE_SECONDS

from trio_ports._protocol.extension_ids import id_of_key

Command = Callable[..., click.testing.Result]
FILES = [
    "README.md",
    "app.py",
    "extension/background.js",
    "extension/manifest.json",
    "install.py",
    "pyproject.toml",
    "test_app.py",
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command runs."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def files_in(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_what_it_writes(command: Command, here: Path) -> None:
    """All files, with one name and one key in all of them, and what to do next."""
    result = command("init", "My-Notes")
    assert (result.exit_code, files_in(here / "My-Notes")) == (0, FILES)
    assert result.output.splitlines() == [
        *(f"created My-Notes/{name}" for name in FILES),
        "",
        "Now see them talk, in a browser of their own:",
        "",
        "    cd My-Notes",
        '    trio-ports try --extension extension --app "python app.py" --browser firefox --watch',
        "",
        "My-Notes/README.md says how to go on.",
    ]
    manifest = json.loads((here / "My-Notes/extension/manifest.json").read_text())
    assert manifest["name"] == "my_notes"
    assert manifest["browser_specific_settings"]["gecko"]["id"] == "my_notes@example.org"
    identity = id_of_key(manifest["key"])
    for name in "README.md", "install.py":
        assert identity in (here / "My-Notes" / name).read_text()
    assert 'connectNative("my_notes")' in (here / "My-Notes/extension/background.js").read_text()


def test_each_has_a_key_of_its_own(command: Command, here: Path) -> None:
    """So two extensions never have the same id."""
    keys = set()
    for name in "a", "b":
        assert command("init", name).exit_code == 0
        keys.add(json.loads((here / name / "extension/manifest.json").read_text())["key"])
    assert len(keys) == 2


@pytest.mark.parametrize("name", ["com.example.notes", "n_1"])
def test_a_name_of_ones_own(command: Command, here: Path, name: str) -> None:
    """It need not be the folder's, which may be there already."""
    assert command("init", ".", "--name", name).exit_code == 0
    assert json.loads((here / "extension/manifest.json").read_text())["name"] == name


@pytest.mark.parametrize("arguments", [["Überall"], ["a b"], ["a..b"], ["/"], ["ok", "--name", "Notes"]])
def test_a_name_that_browsers_refuse(command: Command, here: Path, arguments: list[str]) -> None:
    """It is refused in words, and nothing is written."""
    result = command("init", *arguments)
    assert (result.exit_code, files_in(here)) == (2, [])
    assert "cannot be the name of a native application" in result.output
    assert "--name com.example.notes" in " ".join(result.output.split())


@pytest.mark.parametrize("standing", ["app.py", "extension/manifest.json"])
def test_nothing_is_overwritten(command: Command, here: Path, standing: str) -> None:
    """If one of the files exists, if only as a link that leads nowhere, none is written; others may be there."""
    (here / "extension").mkdir()
    (here / "LICENSE").touch()
    (here / standing).symlink_to("nowhere")
    result = command("init", ".", "--name", "notes")
    assert (result.exit_code, files_in(here)) == (1, ["LICENSE"])
    assert result.output == f"Error: nothing was written, because these exist: {standing}\n"


def test_where_nothing_can_be_written(command: Command, here: Path) -> None:
    """The reason is the system's."""
    (here / "file").touch()
    result = command("init", "file", "--name", "notes")
    assert (result.exit_code, result.output) == (1, "Error: cannot write file: File exists\n")


def test_its_tests_pass(child: Callable[..., subprocess.CompletedProcess[str]], here: Path) -> None:
    """As they stand, with pytest's plugin."""
    assert child("init", "notes").returncode == 0
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=here / "notes",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert (ran.returncode, ran.stdout.splitlines()[-1].partition(" in ")[0]) == (0, "2 passed"), ran.stdout


def test_it_can_be_installed_and_removed(
    child: Callable[..., subprocess.CompletedProcess[str]], here: Path, tmp_path: Path
) -> None:
    """Its own program does that, for the browsers of the user; a home is afterwards as it was."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "XDG_CONFIG_HOME": str(home / "config")}
    assert child("init", "notes").returncode == 0
    for arguments, left in ([], 3), (["--remove"], 0):
        ran = subprocess.run(
            [sys.executable, here / "notes/install.py", *arguments],
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, **environment},
        )
        assert ran.stderr == ""
        assert len([*home.rglob("notes.json")]) == left
    assert [*home.iterdir()] == []
    shutil.rmtree(home)
