"""The lock: one program at a time listens for an application, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from native_support import PACKAGES, open_descriptors

from trio_ports import AlreadyListeningError, LocalProtocolError
from trio_ports._native.running import lock as module
from trio_ports._native.running.lock import listening_socket


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
from trio_ports._native.running.lock import listening_socket
with listening_socket("app", sys.argv[1]):
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


def test_the_first_place_that_is_private_is_taken(private_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is, the text says what is wrong with the first."""
    first, second = private_folder / "first", private_folder / "second"
    first.mkdir(mode=0o755)
    first.chmod(0o755)

    def places(application: str, folder: Any) -> Any:
        return iter([first / "app.socket", second / "app.socket"])

    monkeypatch.setattr(module, "addresses", places)
    with listening_socket("app", None) as (address, listening), listening:
        assert address.parent == second
    second.chmod(0o711)
    with pytest.raises(PermissionError, match=f"{first} must be"), listening_socket("app", None):
        pass
