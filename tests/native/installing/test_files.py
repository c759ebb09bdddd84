"""The files that installing writes and removes: those of others come back, and an error leaves nothing half done."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from native_support import FIREFOX_ID, FOR_BOTH, FOR_FIREFOX, PACKAGES, PROGRAM, files_below

from trio_ports._native.installing import files
from trio_ports._native.installing.files import MARK, MAX_BYTES
from trio_ports.native import FileChange, find_manifest, install, uninstall


def test_an_older_one_of_ours_is_not_kept(home: Path) -> None:
    """Neither its manifest nor its launcher, which could be executed."""
    install("app", [PROGRAM, "-c", "1"], **FOR_FIREFOX)
    changes = install("app", [PROGRAM, "-c", "2"], **FOR_FIREFOX, description="New")
    assert [change.action for change in changes] == ["replaced"] * 2
    assert len(files_below(home)) == 2
    uninstall("app")
    assert files_below(home) == {}


def test_what_stood_there_is_kept_and_comes_back(home: Path) -> None:
    """Another program's manifest of the same name is moved aside, as often as it comes, and its last is put back."""
    (change,) = install("app", PROGRAM, **FOR_FIREFOX, dry_run=True)
    file = change.file
    file.parent.mkdir(parents=True)
    for theirs in ('{"path": "/opt/theirs"}', "no JSON", r'{"name": "\ud800", "description": "", "path": "/x"}'):
        file.write_text(theirs)
        assert [change.action for change in install("app", PROGRAM, **FOR_FIREFOX)] == ["replaced"]
        assert find_manifest("app", extension_id=FIREFOX_ID).path == PROGRAM
    install("app", "/bin/cat", **FOR_FIREFOX)
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
    assert install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[tmp_path]) == [FileChange(link, "replaced")]
    assert not link.is_symlink()
    assert uninstall("app", manifest_folders=[tmp_path]) == [FileChange(link, "restored")]
    assert link.readlink() == Path("nowhere")
    assert uninstall("app", manifest_folders=[tmp_path]) == [FileChange(link, "left")]


def test_folders_that_were_made_go_too(home: Path) -> None:
    """What was not there before `install` is not there after `uninstall`; what another application needs stays."""
    before = [*home.rglob("*")]
    install("app", [PROGRAM, "-c", ""], **FOR_BOTH)
    install("other", [PROGRAM, "-c", ""], **FOR_FIREFOX)
    uninstall("app")
    assert {path.name for path in home.rglob("*") if path.is_file()} == {
        "other",
        "other.json",
        f".other.json{MARK}",
        MARK,
    }
    uninstall("other")
    assert [*home.rglob("*")] == before == []


def test_folders_that_were_there_stay(home: Path) -> None:
    """A browser's own, empty as they may be; and what somebody else has put into one that was made."""
    hosts = home / ".mozilla" / "native-messaging-hosts"
    hosts.mkdir(parents=True)
    (home / ".config").mkdir()
    install("app", PROGRAM, **FOR_BOTH)
    theirs = home / ".config" / "google-chrome" / "Local State"
    theirs.touch()
    uninstall("app")
    assert sorted(home.rglob("*")) == sorted([home / ".config", theirs.parent, theirs, hosts.parent, hosts])


def test_folders_go_in_whatever_order_they_were_made(tmp_path: Path) -> None:
    """One in another, which was made first and is left last."""
    outer = tmp_path / "outer"
    install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[outer])
    install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[outer / "inner"])
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
    before = files_below(tmp_path)
    folders = [tmp_path, tmp_path / "other"]
    assert uninstall("app", manifest_folders=folders) == [FileChange(each / "app.json", "left") for each in folders]
    assert files_below(tmp_path) == before


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
    before = files_below(tmp_path)
    for dry_run in (True, False):
        with pytest.raises(OSError) as caught:  # noqa: PT011 - which one differs, what it names does not
            install("app", [PROGRAM, "-c", "1"], **FOR_FIREFOX, manifest_folders=places, dry_run=dry_run)
        assert str(caught.value.filename).startswith(str(places[1]))
        assert files_below(tmp_path) == before


