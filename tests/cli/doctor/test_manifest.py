"""Where a browser looks, which manifest wins, and what is there instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID, write_manifest

from trio_ports._native.browser_side import find
from trio_ports._protocol.errors import Cause
from trio_ports.cli.doctor.manifest import Answer, Question, examine_manifest

USER = {"firefox": ".mozilla/native-messaging-hosts", "chromium": ".config/chromium/NativeMessagingHosts"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home; the system's folder is in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(find, "system_folders", lambda places: [tmp_path / "system" / places[0].family])
    for folder in (*USER.values(), "system/firefox", "system/chromium"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def ask(family: Any, name: str = "app", **more: Any) -> Answer:
    return examine_manifest(Question(name, family, family, **more))


def details(answer: Answer, kind: str = "") -> str:
    """Return the details of the findings of that kind, which has to be there."""
    found = [finding.detail for finding in answer.findings if finding.id == kind and finding.check == "manifest"]
    assert found
    return "; ".join(found)


@pytest.mark.parametrize("family", USER)
def test_which_one_wins(home: Path, family: str) -> None:
    """The user's; what it hides is named."""
    system = write_manifest(home / "system" / family, "/bin/sh")
    assert details(ask(family)) == f"{system}, in place 2 of the search"
    users = write_manifest(home / USER[family], "/bin/sh")
    assert details(ask(family)) == f"{users}; it hides {system}"
    assert ask(family).file == users


def test_firefox_passes_over_what_it_does_not_accept(home: Path) -> None:
    """That is a warning; Chromium stays with the first one, which is then the fault."""
    for family, folder in USER.items():
        write_manifest(home / "system" / family, "/bin/sh")
        write_manifest(home / folder, "/bin/sh", type="socket")
    answer = ask("firefox")
    assert [(each.id, each.status) for each in answer.findings if each.id] == [("manifest-skipped", "warn")]
    assert answer.file == home / "system/firefox/app.json"
    answer = ask("chromium")
    assert [(each.id, each.status) for each in answer.findings if each.id] == [("manifest-type", "fail")]


def test_firefox_passes_over_what_allows_somebody_else(home: Path) -> None:
    """The extension that asks decides which manifest wins; without one, everybody's will do."""
    write_manifest(home / USER["firefox"], "/bin/sh", allowed_extensions=["somebody@else.example"])
    write_manifest(home / "system/firefox", "/bin/sh")
    assert ask("firefox", extension_id=FIREFOX_ID).file == home / "system/firefox/app.json"
    assert ask("firefox").extension_id == "somebody@else.example"


def test_what_is_there_instead(home: Path) -> None:
    """A misspelt file, a link that leads nowhere, and a manifest where only another browser looks."""
    folder = home / USER["chromium"]
    write_manifest(folder, "/bin/sh", "com.example.ap")
    (folder / "com.example.app.json").symlink_to(home / "gone")
    other = home / ".config/microsoft-edge/NativeMessagingHosts"
    other.mkdir(parents=True)
    write_manifest(other, "/bin/sh", "com.example.app")
    text = details(ask("chromium", "com.example.app"), "manifest-not-found")
    assert f"{folder}/com.example.app.json is a link that leads nowhere" in text
    assert f"there is {folder}/com.example.ap.json" in text
    assert f"{other}/com.example.app.json, where edge looks" in text


def test_folders_that_are_not_there_or_closed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can look into them; a closed one is named."""
    stat = Path.stat

    def refuse(path: Path, **options: Any) -> Any:
        if path.parent == home / USER["firefox"]:
            raise PermissionError(13, "Permission denied")
        return stat(path, **options)

    (home / "system/firefox").rmdir()
    monkeypatch.setattr(Path, "stat", refuse)
    assert f"{home / USER['firefox']} may not be entered" in details(ask("firefox"), "manifest-not-found")


def test_no_folder_at_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home, on a system that has no places."""
    monkeypatch.setattr(find, "files_of", lambda *_: iter([]))
    assert "none to look in" in details(ask("firefox"), "manifest-not-found")


@pytest.mark.parametrize(
    ("family", "name", "is_right"),
    [
        ("firefox", "Lab.Upper", True),
        ("chromium", "Lab.Upper", False),
        ("firefox", "lab-dash", False),
        ("chromium", "", False),
        ("chromium", "lab..dots", False),
        ("firefox", "x" * 300, True),
    ],
)
def test_names(home: Path, family: str, name: str, is_right: bool) -> None:
    """Each family has its own rule; a name may be too long for a file."""
    (finding,) = ask(family, name).findings
    assert finding.id == ("manifest-not-found" if is_right else "bad-name")


def test_a_manifest_that_cannot_be_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's words are in the detail."""
    write_manifest(home / USER["chromium"], "/bin/sh")

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in details(ask("chromium"), "manifest-unreadable")


def test_nobody_is_allowed(home: Path) -> None:
    """An empty list is valid in Chromium; nobody can start the application."""
    write_manifest(home / USER["chromium"], "/bin/sh", allowed_origins=[])
    assert [each.id for each in ask("chromium").findings if each.id] == ["not-allowed"]


@pytest.mark.parametrize(
    ("family", "fields", "text"),
    [
        ("chromium", {"allowed_origins": ...}, "allowed_extensions is for the other family"),
        ("firefox", {"allowed_extensions": ...}, "allowed_origins is for the other family"),
        ("firefox", {"allowed_extensions": 5}, "found 5"),
        ("firefox", {"allowed_extensions": [5]}, "found [5]"),
    ],
)
def test_the_list_that_counts(home: Path, family: str, fields: dict[str, Any], text: str) -> None:
    """A list for the other family is a common mistake; who asks is taken from what is right of it."""
    write_manifest(home / USER[family], "/bin/sh", **fields)
    answer = ask(family)
    (finding,) = [each for each in answer.findings if each.id]
    assert finding.id == "manifest-allowed"
    assert text in finding.detail
    assert ("allowed_origins" if family == "chromium" else "allowed_extensions") in finding.remedy


@pytest.mark.parametrize(
    ("path", "cause"), [("~/there", Cause.INTERPRETER_MISSING), ("~/gone", Cause.PROGRAM_MISSING), ("~x", None)]
)
def test_a_path_in_the_home(home: Path, path: str, cause: Cause | None) -> None:
    """Firefox looks for it in the home, and cannot start it there; to Chromium it is no path."""
    (home / "there").touch(0o755)
    for family, expected in ("firefox", cause or Cause.PROGRAM_MISSING), ("chromium", Cause.MANIFEST_INVALID):
        write_manifest(home / USER[family], path)
        assert [each.cause for each in ask(family).findings if each.id] == [expected]


def test_a_folder_of_ones_own(home: Path) -> None:
    """Only that one is searched, and no other browser's places are named."""
    folder = home / "mine"
    folder.mkdir()
    text = details(ask("chromium", manifest_folders=[folder]), "manifest-not-found")
    assert text == f"there is no app.json in {folder}"
    file = folder / "app.json"
    file.write_text(json.dumps({"name": "app", "path": "/bin/sh"}))
    answer = ask("chromium", manifest_folders=[folder], extension_id=CHROMIUM_ID)
    assert [each.id for each in answer.findings if each.id] == [
        "manifest-description",
        "manifest-type",
        "manifest-allowed",
    ]
