"""Descriptors of every kind as sources and sinks, and standard input and output kept for the protocol."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from native_support import PACKAGES
from support import settle

from trio_ports._transports import stdio
from trio_ports._transports.stdio import DescriptorSink, DescriptorSource, Waiting, prepared, way_of, widen

each_way = pytest.mark.parametrize("way", [Waiting.POLL, Waiting.THREAD], ids=lambda way: way.value)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    descriptors = os.pipe()
    yield descriptors
    for fd in descriptors:
        with contextlib.suppress(OSError):
            os.close(fd)


async def read_all(source: DescriptorSource) -> bytes:
    data = b""
    while piece := await source.receive_some():
        data += piece
    return data


@each_way
async def test_a_pipe_carries_bytes(pipe: tuple[int, int], way: Waiting) -> None:
    """More than fits into it at once, with the writer waiting for the reader and the reader for the writer."""
    reading, writing = pipe
    data = os.urandom(3_000_000)
    with prepared(reading, way), prepared(writing, way):
        async with trio.open_nursery() as nursery:

            async def write() -> None:
                sink = DescriptorSink(writing, way)
                await settle()
                await sink.send_all(data)
                await sink.send_all(b"end")
                os.close(writing)

            nursery.start_soon(write)
            assert await read_all(DescriptorSource(reading, way)) == data + b"end"
        # Closed by the test; the block that prepared it restores flags of an open descriptor.
        os.dup2(reading, writing)


@each_way
async def test_a_broken_pipe_is_a_broken_resource(pipe: tuple[int, int], way: Waiting) -> None:
    """Writing to nobody says so at once, as does reading what is no longer a descriptor."""
    reading, writing = pipe
    os.close(reading)
    with pytest.raises(trio.BrokenResourceError, match="writing failed"):
        await DescriptorSink(writing, way).send_all(b"x")
    with pytest.raises(trio.BrokenResourceError, match="reading failed"):
        await DescriptorSource(writing, Waiting.NEVER).receive_some()
    os.dup2(writing, reading)


async def test_a_writer_that_waits_meets_the_broken_pipe(pipe: tuple[int, int]) -> None:
    """The reader goes while the pipe is full."""
    reading, writing = pipe
    with prepared(writing, Waiting.POLL):
        async with trio.open_nursery() as nursery:

            async def write() -> None:
                with pytest.raises(trio.BrokenResourceError):
                    await DescriptorSink(writing, Waiting.POLL).send_all(b"x" * 3_000_000)

            nursery.start_soon(write)
            await settle()
            os.close(reading)
    os.dup2(writing, reading)


async def test_a_pipe_that_is_full_already(pipe: tuple[int, int], nursery: trio.Nursery) -> None:
    """Not even the first byte fits: it is waited for."""
    reading, writing = pipe
    with prepared(reading, Waiting.POLL), prepared(writing, Waiting.POLL):
        filled = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += os.write(writing, bytes(4096))
        nursery.start_soon(DescriptorSink(writing, Waiting.POLL).send_all, b"end")
        await settle()
        source, data = DescriptorSource(reading, Waiting.POLL), b""
        while not data.endswith(b"end"):
            data += await source.receive_some()
        assert len(data) == filled + 3


async def test_files_are_read_and_written_without_waiting(tmp_path: Path) -> None:
    """They cannot be polled; other tasks run all the same."""
    file = tmp_path / "file"
    fd = os.open(file, os.O_RDWR | os.O_CREAT)
    try:
        assert way_of(fd) is Waiting.NEVER
        with prepared(fd, Waiting.NEVER):
            await DescriptorSink(fd, Waiting.NEVER).send_all(b"x" * 200_000)
            os.lseek(fd, 0, os.SEEK_SET)
            assert await read_all(DescriptorSource(fd, Waiting.NEVER)) == b"x" * 200_000
            with trio.CancelScope() as scope:
                scope.cancel()
                await DescriptorSource(fd, Waiting.NEVER).receive_some()
            assert scope.cancelled_caught
    finally:
        os.close(fd)


async def test_a_file_that_takes_a_part_gets_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write may be short for any reason; what is left follows."""
    written = bytearray()

    def write(fd: int, data: Any) -> int:
        written.extend(data[:3])
        return min(3, len(data))

    monkeypatch.setattr(os, "write", write)
    await DescriptorSink(1, Waiting.NEVER).send_all(b"0123456789")
    await DescriptorSink(1, Waiting.THREAD).send_all(b"0123456789")
    monkeypatch.undo()
    assert written == b"01234567890123456789"


