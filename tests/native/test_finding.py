"""Finding manifests as each family of browsers does, in folders that are no user's."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID, Registry, write_manifest

from trio_ports import Cause, ManifestError, NativeApplicationError
from trio_ports._native import finding
from trio_ports._native.finding import files_of, find_manifest, system_folders, user_folders
from trio_ports._protocol.places import BROWSERS


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The user's place, and the system's."""
    for name in ("user", "system"):
        (tmp_path / name).mkdir()
    return tmp_path / "user", tmp_path / "system"


def find(folders: Any, extension_id: str = FIREFOX_ID) -> Any:
    return find_manifest("app", extension_id=extension_id, manifest_folders=folders)


@pytest.mark.parametrize("extension_id", [FIREFOX_ID, CHROMIUM_ID])
def test_the_first_place_wins(folders: tuple[Path, Path], extension_id: str) -> None:
    """Rule 41: the user's own file before the system's; the manifest says where it was found."""
    file = write_manifest(folders[1], "/opt/system")
    found = find(folders, extension_id)
    assert (found.path, found.file) == ("/opt/system", file)
    write_manifest(folders[0], "/opt/user")
    assert find(folders, extension_id).path == "/opt/user"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"path": "relative"}, Cause.MANIFEST_INVALID),
        ({"name": "other"}, Cause.MANIFEST_INVALID),
        ({"allowed_extensions": ["other@example.org"], "allowed_origins": []}, Cause.NOT_ALLOWED),
    ],
)
def test_firefox_falls_through_and_chromium_stays(
    folders: tuple[Path, Path], changes: dict[str, Any], cause: Cause
) -> None:
    """Rule 41: a bad file in the user's place hides the system's from Chromium only."""
    file = write_manifest(folders[0], "/opt/user")
    write_manifest(folders[0], "/opt/user", **changes)
    write_manifest(folders[1], "/opt/system")
    assert find(folders).path == "/opt/system"
    with pytest.raises(NativeApplicationError) as caught:
        find(folders, CHROMIUM_ID)
    assert caught.value.cause is cause
    assert str(file) in str(caught.value)
    with pytest.raises(NativeApplicationError) as caught:
        find(folders[:1])
    assert caught.value.cause is cause
    assert isinstance(caught.value.__cause__, ManifestError) == (cause is Cause.MANIFEST_INVALID)


def test_a_file_that_cannot_be_read_is_invalid(folders: tuple[Path, Path]) -> None:
    """A folder in its place, for example."""
    (folders[0] / "app.json").mkdir()
    with pytest.raises(NativeApplicationError) as caught:
        find(folders)
    assert caught.value.cause is Cause.MANIFEST_INVALID


def test_absence_names_the_places(folders: tuple[Path, Path]) -> None:
    """What to mend: where the file should be."""
    with pytest.raises(NativeApplicationError, match=r"app\.json") as caught:
        find(folders)
    assert caught.value.cause is Cause.MANIFEST_NOT_FOUND
    assert all(str(folder) in str(caught.value) for folder in folders)


def test_a_bad_name_is_not_looked_for() -> None:
    """Not even as a path outside the folders."""
    with pytest.raises(NativeApplicationError) as caught:
        find_manifest("../app", extension_id=FIREFOX_ID, manifest_folders=["/"])
    assert caught.value.cause is Cause.BAD_NAME


def test_a_browser_chooses_places_and_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any of the table by its name; unknown ones are refused."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    folder = tmp_path / ".config" / "vivaldi" / "NativeMessagingHosts"
    folder.mkdir(parents=True)
    file = write_manifest(folder, "/opt/app")
    assert find_manifest("app", extension_id=CHROMIUM_ID, browser="vivaldi").file == file
    with pytest.raises(ValueError, match="'netscape'"):
        find_manifest("app", extension_id=CHROMIUM_ID, browser="netscape")


def test_each_system_has_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 42, from a home directory that is nobody's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    firefox = [BROWSERS["firefox"]]
    monkeypatch.setattr(sys, "platform", "linux")
    assert user_folders(firefox) == [tmp_path / ".mozilla/native-messaging-hosts"]
    assert system_folders(firefox)[0] == Path("/usr/lib/mozilla/native-messaging-hosts")
    files = list(files_of("app", "chromium"))
    assert files[0] == tmp_path / ".config/chromium/NativeMessagingHosts/app.json"
    assert Path("/etc/opt/chrome/native-messaging-hosts/app.json") in files
    monkeypatch.setattr(sys, "platform", "darwin")
    assert user_folders(firefox) == [tmp_path / "Library/Application Support/Mozilla/NativeMessagingHosts"]
    assert system_folders(firefox) == [Path("/Library/Application Support/Mozilla/NativeMessagingHosts")]


def test_on_windows_the_registry_names_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 42: the user's key before the machine's, Chromium's before Chrome's; relative paths are the manifest's."""
    registry = Registry()
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setattr(finding, "_WINDOWS", True)
    with pytest.raises(NativeApplicationError, match="the registry"):
        find_manifest("app", extension_id=CHROMIUM_ID)
    for number, (root, key) in enumerate(
        [
            ("HKLM", r"Software\Chromium\NativeMessagingHosts\app"),
            ("HKCU", r"Software\Google\Chrome\NativeMessagingHosts\app"),
            ("HKCU", r"Software\Chromium\NativeMessagingHosts\app"),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        registry.values[root, key] = str(write_manifest(folder, "app.bat"))
        manifest = find_manifest("app", extension_id=CHROMIUM_ID)
        assert manifest.path == os.fspath(folder / "app.bat")
