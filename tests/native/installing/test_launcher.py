"""Launchers: what they run, where they are, and when they are removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID, FOR_BOTH, FOR_FIREFOX, PROGRAM, files_below

from trio_ports import ManifestError
from trio_ports.native import FileChange, find_manifest, install, uninstall


def test_a_manifest_that_was_edited_is_removed_with_its_launcher(tmp_path: Path) -> None:
    """It names our launcher, so it is ours in any form; and it does not come back from where it was kept."""
    launcher, manifest = install("app", [PROGRAM, "-c", "1"], **FOR_FIREFOX, manifest_folders=[tmp_path])
    for _ in range(2):
        edited = {**json.loads(manifest.file.read_bytes()), "allowed_extensions": [FIREFOX_ID, "more@example.org"]}
        manifest.file.write_text(json.dumps(edited))
        install("app", [PROGRAM, "-c", "1"], **FOR_FIREFOX, manifest_folders=[tmp_path])
    removed = uninstall("app", manifest_folders=[tmp_path])
    assert removed == [FileChange(manifest.file, "removed"), FileChange(launcher.file, "removed")]
    assert not (tmp_path / "app.json").exists()


def test_a_launcher_stays_as_long_as_a_manifest_names_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Firefox's manifest goes, Chrome's stays, and so does what both name; a manifest of others does not count."""
    launcher, *manifests = install("app", [PROGRAM, "-c", "1"], **FOR_BOTH)
    gone = uninstall("app", browsers=["firefox"])
    assert gone == [FileChange(manifests[0].file, "removed"), FileChange(launcher.file, "left")]
    found = find_manifest("app", extension_id=CHROMIUM_ID)
    assert Path(found.path).exists()
    uninstall("app", browsers=["chromium"])
    assert launcher.file.exists()
    manifests[0].file.parent.mkdir(parents=True)
    manifests[0].file.write_text('{"path": "/opt/theirs"}')
    assert FileChange(launcher.file, "removed") in uninstall("app", browsers=["chrome"])
    assert list(files_below(home)) == [".mozilla/native-messaging-hosts/app.json"]


def test_a_manifest_that_cannot_be_read_names_no_launcher(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is another user's, perhaps; and nobody can ask it."""
    launcher, _, chromium, chrome = install("app", [PROGRAM, "-c", "1"], **FOR_BOTH)
    look = Path.open

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self in (chromium.file, chrome.file):
            raise PermissionError
        return look(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    assert FileChange(launcher.file, "removed") in uninstall("app", browsers=["firefox"])


def test_a_command_gets_a_launcher(tmp_path: Path) -> None:
    """A browser calls one path, with next to no PATH: the launcher names everything absolutely and passes arguments."""
    folder = tmp_path / "with a space"
    code = "import sys; print(sys.argv[1:])"
    launcher, manifest = install(
        "app", [sys.executable, "-c", code, "it's"], **FOR_BOTH, manifest_folders=[folder], launcher_folder=folder
    )
    assert json.loads(manifest.file.read_bytes())["path"] == str(launcher.file)
    run = subprocess.run([launcher.file, "a b", '"'], capture_output=True, check=True, text=True, env={"PATH": ""})
    assert run.stdout == repr(["it's", "a b", '"']) + "\n"
    launcher.file.chmod(0o600)
    assert [
        change.action
        for change in install(
            "app", [sys.executable, "-c", code, "it's"], **FOR_BOTH, manifest_folders=[folder], launcher_folder=folder
        )
    ] == ["repaired", "unchanged"]
    assert os.access(launcher.file, os.X_OK)
    removed = uninstall("app", manifest_folders=[folder], launcher_folder=folder)
    assert {change.file for change in removed} == {launcher.file, manifest.file}
    assert files_below(folder) == {}


def test_without_a_folder_the_launcher_is_among_the_users_data(home: Path) -> None:
    """Where updates and caches don't prune it."""
    launcher, _ = install("app", [sys.executable, __file__], allowed_extensions=[FIREFOX_ID])
    assert launcher.file == home / ".local/share/trio-ports/app"
    assert launcher in [FileChange(change.file, "created") for change in uninstall("app")]


@pytest.mark.parametrize("command", ["python3 /opt/app.py", "/usr/bin/env python3"])
def test_one_text_is_no_command_of_several_words(command: str) -> None:
    """The error shows the list that was meant; a program whose name has spaces in it is one word, and there."""
    with pytest.raises(ManifestError) as caught:
        install("app", command, **FOR_FIREFOX)
    assert f"; several words are a list: {command.split()}" in str(caught.value)
    with pytest.raises(ManifestError) as caught:
        install("app", [command, "word"], **FOR_FIREFOX)
    assert "are a list" not in str(caught.value)


def test_words_of_a_command_may_be_anything_else(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 in a file's name, code with dots and line ends, words without a file."""
    words = ["-c", "printf '%s\\n' \"$@\" # a.b\n", "sh", "caf\udce9", "x.y", "sub/z", "a" * 300 + ".py", "it's"]
    launcher, _ = install("app", [PROGRAM, *words], **FOR_FIREFOX, manifest_folders=[tmp_path])
    run = subprocess.run([launcher.file], capture_output=True, check=True)
    assert os.fsdecode(run.stdout).splitlines() == words[3:]


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("linux", "/usr/local/share/trio-ports"), ("darwin", "/Library/Application Support/trio-ports")],
)
def test_a_launcher_for_all_users_is_where_all_can_read(
    monkeypatch: pytest.MonkeyPatch, platform: str, folder: str
) -> None:
    """In the administrator's own folders nobody else could start it, whatever their environment says."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("XDG_DATA_DIRS", "/home/me/share")
    launcher, _ = install("app", [PROGRAM, "-c", ""], **FOR_FIREFOX, system=True, dry_run=True)
    assert launcher.file == Path(folder, "app")
