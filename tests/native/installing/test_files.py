"""The files that installing writes and removes: those of others come back, and an error leaves nothing half done."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from native_support import FIREFOX_ID, FOR_BOTH, FOR_FIREFOX, PROGRAM, files_below

from trio_ports._native.installing.files import MARK
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
