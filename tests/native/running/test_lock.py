"""The lock: one program at a time listens for an application, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from native_support import PACKAGES, children, open_descriptors

from trio_ports import AlreadyListeningError, LocalProtocolError
from trio_ports._native.running import lock as module
from trio_ports._native.running.lock import held_places


@contextlib.contextmanager
def listening_socket(application: str, folder: Path) -> Iterator[tuple[Path, socket.socket]]:
    """Listen in a folder, which is the only place then."""
    with held_places(application, folder) as (place,):
        yield place.path, place.socket


def answers(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        try:
            caller.connect(str(address))
        except OSError:
            return False
        return True


@pytest.fixture
def folder(private_folder: Path) -> Path:
    return private_folder / "folder"


def test_it_leaves_nothing_behind(folder: Path) -> None:
    """While it lasts somebody answers; afterwards there is neither a socket nor a lock, nor a descriptor."""
    before = open_descriptors()
    with listening_socket("app", folder) as (address, listening), listening:
        assert answers(address)
        assert {each.name for each in folder.iterdir()} == {"app.socket", "app.lock"}
        assert address.stat().st_mode & 0o777 == 0o600
        assert (folder / "app.lock").stat().st_mode & 0o777 == 0o600
    assert list(folder.iterdir()) == []
    assert open_descriptors() <= before


def test_the_second_is_refused_and_takes_nothing(folder: Path) -> None:
    """The first one goes on to listen, and has the name until it goes."""
    with listening_socket("app", folder) as (address, listening), listening:
        before = open_descriptors()
        for _ in range(2):
            with pytest.raises(AlreadyListeningError) as refusal, listening_socket("app", folder):
                pass
            assert (refusal.value.application, refusal.value.address) == ("app", str(address))
            assert isinstance(refusal.value, LocalProtocolError)
        assert answers(address)
        assert open_descriptors() <= before
        with listening_socket("other", folder) as (_, another), another:
            pass
        assert answers(address)
    with listening_socket("app", folder) as (address, listening), listening:
        assert answers(address)


KILLED = """
import sys, time
from trio_ports._native.running.lock import held_places
with held_places("app", sys.argv[1]):
    print("listening", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_program_left_is_taken_over(folder: Path) -> None:
    """Its lock went with it, so its socket is known to be nobody's; as long as it lives, it has both."""
    environment = {**os.environ, "PYTHONPATH": PACKAGES}
    with subprocess.Popen([sys.executable, "-c", KILLED, folder], stdout=subprocess.PIPE, env=environment) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"listening\n"
        with pytest.raises(AlreadyListeningError), listening_socket("app", folder):
            pass
        program.send_signal(signal.SIGKILL)
    assert {each.name for each in folder.iterdir()} == {"app.socket", "app.lock"}
    assert not answers(folder / "app.socket")
    with listening_socket("app", folder) as (address, listening), listening:
        assert answers(address)
    assert list(folder.iterdir()) == []


def test_what_is_no_socket_is_left_alone(folder: Path) -> None:
    """Nobody's file is removed because it is in the way."""
    folder.mkdir(mode=0o700)
    (folder / "app.socket").write_text("mine")
    before = open_descriptors()
    with pytest.raises(OSError, match="in use") as refusal, listening_socket("app", folder):
        pass
    assert refusal.value.errno == errno.EADDRINUSE
    assert [(each.name, each.read_text()) for each in folder.iterdir()] == [("app.socket", "mine")]
    assert open_descriptors() <= before


def test_what_others_have_put_in_its_place_is_theirs(folder: Path) -> None:
    """Somebody emptied the folder, and another program listens there now: the first one's end leaves it alone."""
    with contextlib.ExitStack() as first:
        _, listening = first.enter_context(listening_socket("app", folder))
        first.enter_context(listening)
        for file in folder.iterdir():
            file.unlink()
        with listening_socket("app", folder) as (address, another), another:
            first.close()
            assert answers(address)
            with pytest.raises(AlreadyListeningError), listening_socket("app", folder):
                pass
    assert list(folder.iterdir()) == []


def test_a_lock_that_is_removed_while_it_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who locks a file that has just been removed has locked nothing, and tries again."""
    flock = fcntl.flock
    tries: list[int] = []

    def lock(descriptor: int, operation: int) -> None:
        flock(descriptor, operation)
        tries.append(descriptor)
        if len(tries) == 1:
            (folder / "app.lock").unlink()

    monkeypatch.setattr(fcntl, "flock", lock)
    with listening_socket("app", folder) as (address, listening), listening:
        assert len(tries) == 2
        assert answers(address)
        with pytest.raises(AlreadyListeningError), listening_socket("app", folder):
            pass


def test_a_folder_that_cannot_be_locked_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks says so."""

    def lock(descriptor: int, operation: int) -> NoReturn:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", lock)
    before = open_descriptors()
    with pytest.raises(OSError, match="No locks"), listening_socket("app", folder):
        pass
    assert open_descriptors() <= before


@pytest.fixture
def places(private_folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three folders; an application that is given none takes the first two, as it was told of the first."""
    found = [private_folder / name for name in ("first", "common", "other")]
    monkeypatch.setattr(module, "addresses", lambda *_: iter([each / "app.socket" for each in found[:2]]))
    return found


def taken() -> list[Path]:
    """Listen for a moment, and return in which folders."""
    with held_places("app", None) as found:
        for place in found:
            with place.socket:
                assert answers(place.path)
        return [place.path.parent for place in found]


def test_every_place_that_is_private_is_taken(places: list[Path]) -> None:
    """Where none is, the text says what is wrong with the first."""
    first, second, _ = places
    before = open_descriptors()
    assert taken() == [first, second]
    first.chmod(0o755)
    assert taken() == [second]
    assert [list(each.iterdir()) for each in (first, second)] == [[], []]
    second.chmod(0o711)
    with pytest.raises(PermissionError, match=f"{first} must be"):
        taken()
    assert open_descriptors() <= before


def test_who_was_told_of_another_place_does_not_get_the_name(places: list[Path]) -> None:
    """The two share one place, and so they know of each other. The second one leaves nothing in its own."""
    first, second, third = places
    with held_places("app", None) as found, contextlib.ExitStack() as stack:
        for place in found:
            stack.enter_context(place.socket)
        places[0] = third
        with pytest.raises(AlreadyListeningError) as refusal:
            taken()
        assert refusal.value.address == str(second / "app.socket")
        assert list(third.iterdir()) == []
        assert len(list(first.iterdir())) == 2


LISTENING = """
import multiprocessing, os, sys, time
from trio_ports._native.running.lock import held_places
def wait():
    print("forked", flush=True)
    time.sleep(600)
with held_places("app", sys.argv[1]):
    if sys.argv[2] == "worker":
        multiprocessing.get_context("fork").Process(target=wait).start()
    elif not os.fork():
        sys.exit()  # The child leaves the block, too.
    else:
        os.wait()
        print("forked", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("child", ["worker", "leaves"])
def test_a_forked_child_has_neither_the_name_nor_the_socket(folder: Path, child: str) -> None:
    """A worker that outlives the application keeps nobody waiting; a child that leaves takes nothing along."""
    code = [sys.executable, "-c", LISTENING, folder, child]
    environment = {**os.environ, "PYTHONPATH": PACKAGES}
    with subprocess.Popen(code, stdout=subprocess.PIPE, env=environment) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"forked\n"
        workers = children(program.pid)
        try:
            assert answers(folder / "app.socket")
            with pytest.raises(AlreadyListeningError), listening_socket("app", folder):
                pass
            program.kill()
            program.wait()
            assert not answers(folder / "app.socket")
            with listening_socket("app", folder) as (address, listening), listening:
                assert answers(address)
        finally:
            for worker in workers:
                os.kill(worker, signal.SIGKILL)


# Files that others remove -------------------------------------------------------------------------------------------


def remove_lock(folder: Path) -> None:
    (folder / "app.lock").unlink()


def remove_socket(folder: Path) -> None:
    (folder / "app.socket").unlink()


def remove_both(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def remove_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def rename_folder(folder: Path) -> None:
    folder.rename(folder.with_name("renamed"))


REMOVALS = [remove_lock, remove_socket, remove_both, remove_folder, rename_folder]


def assert_is_taken(folder: Path) -> None:
    """Nobody else gets the name, and everybody finds who has it."""
    with pytest.raises(AlreadyListeningError), listening_socket("app", folder):
        pass
    assert answers(folder / "app.socket")


@pytest.mark.parametrize("remove", REMOVALS)
def test_what_was_removed_is_made_again(folder: Path, remove: Callable[[Path], None]) -> None:
    """By a broom for temporary files, or by a person: the application is found again, and leaves nothing behind."""
    before = open_descriptors()
    with held_places("app", folder) as (place,), place.socket:
        for _ in range(2):
            remove(folder)
            first = place.socket
            with first:
                assert place.renew()
                assert place.socket is not first
                assert not place.renew()
                assert_is_taken(folder)
            if folder.with_name("renamed").exists():
                shutil.rmtree(folder.with_name("renamed"))
        last = place.socket
    last.close()
    assert list(folder.iterdir()) == []
    assert open_descriptors() <= before


@pytest.mark.parametrize("remove", [remove_lock, remove_socket])
def test_one_of_the_files_is_enough_to_refuse_others(folder: Path, remove: Callable[[Path], None]) -> None:
    """Whoever comes before the files are made again does not get the name either, and takes nothing away."""
    with held_places("app", folder) as (place,), place.socket:
        remove(folder)
        left = {each.name for each in folder.iterdir()}
        with pytest.raises(AlreadyListeningError), listening_socket("app", folder):
            pass
        assert {each.name for each in folder.iterdir()} == left


def test_a_name_that_somebody_else_has_got(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing of theirs is touched, the log says so once, and when they leave, it is taken back."""
    with held_places("app", folder) as (place,), place.socket:
        remove_both(folder)
        with listening_socket("app", folder) as (address, listening), listening:
            assert not place.renew()
            assert not place.renew()
            assert answers(address)
        (text,) = caplog.messages
        assert text.startswith(f"app cannot be reached at {address} any more, as the files there were removed: ")
        assert place.renew()
        with place.socket:
            assert_is_taken(folder)


def test_a_folder_that_is_no_longer_private(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is not used, until it is private again."""
    with held_places("app", folder) as (place,), place.socket:
        remove_both(folder)
        folder.chmod(0o755)
        assert not place.renew()
        assert "nobody else can enter" in caplog.text
        folder.chmod(0o700)
        assert place.renew()
        place.socket.close()


def test_the_files_stay_young(folder: Path) -> None:
    """So a broom that removes old files passes them by, and their folder."""
    with held_places("app", folder) as (place,), place.socket:
        files = [folder, *folder.iterdir()]
        for file in files:
            os.utime(file, (0, 0))
        assert not place.renew()
        assert len(files) == 3
        assert all(time.time() - file.stat().st_mtime < 3600 for file in files)


def test_a_name_that_was_given_up_is_not_taken_again(folder: Path) -> None:
    """Nothing is made after the end."""
    with held_places("app", folder) as (place,), place.socket:
        pass
    assert not place.renew()
    assert list(folder.iterdir()) == []


def test_an_application_that_is_too_busy_to_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there, although the system lets nobody else wait for it."""
    monkeypatch.setattr(module, "_BACKLOG", 0)
    with held_places("app", folder) as (place,), place.socket, socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(place.path))
        remove_lock(folder)
        with pytest.raises(AlreadyListeningError), listening_socket("app", folder):
            pass
        assert place.path.exists()
