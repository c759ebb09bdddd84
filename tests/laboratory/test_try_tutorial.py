"""The commands of the tutorial's second chapter, and its pictures."""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path
from typing import Any

import pytest
from laboratory.shared import require

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


@pytest.fixture
def pictures() -> dict[str, Any]:
    """What the script that makes the pictures defines."""
    return runpy.run_path(str(DOCS / "pictures.py"))


def test_every_command_does_what_its_picture_shows(pictures: dict[str, Any]) -> None:
    """If one prints something else now, `python docs/pictures.py` makes the pictures anew."""
    require("firefox")
    with tempfile.TemporaryDirectory(prefix="tp-", dir="/tmp") as folder:
        shown = pictures["run_chapter"](Path(folder))
        assert [*Path(folder, "home").iterdir()] == []
    kept = {file.stem: file.read_text(encoding="utf-8") for file in (DOCS / "terminal").glob("*.txt")}
    plain = pictures["plain"]
    assert {name: plain(text) for name, text in shown.items()} == {name: plain(text) for name, text in kept.items()}


def test_the_chapter_and_the_readme_start_in_the_same_way() -> None:
    """With the same command."""
    command = 'trio-ports try --extension extension --app "python app.py" --browser firefox --watch'
    for file in DOCS / "tutorial_extension.rst", DOCS.parent / "README.md":
        assert command in file.read_text(encoding="utf-8")


def test_what_differs_between_runs(pictures: dict[str, Any]) -> None:
    """Numbers, colours and the order of lines."""
    plain = pictures["plain"]
    assert plain("\x1b[1mb   1.5 x\x1b[0m\na 12 y") == plain("a 3 y\nb 20.25 x")
    assert plain("a 12 y") != plain("a 12 z")