def test_nothing_is_removed_if_not_all_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with writing."""
    places = [tmp_path / "first", tmp_path / "second"]
    install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=places)
    before = files_below(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode, **options: path != places[1])
    for dry_run in (True, False):
        with pytest.raises(PermissionError, match="second"):
            uninstall("app", manifest_folders=places, dry_run=dry_run)
    assert files_below(tmp_path) == before


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
        install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=places)
    assert caught.value.__notes__ == [f"Done before: {places[0] / 'app.json'} created"]
    assert files_below(places[1]) == {"app.json": b"theirs"}


def test_nobody_ever_sees_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves no temporary file behind."""

    def fail(self: Path, target: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(PermissionError):
        install("app", PROGRAM, allowed_extensions=[FIREFOX_ID], manifest_folders=[tmp_path / "m"])
    assert not (tmp_path / "m").exists()


def modes_below(folder: Path) -> set[int]:
    return {path.lstat().st_mode & 0o777 for path in folder.rglob("*") if path.name != MARK}


@pytest.fixture
def umask() -> Any:
    """Set the umask; it is put back."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("mask", "user"), [(0o077, {0o700, 0o755, 0o644, 0o600}), (0, {0o755, 0o644})])
def test_modes_are_right_whatever_the_umask(
    home: Path, monkeypatch: pytest.MonkeyPatch, umask: Any, mask: int, user: set[int]
) -> None:
    """What is for all can be used by all, and what is one user's can be changed by no other."""
    tmp_path = home.parent
    umask(mask)
    install("app", [PROGRAM, "-c", ""], **FOR_FIREFOX)
    assert modes_below(home) <= user
    launchers = tmp_path / "all" / "share"
    monkeypatch.setattr("trio_ports._native.installing.install.system_folders", lambda _: [tmp_path / "all" / "hosts"])
    install("app", [PROGRAM, "-c", ""], **FOR_FIREFOX, system=True, launcher_folder=launchers)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "all", launchers, tmp_path / "all" / "hosts")} == {
        0o755
    }
    assert (launchers / "app").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "all" / "hosts" / "app.json").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("mode", "system", "action"), [(0o444, True, "unchanged"), (0o400, False, "unchanged"), (0o600, True, "replaced")]
)
def test_a_link_to_the_right_content_is_somebody_elses(tmp_path: Path, mode: int, system: bool, action: str) -> None:
    """As from a store of settings: it is left alone if all can read it who have to, and never written through."""
    (change,) = install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[tmp_path / "first"])
    kept = change.file.rename(tmp_path / "kept")
    kept.chmod(mode)
    change.file.symlink_to(kept)
    (again,) = install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[change.file.parent], system=system)
    assert again.action == action
    assert kept.stat().st_mode & 0o777 == mode
    assert change.file.is_symlink() == (action == "unchanged")
    (gone,) = uninstall("app", manifest_folders=[change.file.parent])
    assert gone.action == ("left" if action == "unchanged" else "restored")
    assert change.file.readlink() == kept


@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_a_mode_is_repaired(tmp_path: Path, mode: int) -> None:
    """A manifest that others could not read, or could change."""
    (change,) = install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[tmp_path])
    change.file.chmod(mode)
    assert install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[tmp_path]) == [FileChange(change.file, "repaired")]
    assert change.file.stat().st_mode & 0o777 == 0o644


