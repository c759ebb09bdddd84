"""What a forked child does first of all, done here without a fork; the tests of native messaging fork."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from trio_ports._transports import forks as module
from trio_ports._transports.forks import kept_from_children, undone_in_children


@pytest.fixture(autouse=True)
def only_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What others hold in this process is left alone."""
    monkeypatch.setattr(module, "_undoing", {})


def test_the_child_lets_go() -> None:
    """The other ends see the end. The numbers stay taken, so that closing them again closes nothing else."""
    reading, writing = os.pipe()
    left, right = socket.socketpair()
    closed = socket.socket()
    closed.close()
    with left, right:
        with kept_from_children(writing, left), kept_from_children(closed):
            module._undo()
            assert os.read(reading, 1) == b""
            assert right.recv(1) == b""
            assert os.write(writing, b"x") == os.write(left.fileno(), b"x") == 1
            assert not os.get_inheritable(writing)
            module._undo()  # A grandchild has nothing to do.
        os.close(writing)
    os.close(reading)


def test_the_number_that_leads_nowhere_may_be_one_of_them() -> None:
    """A child that has as many files as are allowed needs no other."""
    pipes = os.pipe()
    with kept_from_children(*pipes):
        module._undo()
    assert [os.fstat(each).st_rdev for each in pipes] == [Path(os.devnull).stat().st_rdev] * 2
    for each in pipes:
        os.close(each)


def test_only_in_the_block() -> None:
    """Whoever has left it owes a child nothing any more."""
    calls: list[str] = []
    with undone_in_children(lambda: calls.append("outer")):
        with undone_in_children(lambda: calls.append("inner")):
            pass
        module._undo()
    assert calls == ["outer"]


def test_one_that_fails_keeps_nothing_of_the_others() -> None:
    """A descriptor that somebody has closed, or a call that fails, is not the others' fault."""

    def fail() -> None:
        raise ValueError

    reading, writing = os.pipe()
    gone = os.dup(reading)
    os.close(gone)
    with kept_from_children(writing), undone_in_children(fail), kept_from_children(gone, writing):
        module._undo()
        assert os.read(reading, 1) == b""
    for each in (reading, writing, gone):
        os.close(each)
