"""Installing on Windows, with a registry in memory: a test must not break its author's browser."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from native_support import FIREFOX_ID, FOR_BOTH, FOR_FIREFOX, Registry, files_below

from trio_ports._native.installing import files, listing
from trio_ports._native.installing import install as module
from trio_ports._native.installing.listing import OURS, browsers_at, list_installed
from trio_ports.native import FileChange, install, uninstall


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry in memory, and programs with Windows' paths, which are here files in the current folder."""
    registry = Registry()
    monkeypatch.setitem(sys.modules, "winreg", registry)
    for each in (module, files, listing):
        monkeypatch.setattr(each, "_WINDOWS", True)
    monkeypatch.setattr(platformdirs, "site_data_path", lambda name, **_: tmp_path / "all" / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    for program in (r"C:\python.exe", r"C:\my app.py", r"C:\app.exe"):
        Path(program).touch(0o755)
    return registry


def test_on_windows_keys_name_the_files(home: Path, registry: Registry) -> None:
    """The registry is one in memory: a test must not break its author's browser."""
    changes = install("app", [r"C:\python.exe", r"C:\my app.py"], **FOR_BOTH)
    launcher, *manifests = changes
    assert launcher.file.name == "app.bat"
    begin, *remarks, command = launcher.file.read_bytes().splitlines()
    assert (begin, command) == (b"@echo off", b'"C:\\python.exe" "C:\\my app.py" %*')
    assert all(remark.startswith((b"rem ", b"set PYTHON", b"set __PYVENV")) for remark in remarks)
    assert {change.registered for change in manifests} == {
        r"Software\Mozilla\NativeMessagingHosts\app",
        r"Software\Chromium\NativeMessagingHosts\app",
        r"Software\Google\Chrome\NativeMessagingHosts\app",
    }
    assert registry.values == {("HKCU", str(change.registered)): str(change.file) for change in manifests}
    announced = uninstall("app", dry_run=True)
    assert len(registry.values) == 3
    assert uninstall("app") == announced
    assert registry.values == {}
    assert files_below(home) == {}
    install("app", r"C:\app.exe", browsers=["firefox"], allowed_extensions=[FIREFOX_ID], system=True)
    assert [root for root, _ in registry.values] == ["HKLM"]
    uninstall("app", browsers=["firefox"], system=True)
    assert registry.values == {}


def test_on_windows_a_key_is_repaired(registry: Registry) -> None:
    """The file is as it should be, and nobody would find it."""
    (change,) = install("app", r"C:\app.exe", **FOR_FIREFOX)
    registry.values.clear()
    assert [each.action for each in install("app", r"C:\app.exe", **FOR_FIREFOX)] == ["repaired"]
    assert registry.values == {("HKCU", change.registered): str(change.file)}
    assert [each.action for each in install("app", r"C:\app.exe", **FOR_FIREFOX)] == ["unchanged"]


def test_on_windows_a_file_stays_as_long_as_a_key_names_it(registry: Registry) -> None:
    """Edge's key goes, Chrome's stays, and so does the file that both name; a key that names another file is left."""
    options: dict[str, Any] = {"allowed_origins": FOR_BOTH["allowed_origins"], "browsers": ["edge", "chrome"]}
    file = install("app", r"C:\app.exe", **options, dry_run=True)[0].file
    file.parent.mkdir(parents=True)
    file.write_text("theirs")
    edge, chrome = install("app", r"C:\app.exe", **options)
    assert (edge.action, edge.file, chrome.file) == ("replaced", file, file)
    assert len(files_below(file.parent)) == 2
    gone = uninstall("app", browsers=["edge"])
    assert gone == [FileChange(edge.file, "removed", edge.registered), FileChange(edge.file, "left")]
    assert registry.values == {("HKCU", str(chrome.registered)): str(chrome.file)}
    theirs = {("HKCU", str(edge.registered)): r"C:\theirs.json"}
    registry.values.update(theirs)
    uninstall("app")
    assert registry.values == theirs
    assert file.read_text() == "theirs"


def test_on_windows_a_key_without_a_file_is_removed(registry: Registry) -> None:
    """Somebody has removed the file by hand."""
    (change,) = install("app", r"C:\app.exe", **FOR_FIREFOX)
    change.file.unlink()
    assert uninstall("app") == [FileChange(change.file, "removed", change.registered)]
    assert registry.values == {}


def test_on_windows_only_browsers_that_have_a_key(registry: Registry) -> None:
    """The vendor's key, the user's own or the machine's, is what shows that a browser is there."""
    assert install("app", r"C:\app.exe", **FOR_BOTH, present_only=True) == []
    registry.values["HKLM", r"Software\Google\Chrome\BLBeacon"] = "156"
    (change,) = install("app", r"C:\app.exe", **FOR_BOTH, present_only=True)
    assert change.registered == r"Software\Google\Chrome\NativeMessagingHosts\app"


def test_on_windows_the_keys_are_listed(registry: Registry, home: Path) -> None:
    """Each with the browsers that look there; a key whose file is gone is a problem."""
    install("app", r"C:\app.exe", **FOR_BOTH, browsers=["firefox", "chrome"])
    registry.values["HKLM", r"Software\Mozilla\NativeMessagingHosts\gone"] = str(home / "gone.json")
    registry.values["HKLM", r"Software\Mozilla\NativeMessagingHosts\nothing"] = ""
    firefox, chrome, gone = list_installed()
    assert firefox.browsers == ("firefox", "librewolf", "floorp", "zen", "thunderbird")
    assert {"chrome", "chromium", "edge"} < set(chrome.browsers)
    assert (firefox.by, firefox.system) == (OURS, False)
    assert (gone.name, gone.by, gone.system) == ("gone", None, True)
    assert "No such file" in str(gone.problem)
    key = r"Software\Google\Chrome\NativeMessagingHosts\app"
    assert browsers_at(chrome.file, key) == chrome.browsers