@pytest.mark.parametrize("kind", ["pipe", "socket", "null", "terminal"])
def test_each_kind_is_waited_for_in_its_way(kind: str) -> None:
    """Polled where that is possible, without waiting where it never makes one wait."""
    if kind == "pipe":
        descriptors = list(os.pipe())
    elif kind == "socket":
        descriptors = [each.detach() for each in socket.socketpair()]
    elif kind == "null":
        descriptors = [os.open(os.devnull, os.O_RDWR)]
    else:
        descriptors = list(os.openpty())
    try:
        expected = Waiting.NEVER if kind == "null" else Waiting.POLL
        assert [way_of(fd) for fd in descriptors] == [expected] * len(descriptors)
    finally:
        for fd in descriptors:
            os.close(fd)


@pytest.mark.parametrize("blocking", [True, False])
def test_flags_are_left_as_they_were(pipe: tuple[int, int], blocking: bool) -> None:
    """Also where two descriptors share them."""
    one = pipe[0]
    other = os.dup(one)
    os.set_blocking(one, blocking)
    with prepared(one, Waiting.POLL), prepared(other, Waiting.POLL):
        assert not os.get_blocking(one)
    assert os.get_blocking(one) is blocking
    with prepared(one, Waiting.THREAD):
        assert os.get_blocking(one) is blocking
    os.close(other)


def test_widening_what_is_no_pipe_does_nothing() -> None:
    """It is only a help; a pipe that is wide already stays as it is."""
    fd = os.open(os.devnull, os.O_RDONLY)
    widen(fd)
    os.close(fd)
    reading, writing = os.pipe()
    widen(reading)
    widen(reading)
    os.set_blocking(writing, False)
    assert os.write(writing, bytes(1_000_000)) >= 65536
    os.close(reading)
    os.close(writing)


