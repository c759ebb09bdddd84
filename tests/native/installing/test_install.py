"""Installing applications for browsers: into folders that are no user's, and into a registry in memory."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID, Registry

from trio_ports import ManifestError
from trio_ports._native.installing import files as files_module
from trio_ports._native.installing import install as module
from trio_ports._native.installing.made_folders import MARK
from trio_ports.native import FileChange, find_manifest, install, uninstall

ORIGIN = f"chrome-extension://{CHROMIUM_ID}/"
APP = "/bin/sh"
"""A program that is there."""
HERE = os.path.relpath(__file__)
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
    """Return what is there, but for the marks of folders that were made."""
    every = (file for file in folder.rglob("*") if file.is_file() and file.name != MARK)
    return {str(file.relative_to(folder)): file.read_bytes() for file in every}


def test_each_family_gets_its_own_list(home: Path) -> None:
    """Firefox's manifest has extensions, Chromium's and Chrome's have origins; each family finds its own."""
    changes = install("app", APP, description="Does it", **BOTH)
    assert {change.action for change in changes} == {"created"}
    written = {path: json.loads(data) for path, data in files(home).items()}
    assert set(written) == {
        ".mozilla/native-messaging-hosts/app.json",
        ".config/chromium/NativeMessagingHosts/app.json",
        ".config/google-chrome/NativeMessagingHosts/app.json",
    }
    common = {"name": "app", "description": "Does it", "path": APP, "type": "stdio"}
    for path, manifest in written.items():
        key, values = ("allowed_extensions", [FIREFOX_ID]) if "mozilla" in path else ("allowed_origins", [ORIGIN])
        assert manifest == {**common, key: values}
    for extension_id in (FIREFOX_ID, CHROMIUM_ID):
        assert find_manifest("app", extension_id=extension_id).path == APP


def test_twice_is_once(home: Path) -> None:
    """Idempotent: nothing is written again, and what a dry run announces is what is done."""
    announced = install("app", APP, **BOTH, dry_run=True)
    assert files(home) == {}
    assert install("app", APP, **BOTH) == announced
    before = files(home)
    assert {change.action for change in install("app", APP, **BOTH)} == {"unchanged"}
    assert files(home) == before
    announced = uninstall("app", dry_run=True)
    assert files(home) == before
    assert uninstall("app") == announced
    assert {change.action for change in announced} == {"removed"}
    assert files(home) == {}
    assert uninstall("app") == []


def test_a_dry_run_does_not_say_that_it_was_done(home: Path) -> None:
    """Its changes look the same, but for that."""
    for act in (install, uninstall):
        arguments: Any = ("app", APP) if act is install else ("app",)
        options = BOTH if act is install else {}
        assert {change.done for change in act(*arguments, **options, dry_run=True)} == {False}
        assert {change.done for change in act(*arguments, **options)} == {True}


@pytest.mark.parametrize("name", ["../../../victim", "{home}/victim", "", "a..b", "a b"])
def test_no_name_leads_out_of_the_folders(home: Path, name: str) -> None:
    """Neither to another file that is written, nor to one that is removed."""
    victim = home / "victim"
    victim.write_text("precious")
    name = name.format(home=home)
    for act in (lambda: uninstall(name), lambda: install(name, [APP, "-c", ""], **BOTH)):
        with pytest.raises(ManifestError, match="name") as caught:
            act()
        assert (caught.value.field, caught.value.value) == ("name", name)
    assert files(home) == {"victim": b"precious"}


def test_browsers_that_share_a_file_get_it_once(home: Path) -> None:
    """Thunderbird looks where Firefox looks."""
    browsers = ["firefox", "thunderbird", "firefox"]
    changes = install("app", APP, allowed_extensions=[FIREFOX_ID], browsers=browsers)
    assert [change.action for change in changes] == ["created"]
    assert len(uninstall("app", browsers=browsers)) == 1


FIREFOX: dict[str, Any] = {"allowed_extensions": [FIREFOX_ID]}


def test_an_older_one_of_ours_is_not_kept(home: Path) -> None:
    """Neither its manifest nor its launcher, which could be executed."""
    install("app", [APP, "-c", "1"], **FIREFOX)
    changes = install("app", [APP, "-c", "2"], **FIREFOX, description="New")
    assert [change.action for change in changes] == ["replaced"] * 2
    assert len(files(home)) == 2
    uninstall("app")
    assert files(home) == {}


