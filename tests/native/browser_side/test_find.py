"""Finding manifests as each family of browsers does, in folders that are no user's."""

from __future__ import annotations

import errno
import os
import pwd
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID, FOR_FIREFOX, PROGRAM, Registry, write_manifest

from trio_ports import Cause, ManifestError, NativeApplicationError, NoHomeError
from trio_ports._native.browser_side import find as module
from trio_ports._native.browser_side.find import files_of, find_manifest, system_folders, user_folders
from trio_ports._protocol.places import BROWSERS
from trio_ports.native import install, uninstall


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


def test_folders_are_seen_from_where_the_caller_stands(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest's path is absolute: an application gets it as an argument, and is started in another folder."""
    file = write_manifest(folders[0], "/opt/user")
    monkeypatch.chdir(folders[0].parent)
    assert find(["user"]).file == file
    relative = files_of("app", "firefox", None, ["user"])
    monkeypatch.chdir("/")
    assert list(relative) == [file]


@pytest.mark.parametrize("wrong", ["/tmp", Path("/tmp"), 5, [5], [None]])
def test_folders_are_a_list_of_folders(wrong: Any) -> None:
    """One folder would be a list of letters."""
    with pytest.raises(TypeError, match="manifest_folders must be"):
        find(wrong)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_regular_file_is_invalid(folders: tuple[Path, Path], make: Any) -> None:
    """A folder in its place, or a pipe: nobody waits until somebody writes into it."""
    make(folders[0] / "app.json")
    with pytest.raises(NativeApplicationError, match="must be a regular file") as caught:
        find(folders)
    assert caught.value.cause is Cause.MANIFEST_INVALID


def test_a_file_that_cannot_be_read_is_invalid(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there, so it is no absence."""
    write_manifest(folders[0], "/opt/app")

    def refuse(self: Path, *arguments: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(NativeApplicationError, match="Permission denied") as caught:
        find(folders)
    assert caught.value.cause is Cause.MANIFEST_INVALID


@pytest.mark.parametrize("extension_id", [FIREFOX_ID, CHROMIUM_ID])
def test_a_place_that_nobody_can_look_into_is_passed_over(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension_id: str
) -> None:
    """A file where a folder should be, a link to itself, a name that is too long, a folder that is closed to us."""
    file = write_manifest(folders[1], "/opt/app")
    (tmp_path / "loop").symlink_to("loop")
    (folders[0] / "app.json").symlink_to("app.json")
    closed = tmp_path / "closed"
    look = Path.stat

    def look_closely(self: Path, **options: Any) -> Any:
        if self.parent == closed:  # Whoever runs the tests may be allowed everything.
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return look(self, **options)

    monkeypatch.setattr(Path, "stat", look_closely)
    places = [file, tmp_path / "loop", tmp_path / ("x" * 300), closed, tmp_path / "nowhere", *folders]
    assert find(places, extension_id).file == file
    with pytest.raises(NativeApplicationError, match="closed") as caught:
        find(places[:-1], extension_id)
    assert caught.value.cause is Cause.MANIFEST_NOT_FOUND


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": None}, "name must be str, not None"),
        ({"extension_id": None}, "extension_id must be str, not None"),
        ({"manifest_folders": "/tmp"}, "manifest_folders must be a list of folders, not '/tmp'"),
        ({"manifest_folders": Path("/tmp")}, "manifest_folders must be a list of folders"),
    ],
)
def test_arguments_of_another_type_are_refused(arguments: dict[str, Any], text: str) -> None:
    """A path in the place of a list would be a list of letters."""
    options: Any = {"name": "app", "extension_id": FIREFOX_ID, "manifest_folders": [], **arguments}
    with pytest.raises(TypeError, match=text):
        find_manifest(**options)


def test_an_extension_without_an_id_is_refused(folders: tuple[Path, Path]) -> None:
    """No manifest can allow it."""
    with pytest.raises(ValueError, match="extension_id must not be empty"):
        find(folders, "")


def test_without_a_folder_there_is_nothing_to_find() -> None:
    """And the error does not speak of places."""
    with pytest.raises(NativeApplicationError, match="no folder to look in") as caught:
        find([])
    assert caught.value.cause is Cause.MANIFEST_NOT_FOUND


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
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    folder = tmp_path / ".config" / "vivaldi" / "NativeMessagingHosts"
    folder.mkdir(parents=True)
    file = write_manifest(folder, "/opt/app")
    assert find_manifest("app", extension_id=CHROMIUM_ID, browser="vivaldi").file == file
    with pytest.raises(TypeError, match="browser must be str"):
        find_manifest("app", extension_id=CHROMIUM_ID, browser=[])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'netscape'"):
        find_manifest("app", extension_id=CHROMIUM_ID, browser="netscape")


def test_each_system_has_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 42, from a home directory that is nobody's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
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


def test_browsers_of_chromiums_family_follow_the_folder_of_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen in Chromium: XDG_CONFIG_HOME takes the place of .config. Firefox does not look there for manifests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    places = [BROWSERS["chromium"], BROWSERS["firefox"]]
    assert user_folders(places) == [
        tmp_path / "settings/chromium/NativeMessagingHosts",
        tmp_path / ".mozilla/native-messaging-hosts",
    ]
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    assert user_folders(places)[0] == tmp_path / ".config/chromium/NativeMessagingHosts"


def test_on_windows_the_registry_names_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 42: the user's key before the machine's, Chromium's before Chrome's; relative paths are the manifest's."""
    registry = Registry()
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setattr(module, "_WINDOWS", True)
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


def test_a_user_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's places and folders that are given are searched. Whoever needs the user's own is told what to do."""

    def unknown(_: int) -> NoReturn:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(module, "_WINDOWS", False)
    places = (BROWSERS["firefox"],)
    assert [file.parent for file in files_of("app", "firefox")] == system_folders(places)
    write_manifest(tmp_path, PROGRAM)
    assert find([tmp_path]).path == PROGRAM
    install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[tmp_path])
    for call in (lambda: install("app", PROGRAM, **FOR_FIREFOX), lambda: uninstall("app")):
        with pytest.raises(NoHomeError, match=r"set HOME, or give the folders \(manifest_folders\)"):
            call()
