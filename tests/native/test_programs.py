"""What keeps a program from being started, as far as its file shows; more of it with the planted faults."""

from __future__ import annotations

import os
import shutil
import sys
import types
from pathlib import Path

import pytest

from trio_ports._native import programs
from trio_ports._native.programs import program_faults


def kinds(program: Path, search_path: str | None = None) -> list[str]:
    return [fault.kind for fault in program_faults(program, search_path)]


def script(folder: Path, content: bytes, mode: int = 0o755) -> Path:
    file = folder / "script"
    file.write_bytes(content)
    file.chmod(mode)
    return file


def test_what_is_sound(tmp_path: Path) -> None:
    """A binary, and scripts."""
    assert kinds(Path("/bin/sh")) == []
    for line in b"#!/bin/sh\n", b"#! /bin/sh -e", b"#!/usr/bin/env sh\n", b"#!/usr/bin/env -S A=1 -i sh -e\n":
        assert kinds(script(tmp_path, line)) == []


def test_noexec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system from which nothing may be started; the mode is a fault of its own."""
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(os, "statvfs", lambda _: types.SimpleNamespace(f_flag=os.ST_NOEXEC))
    file = script(tmp_path, b"\0")
    assert kinds(file) == ["program-noexec"]
    file.chmod(0o644)
    assert kinds(file) == ["program-noexec", "program-not-executable"]


def test_a_binary_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may execute it need not be able to read it."""
    file = script(tmp_path, b"no first line")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    assert kinds(file) == []


def test_windows_has_no_first_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor file systems mounted noexec."""
    monkeypatch.setattr(programs, "_WINDOWS", True)
    assert kinds(script(tmp_path, b"echo")) == []
    assert not programs.is_noexec(tmp_path)


def test_a_special_file(tmp_path: Path) -> None:
    """Only a regular file is a program; no time is spent on reading another one."""
    os.mkfifo(tmp_path / "pipe")
    (fault,) = program_faults(tmp_path / "pipe")
    assert (fault.kind, "special file" in fault.text) == ("program-not-a-file", True)


def test_a_command_instead_of_a_path() -> None:
    """A manifest cannot give arguments; that is said, if it is why the program is missing."""
    (fault,) = program_faults(Path("/bin/sh -c true"))
    assert fault.text.endswith("No such file or directory; a path cannot have arguments, and /bin/sh is there")
    (fault,) = program_faults(Path("/bin/gone here"))
    assert fault.text == "/bin/gone here: No such file or directory"


def test_two_faults_at_once(tmp_path: Path) -> None:
    """Each is found by itself."""
    assert kinds(script(tmp_path, b"#!/opt/gone\r\n", 0o644)) == [
        "program-not-executable",
        "program-line-ends",
        "interpreter-missing",
    ]
    assert kinds(script(tmp_path, b"#!\r\n")) == ["program-line-ends", "program-format"]


def test_what_env_finds_in_a_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The PATH that counts is the browser's; what only the shell's has is named."""
    shutil.copy("/bin/true", tmp_path / "only-here")
    monkeypatch.setenv("PATH", str(tmp_path))
    file = script(tmp_path, b"#!/usr/bin/env only-here\n")
    assert kinds(file) == []
    (fault,) = program_faults(file, "/usr/bin")
    assert fault.kind == "env-finds-nothing"
    assert f"yours has {tmp_path}/only-here" in fault.text


def test_env_gets_all_words_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Except on macOS."""
    file = script(tmp_path, b"#!/usr/bin/env sh -e\n")
    (fault,) = program_faults(file)
    assert "all words as one" in fault.text
    monkeypatch.setattr(sys, "platform", "darwin")
    assert kinds(file) == []
    assert kinds(script(tmp_path, b"#!/usr/bin/env A=1\n")) == ["env-finds-nothing"]