def test_what_stood_there_is_kept_and_comes_back(home: Path) -> None:
    """Another program's manifest of the same name is moved aside, as often as it comes, and its last is put back."""
    (change,) = install("app", APP, **FIREFOX, dry_run=True)
    file = change.file
    file.parent.mkdir(parents=True)
    for theirs in ('{"path": "/opt/theirs"}', "no JSON", r'{"name": "\ud800", "description": "", "path": "/x"}'):
        file.write_text(theirs)
        assert [change.action for change in install("app", APP, **FIREFOX)] == ["replaced"]
        assert find_manifest("app", extension_id=FIREFOX_ID).path == APP
    install("app", "/bin/cat", **FIREFOX)
    assert uninstall("app", dry_run=True) == [FileChange(file, "restored")]
    assert uninstall("app") == [FileChange(file, "restored")]
    assert file.read_text() == theirs
    assert sorted(each.read_text() for each in file.parent.iterdir() if each != file) == [
        "no JSON",
        '{"path": "/opt/theirs"}',
    ]
    assert uninstall("app") == [FileChange(file, "left")]


def test_a_link_that_leads_nowhere_is_kept(tmp_path: Path) -> None:
    """It is somebody's, for the day on which its target is back."""
    link = tmp_path / "app.json"
    link.symlink_to("nowhere")
    assert install("app", APP, **FIREFOX, manifest_folders=[tmp_path]) == [FileChange(link, "replaced")]
    assert not link.is_symlink()
    assert uninstall("app", manifest_folders=[tmp_path]) == [FileChange(link, "restored")]
    assert link.readlink() == Path("nowhere")
    assert uninstall("app", manifest_folders=[tmp_path]) == [FileChange(link, "left")]


def test_folders_that_were_made_go_too(home: Path) -> None:
    """What was not there before `install` is not there after `uninstall`; what another application needs stays."""
    before = [*home.rglob("*")]
    install("app", [APP, "-c", ""], **BOTH)
    install("other", [APP, "-c", ""], **FIREFOX)
    uninstall("app")
    assert {path.name for path in home.rglob("*") if path.is_file()} == {"other", "other.json", MARK}
    uninstall("other")
    assert [*home.rglob("*")] == before == []


def test_folders_that_were_there_stay(home: Path) -> None:
    """A browser's own, empty as they may be; and what somebody else has put into one that was made."""
    hosts = home / ".mozilla" / "native-messaging-hosts"
    hosts.mkdir(parents=True)
    (home / ".config").mkdir()
    install("app", APP, **BOTH)
    theirs = home / ".config" / "google-chrome" / "Local State"
    theirs.touch()
    uninstall("app")
    assert sorted(home.rglob("*")) == sorted([home / ".config", theirs.parent, theirs, hosts.parent, hosts])


def test_folders_go_in_whatever_order_they_were_made(tmp_path: Path) -> None:
    """One in another, which was made first and is left last."""
    outer = tmp_path / "outer"
    install("app", APP, **FIREFOX, manifest_folders=[outer])
    install("app", APP, **FIREFOX, manifest_folders=[outer / "inner"])
    uninstall("app", manifest_folders=[outer])
    assert outer.exists()
    uninstall("app", manifest_folders=[outer / "inner"])
    assert not outer.exists()


