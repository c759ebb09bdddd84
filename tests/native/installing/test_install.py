"""Installing and uninstalling an application: which manifests, for whom, and what is refused."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID, FOR_BOTH, PROGRAM, files_below

from trio_ports import ManifestError
from trio_ports._native.installing import install as module
from trio_ports.native import FileChange, find_manifest, install, uninstall

HERE = os.path.relpath(__file__)


def test_each_family_gets_its_own_list(home: Path) -> None:
    """Firefox's manifest has extensions, Chromium's and Chrome's have origins; each family finds its own."""
    changes = install("app", PROGRAM, description="Does it", **FOR_BOTH)
    assert {change.action for change in changes} == {"created"}
    written = {path: json.loads(data) for path, data in files_below(home).items()}
    assert set(written) == {
        ".mozilla/native-messaging-hosts/app.json",
        ".config/chromium/NativeMessagingHosts/app.json",
        ".config/google-chrome/NativeMessagingHosts/app.json",
    }
    common = {"name": "app", "description": "Does it", "path": PROGRAM, "type": "stdio"}
    for path, manifest in written.items():
        key = "allowed_extensions" if "mozilla" in path else "allowed_origins"
        assert manifest == {**common, key: FOR_BOTH[key]}
    for extension_id in (FIREFOX_ID, CHROMIUM_ID):
        assert find_manifest("app", extension_id=extension_id).path == PROGRAM


def test_twice_is_once(home: Path) -> None:
    """Idempotent: nothing is written again, and what a dry run announces is what is done."""
    announced = install("app", PROGRAM, **FOR_BOTH, dry_run=True)
    assert files_below(home) == {}
    assert install("app", PROGRAM, **FOR_BOTH) == announced
    before = files_below(home)
    assert {change.action for change in install("app", PROGRAM, **FOR_BOTH)} == {"unchanged"}
    assert files_below(home) == before
    announced = uninstall("app", dry_run=True)
    assert files_below(home) == before
    assert uninstall("app") == announced
    assert {change.action for change in announced} == {"removed"}
    assert files_below(home) == {}
    assert uninstall("app") == []


def test_a_dry_run_does_not_say_that_it_was_done(home: Path) -> None:
    """Its changes look the same, but for that."""
    for act in (install, uninstall):
        arguments: Any = ("app", PROGRAM) if act is install else ("app",)
        options = FOR_BOTH if act is install else {}
        assert {change.done for change in act(*arguments, **options, dry_run=True)} == {False}
        assert {change.done for change in act(*arguments, **options)} == {True}


@pytest.mark.parametrize("name", ["../../../victim", "{home}/victim", "", "a..b", "a b"])
def test_no_name_leads_out_of_the_folders(home: Path, name: str) -> None:
    """Neither to another file that is written, nor to one that is removed."""
    victim = home / "victim"
    victim.write_text("precious")
    name = name.format(home=home)
    for act in (lambda: uninstall(name), lambda: install(name, [PROGRAM, "-c", ""], **FOR_BOTH)):
        with pytest.raises(ManifestError, match="name") as caught:
            act()
        assert (caught.value.field, caught.value.value) == ("name", name)
    assert files_below(home) == {"victim": b"precious"}


