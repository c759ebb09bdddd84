"""Installing applications for browsers: into folders that are no user's, and into a registry in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID, Registry

from trio_ports import ManifestError
from trio_ports._native import installing
from trio_ports._native.installing import Change
from trio_ports.native import find_manifest, install, uninstall

ORIGIN = f"chrome-extension://{CHROMIUM_ID}/"
BOTH: dict[str, Any] = {"allowed_extensions": [FIREFOX_ID], "allowed_origins": [ORIGIN]}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory that is nobody's, on Linux."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    return home


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_each_family_gets_its_own_list(home: Path) -> None:
    """Firefox's manifest has extensions, Chromium's and Chrome's have origins; each family finds its own."""
    changes = install("app", "/opt/app", description="Does it", **BOTH)
    assert {change.action for change in changes} == {"created"}
    written = {path: json.loads(data) for path, data in files(home).items()}
    assert set(written) == {
        ".mozilla/native-messaging-hosts/app.json",
        ".config/chromium/NativeMessagingHosts/app.json",
        ".config/google-chrome/NativeMessagingHosts/app.json",
    }
    common = {"name": "app", "description": "Does it", "path": "/opt/app", "type": "stdio"}
    for path, manifest in written.items():
        key, values = ("allowed_extensions", [FIREFOX_ID]) if "mozilla" in path else ("allowed_origins", [ORIGIN])
        assert manifest == {**common, key: values}
    for extension_id in (FIREFOX_ID, CHROMIUM_ID):
        assert find_manifest("app", extension_id=extension_id).path == "/opt/app"


def test_twice_is_once(home: Path) -> None:
    """Idempotent: nothing is written again, and what a dry run announces is what is done."""
    announced = install("app", "/opt/app", **BOTH, dry_run=True)
    assert files(home) == {}
    assert install("app", "/opt/app", **BOTH) == announced
    before = files(home)
    assert {change.action for change in install("app", "/opt/app", **BOTH)} == {"unchanged"}
    assert files(home) == before
    announced = uninstall("app", dry_run=True)
    assert files(home) == before
    assert uninstall("app") == announced
    assert {change.action for change in announced} == {"removed"}
    assert files(home) == {}
    assert uninstall("app") == []


def test_what_stood_there_is_kept(home: Path) -> None:
    """Another program's manifest of the same name is moved aside, not lost."""
    (change,) = install("app", "/opt/old", allowed_extensions=[FIREFOX_ID])
    old = change.file.read_bytes()
    (change,) = install("app", "/opt/new", allowed_extensions=[FIREFOX_ID])
    assert change.action == "replaced"
    assert change.file.with_name("app.json.bak").read_bytes() == old
    assert b"/opt/new" in change.file.read_bytes()


def test_a_command_gets_a_launcher(tmp_path: Path) -> None:
    """A browser calls one path, with next to no PATH: the launcher names everything absolutely and passes arguments."""
    folder = tmp_path / "with a space"
    code = "import sys; print(sys.argv[1:])"
    launcher, manifest = install(
        "app", [sys.executable, "-c", code, "it's"], **BOTH, manifest_folders=[folder], launcher_folder=folder
    )
    assert json.loads(manifest.file.read_bytes())["path"] == str(launcher.file)
    run = subprocess.run([launcher.file, "a b", '"'], capture_output=True, check=True, text=True, env={"PATH": ""})
    assert run.stdout == repr(["it's", "a b", '"']) + "\n"
    launcher.file.chmod(0o600)
    assert [
        change.action
        for change in install(
            "app", [sys.executable, "-c", code, "it's"], **BOTH, manifest_folders=[folder], launcher_folder=folder
        )
    ] == ["unchanged", "unchanged"]
    assert os.access(launcher.file, os.X_OK)
    removed = uninstall("app", manifest_folders=[folder], launcher_folder=folder)
    assert {change.file for change in removed} == {launcher.file, manifest.file}
    assert files(folder) == {}


def test_without_a_folder_the_launcher_is_among_the_users_data(home: Path) -> None:
    """Where updates and caches don't prune it."""
    launcher, _ = install("app", [sys.executable, "/opt/app.py"], allowed_extensions=[FIREFOX_ID])
    assert launcher.file == home / ".local/share/trio-ports/app"
    assert launcher in [Change(change.file, "created") for change in uninstall("app")]


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        (("app", "app"), BOTH, ManifestError),
        (("app", ["python", "x.py"]), BOTH, ManifestError),
        (("lab-dash", "/opt/app"), BOTH, ManifestError),
        (("App", "/opt/app"), {"allowed_origins": [ORIGIN]}, ManifestError),
        (("app", "/opt/app"), {"allowed_extensions": ["not an id"]}, ManifestError),
        (("app", "/opt/app"), {"allowed_origins": [FIREFOX_ID]}, ManifestError),
        (("app", "/opt/app"), {**BOTH, "allowed_extensions": [], "browsers": ["firefox"]}, ManifestError),
        (("app", "/opt/app"), {**BOTH, "browsers": ["netscape"]}, ValueError),
        (("app", "/opt/app"), {}, ValueError),
        (("app", ["/opt/app", "x"]), {"manifest_folders": ["/nowhere"]}, ValueError),
    ],
)
def test_what_a_browser_would_refuse_is_refused_here(
    home: Path, arguments: Any, options: dict[str, Any], error: type[Exception]
) -> None:
    """A Firefox id among Chromium's origins makes Chromium refuse the file: so does this, before it is written."""
    with pytest.raises(error):
        install(*arguments, **options)
    assert files(home) == {}
    with pytest.raises(ValueError, match="netscape"):
        uninstall("app", browsers=["netscape"])


def test_for_all_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's places, which are elsewhere here."""
    monkeypatch.setattr(installing, "system_folders", lambda places: [tmp_path / places[0].browser])
    (change,) = install("app", "/opt/app", allowed_extensions=[FIREFOX_ID], system=True)
    assert change.file == tmp_path / "firefox" / "app.json"
    assert uninstall("app", browsers=["firefox"], system=True) == [Change(change.file, "removed")]


def test_nobody_ever_sees_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves no temporary file behind."""

    def fail(self: Path, target: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(PermissionError):
        install("app", "/opt/app", allowed_extensions=[FIREFOX_ID], manifest_folders=[tmp_path / "m"])
    assert files(tmp_path / "m") == {}


def test_on_windows_keys_name_the_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry is one in memory: a test must not break its author's browser."""
    registry = Registry()
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setattr(installing, "_WINDOWS", True)
    changes = install("app", [r"C:\python.exe", r"C:\my app.py"], **BOTH)
    launcher, *manifests = changes
    assert launcher.file.name == "app.bat"
    assert launcher.file.read_bytes() == b'@echo off\r\nC:\\python.exe "C:\\my app.py" %*\r\n'
    assert {change.registered for change in manifests} == {
        r"Software\Mozilla\NativeMessagingHosts\app",
        r"Software\Chromium\NativeMessagingHosts\app",
        r"Software\Google\Chrome\NativeMessagingHosts\app",
    }
    assert registry.values == {("HKCU", str(change.registered)): str(change.file) for change in manifests}
    uninstall("app")
    assert registry.values == {}
    assert files(home) == {}
    install("app", r"C:\app.exe", browsers=["firefox"], allowed_extensions=[FIREFOX_ID], system=True)
    assert [root for root, _ in registry.values] == ["HKLM"]
    uninstall("app", browsers=["firefox"], system=True)
    assert registry.values == {}