@pytest.mark.parametrize("theirs", [b"", b"[]", b'{"name": "app", "path": "/opt/theirs"}', b'{"path": 5}'])
def test_what_is_not_ours_is_left(tmp_path: Path, theirs: bytes) -> None:
    """A manifest that `install` did not write, a program where a launcher would be, a folder."""
    (tmp_path / "app.json").write_bytes(theirs)
    (tmp_path / "app").write_bytes(b"#!/bin/sh\nexec echo theirs\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "app.json").mkdir()
    before = files(tmp_path)
    folders = [tmp_path, tmp_path / "other"]
    assert uninstall("app", manifest_folders=folders) == [FileChange(each / "app.json", "left") for each in folders]
    assert files(tmp_path) == before


def test_a_manifest_that_was_edited_is_removed_with_its_launcher(tmp_path: Path) -> None:
    """It names our launcher, so it is ours in any form; and it does not come back from where it was kept."""
    launcher, manifest = install("app", [APP, "-c", "1"], **FIREFOX, manifest_folders=[tmp_path])
    for _ in range(2):
        edited = {**json.loads(manifest.file.read_bytes()), "allowed_extensions": [FIREFOX_ID, "more@example.org"]}
        manifest.file.write_text(json.dumps(edited))
        install("app", [APP, "-c", "1"], **FIREFOX, manifest_folders=[tmp_path])
    removed = uninstall("app", manifest_folders=[tmp_path])
    assert removed == [FileChange(manifest.file, "removed"), FileChange(launcher.file, "removed")]
    assert not (tmp_path / "app.json").exists()


def test_a_launcher_stays_as_long_as_a_manifest_names_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Firefox's manifest goes, Chrome's stays, and so does what both name; a manifest of others does not count."""
    launcher, *manifests = install("app", [APP, "-c", "1"], **BOTH)
    gone = uninstall("app", browsers=["firefox"])
    assert gone == [FileChange(manifests[0].file, "removed"), FileChange(launcher.file, "left")]
    found = find_manifest("app", extension_id=CHROMIUM_ID)
    assert Path(found.path).exists()
    uninstall("app", browsers=["chromium"])
    assert launcher.file.exists()
    manifests[0].file.parent.mkdir(parents=True)
    manifests[0].file.write_text('{"path": "/opt/theirs"}')
    assert FileChange(launcher.file, "removed") in uninstall("app", browsers=["chrome"])
    assert list(files(home)) == [".mozilla/native-messaging-hosts/app.json"]


def test_a_manifest_that_cannot_be_read_names_no_launcher(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is another user's, perhaps; and nobody can ask it."""
    launcher, _, chromium, chrome = install("app", [APP, "-c", "1"], **BOTH)
    read = Path.read_bytes

    def refuse(self: Path) -> bytes:
        if self in (chromium.file, chrome.file):
            raise PermissionError
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert FileChange(launcher.file, "removed") in uninstall("app", browsers=["firefox"])


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
    ] == ["repaired", "unchanged"]
    assert os.access(launcher.file, os.X_OK)
    removed = uninstall("app", manifest_folders=[folder], launcher_folder=folder)
    assert {change.file for change in removed} == {launcher.file, manifest.file}
    assert files(folder) == {}


def test_without_a_folder_the_launcher_is_among_the_users_data(home: Path) -> None:
    """Where updates and caches don't prune it."""
    launcher, _ = install("app", [sys.executable, __file__], allowed_extensions=[FIREFOX_ID])
    assert launcher.file == home / ".local/share/trio-ports/app"
    assert launcher in [FileChange(change.file, "created") for change in uninstall("app")]


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        (("app", "app"), BOTH, ManifestError),
        (("app", ["python", "x.py"]), BOTH, ManifestError),
        (("lab-dash", APP), BOTH, ManifestError),
        (("App", APP), {"allowed_origins": [ORIGIN]}, ManifestError),
        (("app", APP), {"allowed_extensions": ["not an id"]}, ManifestError),
        (("app", APP), {"allowed_origins": [FIREFOX_ID]}, ManifestError),
        (("app", APP), {**BOTH, "allowed_extensions": [], "browsers": ["firefox"]}, ManifestError),
        (("app", APP), {**BOTH, "browsers": ["netscape"]}, ValueError),
        (("app", APP), {}, ValueError),
        (("app", [APP, "x"]), {"manifest_folders": ["/nowhere"]}, ValueError),
        (("app", APP), {**BOTH, "manifest_folders": []}, ValueError),
        (("app", APP), {**BOTH, "browsers": []}, ValueError),
        (("app", []), BOTH, ValueError),
        (("app", ""), BOTH, ManifestError),
        (("app", "/nowhere/app"), BOTH, ManifestError),
        (("app", ["/nowhere/app", "x"]), BOTH, ManifestError),
        (("app", ["/" + "x" * 300, "x"]), BOTH, ManifestError),
        (("app", __file__), BOTH, ManifestError),
        (("app", "/bin"), BOTH, ManifestError),
        (("app", "/bin/sh\0"), BOTH, ManifestError),
        (("app", "/bin/\ud800"), BOTH, ManifestError),
        (("app", [APP, "\0"]), BOTH, ManifestError),
        (("app", [APP, "\ud800"]), BOTH, ManifestError),
        (("app", [sys.executable, "app.py"]), BOTH, ManifestError),
        (("app", [sys.executable, "/nowhere/app.py"]), BOTH, ManifestError),
        (("app", [APP, "-e", HERE]), BOTH, ManifestError),
        (("app", [APP, 5]), BOTH, TypeError),
        (("app", None), BOTH, TypeError),
        (("app", APP.encode()), BOTH, TypeError),
        ((None, APP), BOTH, TypeError),
        (("app", APP), {**BOTH, "browsers": "firefox"}, TypeError),
        (("app", APP), {**BOTH, "manifest_folders": "/tmp"}, TypeError),
        (("app", APP), {**BOTH, "manifest_folders": [5]}, TypeError),
        (("app", APP), {**BOTH, "manifest_folders": 5}, TypeError),
        (("app", APP), {**BOTH, "browsers": 5}, TypeError),
        (("app", APP), {**BOTH, "browsers": [5]}, TypeError),
        (("app", APP), {**BOTH, "launcher_folder": 5}, TypeError),
        (("app", APP), {"allowed_extensions": FIREFOX_ID}, TypeError),
    ],
)
def test_what_a_browser_would_refuse_is_refused_here(
    home: Path, arguments: Any, options: dict[str, Any], error: type[Exception]
) -> None:
    """A Firefox id among Chromium's origins makes Chromium refuse the file: so does this, before it is written."""
    for dry_run in (True, False):
        with pytest.raises(error):
            install(*arguments, **options, dry_run=dry_run)
    assert files(home) == {}
    with pytest.raises(ValueError, match="netscape"):
        uninstall("app", browsers=["netscape"])