def test_browsers_that_share_a_file_get_it_once(home: Path) -> None:
    """Thunderbird looks where Firefox looks."""
    browsers = ["firefox", "thunderbird", "firefox"]
    changes = install("app", PROGRAM, allowed_extensions=[FIREFOX_ID], browsers=browsers)
    assert [change.action for change in changes] == ["created"]
    assert len(uninstall("app", browsers=browsers)) == 1


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        (("app", "app"), FOR_BOTH, ManifestError),
        (("app", ["python", "x.py"]), FOR_BOTH, ManifestError),
        (("lab-dash", PROGRAM), FOR_BOTH, ManifestError),
        (("App", PROGRAM), {"allowed_origins": FOR_BOTH["allowed_origins"]}, ManifestError),
        (("app", PROGRAM), {"allowed_extensions": ["not an id"]}, ManifestError),
        (("app", PROGRAM), {"allowed_origins": [FIREFOX_ID]}, ManifestError),
        (("app", PROGRAM), {**FOR_BOTH, "allowed_extensions": [], "browsers": ["firefox"]}, ManifestError),
        (("app", PROGRAM), {**FOR_BOTH, "browsers": ["netscape"]}, ValueError),
        (("app", PROGRAM), {}, ValueError),
        (("app", [PROGRAM, "x"]), {"manifest_folders": ["/nowhere"]}, ValueError),
        (("app", PROGRAM), {**FOR_BOTH, "manifest_folders": []}, ValueError),
        (("app", PROGRAM), {**FOR_BOTH, "browsers": []}, ValueError),
        (("app", []), FOR_BOTH, ValueError),
        (("app", ""), FOR_BOTH, ManifestError),
        (("app", "/nowhere/app"), FOR_BOTH, ManifestError),
        (("app", ["/nowhere/app", "x"]), FOR_BOTH, ManifestError),
        (("app", ["/" + "x" * 300, "x"]), FOR_BOTH, ManifestError),
        (("app", __file__), FOR_BOTH, ManifestError),
        (("app", "/bin"), FOR_BOTH, ManifestError),
        (("app", "/bin/sh\0"), FOR_BOTH, ManifestError),
        (("app", "/bin/\ud800"), FOR_BOTH, ManifestError),
        (("app", [PROGRAM, "\0"]), FOR_BOTH, ManifestError),
        (("app", [PROGRAM, "\ud800"]), FOR_BOTH, ManifestError),
        (("app", [sys.executable, "app.py"]), FOR_BOTH, ManifestError),
        (("app", [sys.executable, "/nowhere/app.py"]), FOR_BOTH, ManifestError),
        (("app", [PROGRAM, "-e", HERE]), FOR_BOTH, ManifestError),
        (("app", [PROGRAM, 5]), FOR_BOTH, TypeError),
        (("app", None), FOR_BOTH, TypeError),
        (("app", PROGRAM.encode()), FOR_BOTH, TypeError),
        ((None, PROGRAM), FOR_BOTH, TypeError),
        (("app", PROGRAM), {**FOR_BOTH, "browsers": "firefox"}, TypeError),
        (("app", PROGRAM), {**FOR_BOTH, "manifest_folders": "/tmp"}, TypeError),
        (("app", PROGRAM), {**FOR_BOTH, "manifest_folders": [5]}, TypeError),
        (("app", PROGRAM), {**FOR_BOTH, "manifest_folders": 5}, TypeError),
        (("app", PROGRAM), {**FOR_BOTH, "browsers": 5}, TypeError),
        (("app", PROGRAM), {**FOR_BOTH, "browsers": [5]}, TypeError),
        (("app", PROGRAM), {**FOR_BOTH, "launcher_folder": 5}, TypeError),
        (("app", PROGRAM), {"allowed_extensions": FIREFOX_ID}, TypeError),
    ],
)
def test_what_a_browser_would_refuse_is_refused_here(
    home: Path, arguments: Any, options: dict[str, Any], error: type[Exception]
) -> None:
    """A Firefox id among Chromium's origins makes Chromium refuse the file: so does this, before it is written."""
    for dry_run in (True, False):
        with pytest.raises(error):
            install(*arguments, **options, dry_run=dry_run)
    assert files_below(home) == {}
    with pytest.raises(ValueError, match="netscape"):
        uninstall("app", browsers=["netscape"])


def test_for_all_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's places, which are elsewhere here."""
    monkeypatch.setattr(module, "system_folders", lambda places: [tmp_path / places[0].browser])
    (change,) = install("app", PROGRAM, allowed_extensions=[FIREFOX_ID], system=True)
    assert change.file == tmp_path / "firefox" / "app.json"
    assert uninstall("app", browsers=["firefox"], system=True) == [FileChange(change.file, "removed")]


