"""What is installed, by whom, and whether a browser could start it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import attrs
import pytest
from native_support import FIREFOX_ID, FOR_BOTH, FOR_FIREFOX, PROGRAM, write_manifest, write_program

from trio_ports._native.installing import listing
from trio_ports._native.installing.listing import OURS, InstalledManifest, browsers_at, installed_names, list_installed
from trio_ports.native import install

NAME = "com.example.app"
MOZILLA = ".mozilla/native-messaging-hosts"


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for all users in which Firefox looks; no other browser has one."""
    folder = tmp_path / "system"
    folder.mkdir()
    monkeypatch.setattr(listing, "system_folders", lambda places: [folder] if places[0].browser == "firefox" else [])
    return folder


def only(name: str = NAME) -> InstalledManifest:
    (found,) = (each for each in list_installed(["firefox"]) if each.name == name)
    return found


def test_what_we_have_installed(home: Path) -> None:
    """The command is that of the launcher."""
    _, firefox, brave = install(NAME, [PROGRAM, "-c", "exit 0"], **FOR_BOTH, browsers=["firefox", "brave"])
    command = (PROGRAM, "-c", "exit 0")
    assert list_installed() == [
        InstalledManifest(NAME, firefox.file, ("firefox", "zen", "thunderbird"), False, command, OURS, None),
        InstalledManifest(NAME, brave.file, ("brave",), False, command, OURS, None),
    ]
    assert list_installed(["brave"]) == [attrs.evolve(list_installed()[1])]
    assert [each.browsers for each in list_installed(["zen", "thunderbird"])] == [("zen", "thunderbird")]
    for each in list_installed():
        assert browsers_at(each.file) == each.browsers
    assert browsers_at(home / MOZILLA / "app.txt") == ()
    assert installed_names() == [NAME]


def test_in_a_profile(tmp_path: Path) -> None:
    """No browser of the table looks there."""
    install(NAME, PROGRAM, **FOR_BOTH, user_data_dir=tmp_path)
    (found,) = list_installed(user_data_dir=tmp_path)
    assert (found.browsers, found.by, found.command, found.problem) == ((), OURS, (PROGRAM,), None)
    assert browsers_at(found.file) == ()


def test_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home has nothing of their own."""
    assert list_installed() == []

    def nowhere() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", nowhere)
    assert list_installed() == []
    assert browsers_at(Path("/nowhere/app.json")) == ()


def test_a_program_that_has_gone(tmp_path: Path) -> None:
    """Behind a launcher too, which is there still."""
    program = write_program(tmp_path / "host", "")
    install(NAME, [program, "--loud"], **FOR_FIREFOX)
    assert only().problem is None
    program.unlink()
    assert f"must be a program that exists: {program}: No such file" in str(only().problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("#!/nowhere/python\n", "must have an interpreter that exists"),
        ("#!/bin/sh\r\n", r"lines that end without \\r"),
        ("echo", "must begin with #!"),
    ],
)
def test_a_program_that_cannot_be_started(home: Path, tmp_path: Path, text: str, problem: str) -> None:
    """What `install` would have refused."""
    program = tmp_path / "host"
    program.write_text(text)
    program.chmod(0o755)
    (home / MOZILLA).mkdir(parents=True)
    write_manifest(home / MOZILLA, program, NAME)
    assert problem in str(only().problem).replace("\\\\", "\\").replace("\\r", r"\\r")
    assert only().by is None


@pytest.mark.parametrize(
    ("fields", "command", "problem"),
    [
        ({"allowed_extensions": []}, (PROGRAM,), "allowed_extensions: must be a list of one or more"),
        ({"name": "other"}, (PROGRAM,), f"here '{NAME}'"),
        ({"path": ...}, (), "path: must be an absolute path"),
    ],
)
def test_a_manifest_that_a_browser_refuses(
    home: Path, fields: dict[str, object], command: tuple[str, ...], problem: str
) -> None:
    """By the rules of the browsers that look there."""
    (home / MOZILLA).mkdir(parents=True)
    write_manifest(home / MOZILLA, PROGRAM, NAME, **fields)
    assert (only().command, only().by) == (command, None)
    assert problem in str(only().problem)


def test_files_that_are_no_manifests(home: Path) -> None:
    """A pipe, a folder, a link that leads nowhere, and a name that no application can have."""
    folder = home / MOZILLA
    folder.mkdir(parents=True)
    os.mkfifo(folder / "a.json")
    (folder / "b.json").mkdir()
    (folder / "c.json").symlink_to("nowhere")
    write_manifest(folder, PROGRAM, "d-d")
    (folder / "e.json").write_text("\0")
    found = list_installed(["firefox"])
    assert [each.name for each in found] == ["a", "b", "c", "d-d", "e"]
    assert all(each.problem and each.by is None for each in found)
    assert [each.command for each in found] == [(), (), (), (PROGRAM,), ()]


def test_a_launcher_that_somebody_has_edited(home: Path) -> None:
    """If its command cannot be read, the launcher stands for it."""
    launcher, _ = install(NAME, [PROGRAM, "-c", "1"], **FOR_FIREFOX)
    launcher.file.write_bytes(b"".join(launcher.file.read_bytes().splitlines(keepends=True)[:-1]))
    assert only().command == (str(launcher.file),)


@pytest.mark.parametrize("manager", ["dpkg-query", "rpm", "pacman"])
def test_what_a_package_has_installed(
    system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manager: str
) -> None:
    """Each system's package manager is asked once, about links and what they lead to."""
    owned, linked = (write_manifest(system, PROGRAM, name) for name in ("owned", "linked"))
    target = linked.rename(tmp_path / "target.json")
    linked.symlink_to(target)
    write_manifest(system, PROGRAM, "other")
    line = "{} is owned by notes 1.2-3" if manager == "pacman" else "notes: {}"
    if manager == "dpkg-query":
        line = "notes:amd64, notes-extra: {}"
    log = tmp_path / "log"
    lines = "\n".join(["error: no package", *(line.format(os.path.realpath(file)) for file in (owned, target))])
    program = tmp_path / "bin" / manager
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $# >> {log}\nprintf '%s\\n' '{lines}'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    install(NAME, PROGRAM, allowed_extensions=[FIREFOX_ID])
    by = {each.name: (each.by, each.system) for each in list_installed(["firefox"])}
    assert by == {NAME: (OURS, False), "owned": ("notes", True), "linked": ("notes", True), "other": (None, True)}
    assert len(log.read_text().splitlines()) == 1
    assert json.loads(target.read_bytes())["name"] == "linked"


def test_a_package_manager_that_hangs(system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows then whose it is."""
    write_manifest(system, PROGRAM, NAME)
    program = tmp_path / "rpm"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(listing, "_OWNER_SECONDS", 0.1)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr(listing, "_OWNER_COMMANDS", {("rpm",): ""})
    assert only().by is None