@pytest.mark.parametrize("command", ["python3 /opt/app.py", "/usr/bin/env python3"])
def test_one_text_is_no_command_of_several_words(command: str) -> None:
    """The error shows the list that was meant; a program whose name has spaces in it is one word, and there."""
    with pytest.raises(ManifestError) as caught:
        install("app", command, **FIREFOX)
    assert f"; several words are a list: {command.split()}" in str(caught.value)
    with pytest.raises(ManifestError) as caught:
        install("app", [command, "word"], **FIREFOX)
    assert "are a list" not in str(caught.value)


def test_words_of_a_command_may_be_anything_else(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 in a file's name, code with dots and line ends, words without a file."""
    words = ["-c", "printf '%s\\n' \"$@\" # a.b\n", "sh", "caf\udce9", "x.y", "sub/z", "a" * 300 + ".py", "it's"]
    launcher, _ = install("app", [APP, *words], **FIREFOX, manifest_folders=[tmp_path])
    run = subprocess.run([launcher.file], capture_output=True, check=True)
    assert os.fsdecode(run.stdout).splitlines() == words[3:]


def block_with_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "app.json").mkdir(parents=True)


def block_with_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write_text("")


def block_with_permissions(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir()
    ask = os.access

    def refuse(path: Any, mode: int, **options: Any) -> bool:
        return path != place and ask(path, mode, **options)  # Whoever runs the tests may be allowed everything.

    monkeypatch.setattr(os, "access", refuse)


@pytest.mark.parametrize("block", [block_with_folder, block_with_file, block_with_permissions])
def test_what_cannot_be_done_is_known_before_anything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: Any
) -> None:
    """The second place is in nobody's hands: the first is not written either, and a dry run says the same."""
    places = [tmp_path / "first", tmp_path / "second"]
    block(places[1], monkeypatch)
    before = files(tmp_path)
    for dry_run in (True, False):
        with pytest.raises(OSError) as caught:  # noqa: PT011 - which one differs, what it names does not
            install("app", [APP, "-c", "1"], **FIREFOX, manifest_folders=places, dry_run=dry_run)
        assert str(caught.value.filename).startswith(str(places[1]))
        assert files(tmp_path) == before