async def test_somebody_faster_at_the_same_pipe(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes were there and are gone: it goes on waiting."""
    reading, writing = pipe
    real, calls = os.read, 0

    def read(fd: int, size: int) -> bytes:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise BlockingIOError
        return real(fd, size)

    with prepared(reading, Waiting.POLL):
        os.write(writing, b"x")
        monkeypatch.setattr(os, "read", read)
        assert await DescriptorSource(reading, Waiting.POLL).receive_some() == b"x"
        monkeypatch.undo()
    assert calls == 2


async def test_a_thread_that_reads_is_abandoned(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelling does not wait for bytes that may never come; the thread goes when the pipe does."""
    reading, writing = pipe
    real, began, returned = os.read, threading.Event(), threading.Event()

    def read(fd: int, size: int) -> bytes:
        began.set()
        try:
            return real(fd, size)
        finally:
            returned.set()

    monkeypatch.setattr(os, "read", read)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(DescriptorSource(reading, Waiting.THREAD).receive_some)
            await trio.to_thread.run_sync(began.wait)
            scope.cancel()
    assert scope.cancelled_caught
    assert not returned.is_set()
    os.close(writing)
    # Waited for, lest it read from whatever gets the descriptor's number next.
    await trio.to_thread.run_sync(returned.wait)


def test_on_windows_there_are_threads_and_binary_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forced here: pipes cannot be polled there, and text mode would add carriage returns."""
    modes: list[tuple[int, int]] = []
    module: Any = types.ModuleType("msvcrt")
    module.setmode = lambda fd, mode: modes.append((fd, mode))
    monkeypatch.setitem(sys.modules, "msvcrt", module)
    monkeypatch.setattr(stdio, "_WINDOWS", True)
    monkeypatch.setattr(os, "O_BINARY", 0x8000, raising=False)
    way = way_of(0)
    with prepared(0, way):
        assert (way, modes) == (Waiting.THREAD, [(0, 0x8000)])


SEALED = """
import os, subprocess, sys
from trio_ports._transports import stdio
from trio_ports._transports.stdio import sealed_descriptors
stdio._WINDOWS = "windows" in sys.argv
print("before", flush=True)
with sealed_descriptors() as (incoming, outgoing):
    print("inside", flush=True)
    os.write(1, b"raw\\n")
    subprocess.run([sys.executable, "-c", "print('child'); print(repr(input and __import__('sys').stdin.read()))"])
    os.write(outgoing, b"for the protocol: " + os.read(incoming, 100))
print("after", flush=True)
"""


@pytest.mark.parametrize("system", ["posix", "windows"])
@pytest.mark.parametrize("closed", [(), (2,)], ids=["with stderr", "without stderr"])
def test_sealed_descriptors_belong_to_the_protocol(closed: tuple[int, ...], system: str) -> None:
    """Whatever else is printed, by C code and by children too, goes to standard error, then and later on."""

    def close() -> None:
        for fd in closed:
            os.close(fd)

    run = subprocess.run(
        [sys.executable, "-c", SEALED, system],
        input=b"hello",
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": PACKAGES},
        preexec_fn=close if closed else None,
    )
    assert run.stdout == b"before\nfor the protocol: hello"
    if not closed:
        assert run.stderr.splitlines() == [b"inside", b"raw", b"child", b"''", b"after"]


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_standard_error_stays_as_it_is_for_others(tmp_path: Path, kind: str) -> None:
    """Only this program must not wait for its reader; whoever shares it with us is not surprised."""
    file = tmp_path / "errors"
    reading, writing = (
        os.pipe() if kind == "pipe" else (os.open(file, os.O_RDONLY | os.O_CREAT), os.open(file, os.O_WRONLY))
    )
    code = SEALED + "sys.exit(os.get_blocking(2))"
    environment = {**os.environ, "PYTHONPATH": PACKAGES}
    run = subprocess.run(
        [sys.executable, "-c", code], input=b"", stdout=subprocess.DEVNULL, stderr=writing, check=False, env=environment
    )
    assert run.returncode == (sys.platform != "linux" or kind == "file")
    assert os.get_blocking(writing)
    assert os.read(reading, 1_000).splitlines() == [b"inside", b"raw", b"child", b"''", b"after"]
    os.close(reading)
    os.close(writing)


def test_sealing_needs_standard_input_and_output() -> None:
    """Without them there is nobody to talk to: an OSError, and nothing is left open."""
    code = "import os, sys\nfrom trio_ports._transports.stdio import sealed_descriptors\nos.close(1)\n"
    code += "try:\n    with sealed_descriptors(): pass\nexcept OSError: os.write(2, b'refused')\n"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": PACKAGES},
    )
    assert run.stderr == b"refused"


def test_no_thread_is_made_where_polling_works(pipe: tuple[int, int]) -> None:
    """On POSIX nothing is ever parked in a read at exit."""
    reading, writing = pipe

    async def main() -> None:
        with prepared(reading, Waiting.POLL):
            os.write(writing, b"x")
            await DescriptorSource(reading, Waiting.POLL).receive_some()
            with trio.move_on_after(0):
                await DescriptorSource(reading, Waiting.POLL).receive_some()

    before = set(threading.enumerate())
    trio.run(main)
    assert set(threading.enumerate()) <= before  # Those of other tests may end.