def test_a_manifest_of_others_in_our_form_is_theirs(tmp_path: Path) -> None:
    """Any program that writes JSON with an indent of two writes that form."""
    (change,) = install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[tmp_path])
    theirs = change.file.read_bytes().replace(PROGRAM.encode(), b"/opt/theirs")
    uninstall("app", manifest_folders=[tmp_path])
    change.file.write_bytes(theirs)
    assert uninstall("app", manifest_folders=[tmp_path]) == [FileChange(change.file, "left")]
    install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[tmp_path])
    assert uninstall("app", manifest_folders=[tmp_path]) == [FileChange(change.file, "restored")]
    assert files_below(tmp_path) == {"app.json": theirs}


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    """What stands there may be anything."""
    file = tmp_path / "app.json"
    with file.open("wb") as opened:
        opened.truncate(1 << 40)
    assert len(files.read(file)) == MAX_BYTES
    assert uninstall("app", manifest_folders=[tmp_path]) == [FileChange(file, "left")]
    assert install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[tmp_path]) == [FileChange(file, "replaced")]
    uninstall("app", manifest_folders=[tmp_path])
    assert file.stat().st_size == 1 << 40


# Several at once, and none to the end -----------------------------------------------------------------------------


def refuse_links(self: Path, target: Path) -> None:
    raise OSError(errno.EPERM, "There are no links here")


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("step", ["hardlink_to", "replace"])
@pytest.mark.parametrize("second", ["/bin/cat", PROGRAM])
def test_two_at_once_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, second: str, has_links: bool
) -> None:
    """A second `install` comes between any two steps of the first one, over a manifest of somebody else's."""
    file = tmp_path / "app.json"
    file.write_text("theirs")
    link, take_step = refuse_links if not has_links else Path.hardlink_to, getattr(Path, step)
    monkeypatch.setattr(Path, "hardlink_to", link)

    def interrupt(self: Path, target: Path) -> Any:
        monkeypatch.setattr(Path, step, link if step == "hardlink_to" else take_step)
        install("app", second, **FOR_FIREFOX, manifest_folders=[tmp_path])
        return (link if step == "hardlink_to" else take_step)(self, target)

    monkeypatch.setattr(Path, step, interrupt)
    install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[tmp_path])
    assert find_manifest("app", extension_id=FIREFOX_ID, manifest_folders=[tmp_path]).path == PROGRAM
    assert uninstall("app", manifest_folders=[tmp_path]) == [FileChange(file, "restored")]
    assert {each.name for each in tmp_path.iterdir()} == {"home", "app.json"}
    assert file.read_text() == "theirs"


@pytest.mark.parametrize("step", ["mkdir", "touch", "open", "mkstemp"])
@pytest.mark.parametrize("second", ["app", "other"])
def test_an_uninstall_comes_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, second: str) -> None:
    """Folders that vanish are made again, and go with the last application that needs them."""
    folder = tmp_path / "made" / "hosts"
    owner: Any = tempfile if step == "mkstemp" else Path
    take_step = getattr(owner, step)

    def interrupt(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(owner, step, take_step)
        if step != "mkdir":  # Nothing was made yet.
            uninstall(second, manifest_folders=[folder])
        for each in (folder, folder.parent):  # Another one, which made them, is uninstalled too.
            shutil.rmtree(each, ignore_errors=True)
        return take_step(*args, **options)

    monkeypatch.setattr(owner, step, interrupt)
    install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[folder])
    assert find_manifest("app", extension_id=FIREFOX_ID, manifest_folders=[folder]).path == PROGRAM
    uninstall("app", manifest_folders=[folder])
    assert not folder.parent.exists()