def files_of(changes: list[FileChange], home: Path) -> list[str]:
    return [str(change.file.relative_to(home)) for change in changes]


def test_a_channel_that_is_there_gets_its_manifest_too(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chrome's beta has folders of its own, and Fedora has one more for all users."""
    (home / ".config" / "google-chrome-beta").mkdir(parents=True)
    for each in ("lib", "lib64"):
        (tmp_path / each / "mozilla").mkdir(parents=True)
    changes = install("app", PROGRAM, **FOR_BOTH, browsers=["chrome"])
    assert files_of(changes, home) == [
        f".config/{each}/NativeMessagingHosts/app.json" for each in ("google-chrome", "google-chrome-beta")
    ]
    hosts = [tmp_path / each / "mozilla" / "hosts" for each in ("lib", "lib64", "lib32")]
    monkeypatch.setattr(module, "system_folders", lambda _: hosts)
    changes = install("app", PROGRAM, allowed_extensions=[FIREFOX_ID], system=True)
    assert [change.file.parent for change in changes] == hosts[:2]


def test_only_browsers_that_are_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which there are only manifests is one that others have made, as `install` does."""
    monkeypatch.setenv("PATH", "")
    assert install("app", [PROGRAM, "-c", ""], **FOR_BOTH, present_only=True) == []
    assert files_below(home) == {}
    (home / ".config" / "chromium" / "Default").mkdir(parents=True)
    (home / ".config" / "google-chrome" / "NativeMessagingHosts").mkdir(parents=True)
    _, chromium = install("app", [PROGRAM, "-c", ""], **FOR_BOTH, present_only=True)
    assert files_of([chromium], home) == [".config/chromium/NativeMessagingHosts/app.json"]
    (home / ".config" / "mozilla").mkdir()
    (firefox,) = install("app", PROGRAM, allowed_extensions=[FIREFOX_ID], present_only=True)
    assert files_of([firefox], home) == [".mozilla/native-messaging-hosts/app.json"]
    assert {change.action for change in uninstall("app")} == {"removed"}


def test_a_browser_that_was_never_started(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its program shows that it is there."""
    program = home / "bin" / "chromium"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    (change,) = install("app", PROGRAM, **FOR_BOTH, present_only=True)
    assert files_of([change], home) == [".config/chromium/NativeMessagingHosts/app.json"]


def test_a_profile_of_its_own(home: Path, tmp_path: Path) -> None:
    """Chromium with --user-data-dir looks there, and so does any fork in its own folder."""
    (change,) = install("app", PROGRAM, **FOR_BOTH, user_data_dir=tmp_path / "profile")
    assert change.file == tmp_path / "profile" / "NativeMessagingHosts" / "app.json"
    assert uninstall("app", user_data_dir=tmp_path / "profile") == [FileChange(change.file, "removed")]
    for act in (lambda **more: install("app", PROGRAM, **FOR_BOTH, **more), lambda **more: uninstall("app", **more)):
        with pytest.raises(ValueError, match="not both"):
            act(user_data_dir=tmp_path, manifest_folders=[tmp_path])
        with pytest.raises(TypeError, match="user_data_dir"):
            act(user_data_dir=5)


def test_root_leaves_the_homes_of_users_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a sudo that keeps HOME, folders of root's would keep the user out; folders that are named are meant."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    if home.stat().st_uid == 0:
        os.chown(home, 12345, -1)
    for dry_run in (True, False):
        with pytest.raises(PermissionError, match="another user's"):
            install("app", PROGRAM, **FOR_BOTH, dry_run=dry_run)
    assert files_below(home) == {}
    assert len(install("app", PROGRAM, **FOR_BOTH, manifest_folders=[home])) == 1
    assert install("app", PROGRAM, **FOR_BOTH, system=True, dry_run=True)
    monkeypatch.setenv("HOME", str(home / "none"))
    assert install("app", PROGRAM, **FOR_BOTH, dry_run=True)