def test_nothing_is_removed_if_not_all_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with writing."""
    places = [tmp_path / "first", tmp_path / "second"]
    install("app", APP, **FIREFOX, manifest_folders=places)
    before = files(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode, **options: path != places[1])
    for dry_run in (True, False):
        with pytest.raises(PermissionError, match="second"):
            uninstall("app", manifest_folders=places, dry_run=dry_run)
    assert files(tmp_path) == before


def test_an_error_in_the_middle_says_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full after the first file; what stood in the place of the second is still there."""
    places = [tmp_path / "first", tmp_path / "second"]
    places[1].mkdir()
    (places[1] / "app.json").write_text("theirs")
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target == places[1] / "app.json" and self.name.startswith("."):
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        install("app", APP, **FIREFOX, manifest_folders=places)
    assert caught.value.__notes__ == [f"Done before: {places[0] / 'app.json'} created"]
    assert files(places[1]) == {"app.json": b"theirs"}


def test_for_all_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's places, which are elsewhere here."""
    monkeypatch.setattr(module, "system_folders", lambda places: [tmp_path / places[0].browser])
    (change,) = install("app", APP, allowed_extensions=[FIREFOX_ID], system=True)
    assert change.file == tmp_path / "firefox" / "app.json"
    assert uninstall("app", browsers=["firefox"], system=True) == [FileChange(change.file, "removed")]


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
    launcher, _ = install("app", [APP, "-c", ""], **FIREFOX, system=True, dry_run=True)
    assert launcher.file == Path(folder, "app")


def test_nobody_ever_sees_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves no temporary file behind."""

    def fail(self: Path, target: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(PermissionError):
        install("app", APP, allowed_extensions=[FIREFOX_ID], manifest_folders=[tmp_path / "m"])
    assert not (tmp_path / "m").exists()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry in memory, and programs with Windows' paths, which are here files in the current folder."""
    registry = Registry()
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setattr(module, "_WINDOWS", True)
    monkeypatch.setattr(files_module, "_WINDOWS", True)
    monkeypatch.setattr(platformdirs, "site_data_path", lambda name, **_: tmp_path / "all" / name)
    monkeypatch.chdir(tmp_path)
    for program in (r"C:\python.exe", r"C:\my app.py", r"C:\app.exe"):
        Path(program).touch(0o755)
    return registry


def test_on_windows_keys_name_the_files(home: Path, registry: Registry) -> None:
    """The registry is one in memory: a test must not break its author's browser."""
    changes = install("app", [r"C:\python.exe", r"C:\my app.py"], **BOTH)
    launcher, *manifests = changes
    assert launcher.file.name == "app.bat"
    begin, mark, command = launcher.file.read_bytes().splitlines()
    assert (begin, command) == (b"@echo off", b'C:\\python.exe "C:\\my app.py" %*')
    assert mark.startswith(b"rem ")
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
    assert files(home) == {}
    install("app", r"C:\app.exe", browsers=["firefox"], allowed_extensions=[FIREFOX_ID], system=True)
    assert [root for root, _ in registry.values] == ["HKLM"]
    uninstall("app", browsers=["firefox"], system=True)
    assert registry.values == {}


def test_on_windows_a_key_is_repaired(registry: Registry) -> None:
    """The file is as it should be, and nobody would find it."""
    (change,) = install("app", r"C:\app.exe", **FIREFOX)
    registry.values.clear()
    assert [each.action for each in install("app", r"C:\app.exe", **FIREFOX)] == ["repaired"]
    assert registry.values == {("HKCU", change.registered): str(change.file)}
    assert [each.action for each in install("app", r"C:\app.exe", **FIREFOX)] == ["unchanged"]


def test_on_windows_a_file_stays_as_long_as_a_key_names_it(registry: Registry) -> None:
    """Edge's key goes, Chrome's stays, and so does the file that both name; a key that names another file is left."""
    options: dict[str, Any] = {"allowed_origins": [ORIGIN], "browsers": ["edge", "chrome"]}
    file = install("app", r"C:\app.exe", **options, dry_run=True)[0].file
    file.parent.mkdir(parents=True)
    file.write_text("theirs")
    edge, chrome = install("app", r"C:\app.exe", **options)
    assert (edge.action, edge.file, chrome.file) == ("replaced", file, file)
    assert len(files(file.parent)) == 2
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
    (change,) = install("app", r"C:\app.exe", **FIREFOX)
    change.file.unlink()
    assert uninstall("app") == [FileChange(change.file, "removed", change.registered)]
    assert registry.values == {}