@pytest.mark.parametrize("place", ["hosts", "made"])
def test_an_install_comes_between_the_steps_of_an_uninstall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The folders that it needs stay, and it is known that they were made."""
    folder = tmp_path / "made" / "hosts"
    rmdir = Path.rmdir
    install("other", PROGRAM, **FOR_FIREFOX, manifest_folders=[folder])

    def interrupt(self: Path) -> None:
        if self.name == place:
            monkeypatch.setattr(Path, "rmdir", rmdir)
            install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[folder])
        rmdir(self)

    monkeypatch.setattr(Path, "rmdir", interrupt)
    uninstall("other", manifest_folders=[folder])
    assert find_manifest("app", extension_id=FIREFOX_ID, manifest_folders=[folder]).path == PROGRAM
    uninstall("app", manifest_folders=[folder])
    assert not folder.parent.exists()


def test_a_folder_that_never_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At some time `install` gives up, and leaves nothing behind."""

    def fail(**options: Any) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", options["dir"])

    monkeypatch.setattr(tempfile, "mkstemp", fail)
    with pytest.raises(FileNotFoundError):
        install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[tmp_path / "m"])
    assert not (tmp_path / "m").exists()


def test_two_folders_in_one_that_was_made(home: Path) -> None:
    """It goes with the last of them, and is not taken for a browser's meanwhile."""
    vendor = home / ".config" / "BraveSoftware"
    for_brave: Any = {**FOR_BOTH, "browsers": ["brave"]}
    folders = [
        vendor / "Brave-Browser" / "NativeMessagingHosts",
        vendor / "Brave-Browser-Beta" / "NativeMessagingHosts",
    ]
    for folder in folders:
        install("app", PROGRAM, **FOR_BOTH, manifest_folders=[folder])
    uninstall("app", manifest_folders=folders[:1])
    assert [each.name for each in vendor.iterdir() if each.is_dir()] == ["Brave-Browser-Beta"]
    assert install("app", PROGRAM, **for_brave, present_only=True, dry_run=True) == []
    uninstall("app", manifest_folders=folders[1:])
    assert [*home.iterdir()] == []


def test_what_vanishes_while_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as what is not there."""
    file = tmp_path / "app.json"
    wanted = files.WantedFile(file, b"", 0o644, lambda _: True)
    read = files.read

    def remove_and_read(file: Path) -> bytes:
        file.unlink()
        return read(file)

    monkeypatch.setattr(files, "read", remove_and_read)
    file.touch()
    assert files.place(wanted).change.action == "created"
    file.touch()
    removal = files.take_away(file, lambda _: True)
    assert removal is not None
    assert removal.change.action == "removed"
    removal.make()

    def remove_and_return(file: Path) -> bytes:
        file.unlink()
        return b""

    monkeypatch.setattr(files, "read", remove_and_return)
    file.touch()
    assert files.place(wanted).change.action == "repaired"


def test_a_folder_that_vanishes_while_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be made again in the one above it."""
    folder = tmp_path / "m"
    folder.mkdir()
    ask = os.access

    def vanish(path: Any, mode: int, **options: Any) -> bool:
        if path == folder:
            folder.rmdir()
        return ask(path, mode, **options)

    monkeypatch.setattr(os, "access", vanish)
    (change,) = install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[folder])
    assert change.action == "created"


def test_a_launchers_folder_that_vanishes_while_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one above it is looked at instead."""
    folder = tmp_path / "m"
    folder.mkdir()
    ask = os.statvfs

    def vanish(path: Any) -> Any:
        if path == folder:
            folder.rmdir()
        return ask(path)

    monkeypatch.setattr(os, "statvfs", vanish)
    changes = install("app", [PROGRAM, "-c", ""], **FOR_FIREFOX, manifest_folders=[folder])
    assert [change.action for change in changes] == ["created"] * 2


def test_two_uninstall_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stood there comes back once, and stays."""
    file = tmp_path / "app.json"
    file.write_text("theirs")
    install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[tmp_path])
    replace = Path.replace

    def interrupt(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        uninstall("app", manifest_folders=[tmp_path])
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupt)
    assert uninstall("app", manifest_folders=[tmp_path]) == [FileChange(file, "restored")]
    assert files_below(tmp_path) == {"app.json": b"theirs"}


AGAIN_AND_AGAIN = """\
import sys
from trio_ports.native import install, uninstall
for _ in range(40):
    install(sys.argv[1], "/bin/sh", allowed_extensions=["notes@example.org"], manifest_folders=[sys.argv[2]])
    uninstall(sys.argv[1], manifest_folders=[sys.argv[2]])
"""


