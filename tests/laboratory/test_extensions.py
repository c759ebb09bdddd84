"""The folder of the player's extension."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trio_ports._laboratory.browsers.find import BrowserKind
from trio_ports._laboratory.extensions import PlayerExtension, write_extension


@pytest.mark.parametrize("kind", ["firefox", "chromium"])
def test_extensions_differ_by_their_name(kind: BrowserKind, tmp_path: Path) -> None:
    """In their id, in what was added to the manifest, and in nothing else."""
    for name in "a", "b":
        extra = {"externally_connectable": {"ids": [name]}}
        write_extension(tmp_path / name, kind, PlayerExtension(name, extra), f"// {name}\n")
    a, b = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in "ab")
    id_field = {"firefox": "browser_specific_settings", "chromium": "key"}[kind]
    assert {key for key in a if a[key] != b[key]} == {id_field, "externally_connectable"}
    assert (tmp_path / "b" / "settings.js").read_text() == "// b\n"
