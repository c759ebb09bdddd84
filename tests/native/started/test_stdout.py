"""Stray output: its place is named, it is written to descriptor 1, and it never makes the program fail."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import select
import socket
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from trio_ports._native.started.stdout import lossy_output, named_prints

NOTE = "printed to standard output, which carries messages to the browser; shown here."


@contextlib.contextmanager
def descriptor_one(file: Path) -> Generator[None]:
    """Let descriptor 1 be a file's; the run's own comes back."""
    kept = os.dup(1)
    point(os.open(file, os.O_WRONLY | os.O_CREAT))
    try:
        yield
    finally:
        point(kept)


def point(descriptor: int) -> None:
    """Let descriptor 1 be what another one was."""
    os.dup2(descriptor, 1)
    os.close(descriptor)


def test_each_place_is_named_once(tmp_path: Path) -> None:
    """Text and bytes, whatever their type, in the order in which they were written."""
    shown = tmp_path / "shown"
    with descriptor_one(shown):
        with named_prints():
            for word in ("a", "b\udc80"):
                print(word)
            sys.stdout.buffer.write(memoryview(b"raw\n"))
        first, *words, second, raw = shown.read_text("utf-8").splitlines()
        assert first.startswith(__file__)
        assert first.endswith(NOTE)
        assert words == ["a", "b\\udc80"]
        assert second.startswith(__file__)
        assert second.endswith(NOTE)
        assert raw == "raw"


def test_the_object_tells_what_it_is(tmp_path: Path) -> None:
    """Programs ask before they colour their output, or hand the descriptor to a child."""
    with descriptor_one(tmp_path / "shown"), named_prints():
        assert (sys.stdout.fileno(), sys.stdout.isatty(), sys.stdout.writable()) == (1, False, True)


def test_a_print_from_code_without_a_module_is_named_too(tmp_path: Path) -> None:
    """Its globals may say nothing, or nonsense, about where it belongs."""
    shown = tmp_path / "shown"
    with descriptor_one(shown):
        for name in ({}, {"__name__": None}):
            with named_prints():
                exec(compile("print('boo')", "<made>", "exec"), name)
        assert shown.read_text("utf-8") == f"<made>:1: {NOTE}\nboo\n" * 2


def test_who_keeps_the_object_may_write_after_the_block(tmp_path: Path) -> None:
    """A logging handler that was made in the block goes on, and is not reproached for it."""
    shown = tmp_path / "shown"
    with descriptor_one(shown):
        with named_prints():
            kept = sys.stdout
            handler = logging.StreamHandler(kept)
        print("late", file=kept)
        handler.handle(logging.makeLogRecord({"msg": "logged"}))
        kept.flush()
        assert shown.read_text("utf-8") == "late\nlogged\n"


def broken() -> int:
    """The end of a pipe whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full() -> int:
    """A disk without space."""
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize("trouble", [broken, full])
def test_what_cannot_be_shown_is_lost(tmp_path: Path, trouble: Any) -> None:
    """A print is no reason to end an application, and neither is the next one, or leaving the block."""
    with descriptor_one(tmp_path / "shown"):
        point(trouble())
        with named_prints():
            for _ in range(3):
                print("boo", flush=True)
            assert sys.stdout.buffer.write(b"raw") == 3


def test_a_full_pipe_that_does_not_wait_takes_what_it_can(tmp_path: Path) -> None:
    """The rest is lost; nobody turns in circles."""
    with descriptor_one(tmp_path / "shown"):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        point(writer)
        with named_prints():
            print("x" * 10_000_000)
        begins = os.read(reader, 1_000)
        os.close(reader)
        assert NOTE.encode() in begins


def test_a_full_pipe_that_waits_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe's end that blocks, or a socket's, takes what it can, and more once somebody reads."""
    for pair in (os.pipe(), tuple(each.detach() for each in socket.socketpair())):
        with descriptor_one(tmp_path / "shown"):
            reader, writer = pair
            point(writer)
            with named_prints():
                for _ in range(3):
                    print("x" * 1_000_000)
                first = os.read(reader, 1_000_000)
                while select.select([reader], [], [], 0)[0]:
                    os.read(reader, 1_000_000)
                print("read again")
                assert os.read(reader, 1_000).endswith(b"read again\n")
            os.close(reader)
            assert NOTE.encode() in first


def test_where_the_system_cannot_tell_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `poll`."""
    monkeypatch.delattr(select, "poll")
    with descriptor_one(tmp_path / "shown"):
        with named_prints():
            print("boo")
        assert (tmp_path / "shown").read_text().endswith("boo\n")


def test_pythons_own_output_is_lossy_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a program has put in its place is left alone, and so is what the program does not have."""
    mine, first = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "__stdout__", first)
    monkeypatch.setattr(sys, "stdout", mine)
    for error in (io.StringIO(), None):
        monkeypatch.setattr(sys, "__stderr__", error)
        monkeypatch.setattr(sys, "stderr", error)
        with lossy_output():
            pass
        assert sys.stdout is mine
        assert sys.__stdout__ is not first
        assert sys.stderr is sys.__stderr__
        assert sys.stderr is not error or error is None


def test_a_replaced_object_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who replaces `sys.stdout` in the block has the last word; a program without one gets none."""
    with descriptor_one(tmp_path / "shown"):
        monkeypatch.setattr(sys, "stdout", None)
        with named_prints():
            assert sys.stdout is not None
        assert sys.stdout is None
        with named_prints():
            mine = sys.stdout = io.StringIO()
        assert sys.stdout is mine