@pytest.mark.parametrize("names", [("one", "two", "three"), ("one", "one", "one")])
def test_processes_that_install_at_once(tmp_path: Path, names: tuple[str, ...]) -> None:
    """No step of one of them fails because of the others."""
    folder = tmp_path / "m"
    environment = {**os.environ, "PYTHONPATH": PACKAGES}
    code = [sys.executable, "-c", AGAIN_AND_AGAIN]
    programs = [subprocess.Popen([*code, name, folder], env=environment) for name in names]
    assert [program.wait() for program in programs] == [0] * len(names)
    for name in names:
        uninstall(name, manifest_folders=[folder])
    assert not folder.exists()


KILLED = """\
import os, sys
from pathlib import Path
from trio_ports.native import install
setattr(Path, sys.argv[1], lambda *_: os._exit(9))
install("app", "/bin/sh", allowed_extensions=["notes@example.org"], manifest_folders=[sys.argv[2]])
"""


@pytest.mark.parametrize("again", [install, uninstall])
@pytest.mark.parametrize(
    ("theirs", "step"),
    [("file", "chmod"), ("file", "hardlink_to"), ("file", "replace"), ("link", "replace"), (None, "replace")],
)
def test_killed_between_two_steps(tmp_path: Path, again: Callable[..., Any], theirs: str | None, step: str) -> None:
    """What stood there stands there still, and whoever is called next sweeps up what was left."""
    folder = tmp_path / "m"
    file = folder / "app.json"
    if theirs is not None:
        folder.mkdir()
    if theirs == "file":
        file.write_text("theirs")
    elif theirs == "link":
        file.symlink_to("nowhere")
    before = theirs and [file.is_symlink(), files_below(folder)]
    environment = {**os.environ, "PYTHONPATH": PACKAGES}
    killed = subprocess.run([sys.executable, "-c", KILLED, step, folder], env=environment, check=False)
    assert killed.returncode == 9
    assert theirs is None or file.is_symlink() or file.read_text() == "theirs"
    if again is install:
        install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[folder])
        assert len([*folder.glob(".app.json.*")]) == 1
    uninstall("app", manifest_folders=[folder])
    assert folder.exists() == (theirs is not None)
    if theirs is not None:
        assert [file.is_symlink(), files_below(folder)] == before
        assert {each.name for each in folder.iterdir()} == {"app.json"}


def test_what_somebody_is_writing_is_not_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that runs, one that only its owner may ask, and on Windows any, as nobody can ask there."""
    (tmp_path / f".app.json.trio-ports-{os.getpid()}-x").touch()
    uninstall("app", manifest_folders=[tmp_path])
    (tmp_path / f".app.json.trio-ports-{os.getpid()}-x").rename(tmp_path / ".app.json.trio-ports-1-x")

    def refuse(process: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    uninstall("app", manifest_folders=[tmp_path])
    monkeypatch.undo()
    monkeypatch.setattr(files, "_WINDOWS", True)
    (tmp_path / ".app.json.trio-ports-1-x").rename(tmp_path / ".app.json.trio-ports-none-x")
    files.sweep(tmp_path / "app.json")
    assert (tmp_path / ".app.json.trio-ports-none-x").exists()
    monkeypatch.undo()
    files.sweep(tmp_path / "app.json")
    assert not (tmp_path / ".app.json.trio-ports-none-x").exists()


def test_what_is_old_is_swept_whoever_has_its_number_now(tmp_path: Path) -> None:
    """The system gives the number of a process that was killed to another one."""
    left = tmp_path / f".app.json.trio-ports-{os.getpid()}-x"
    left.touch()
    os.utime(left, (0, 0))
    install("app", PROGRAM, **FOR_FIREFOX, manifest_folders=[tmp_path])
    assert not left.exists()
