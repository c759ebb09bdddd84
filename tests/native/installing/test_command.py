"""Commands that no browser could start, or none tomorrow: `install` refuses them before it writes anything."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from native_support import FOR_FIREFOX, PROGRAM, files_below

from trio_ports import ManifestError
from trio_ports._native.installing.command import _check_program, check_words
from trio_ports.native import install


def write_script(file: Path, content: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"#!/bin/sh\r\nexit\r\n", r"/bin/sh\r"),
        (b"#!/usr/bin/env sh\r\n", r"sh\r"),
        (b"#!/opt/gone/python3\n", "/opt/gone/python3"),
        (b"#!/usr/bin/env -S A=1 gone-tomorrow -u\n", "gone-tomorrow"),
        (b"#!/bin\n", "'/bin'"),
        (b"#!\n", "''"),
        (b"#!", "''"),
        (b"print(1)\n", "must begin with #!"),
        (b"\xef\xbb\xbf#!/bin/sh\n", "byte order mark"),
        (b"", "must begin with #!"),
    ],
)
def test_a_script_without_its_interpreter_is_refused(home: Path, tmp_path: Path, content: bytes, text: str) -> None:
    """The error shows the line, with the character that nobody sees."""
    program = write_script(tmp_path / "program", content)
    for command in ([program], [program, "word"]):
        with pytest.raises(ManifestError) as caught:
            install("app", command, **FOR_FIREFOX)
        assert text in caught.value.rule.replace("\\\\", "\\")
    assert files_below(home) == {}


def test_a_program_that_may_be_executed_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is accepted, as the system would start it, whatever its first line says."""
    program = write_script(tmp_path / "program", b"\x7fELF\0")
    read = Path.open

    def refuse(self: Path, *args: Any, **options: Any) -> Any:
        if self == program:
            raise PermissionError  # Whoever runs the tests may be allowed everything.
        return read(self, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    (change,) = install("app", program, **FOR_FIREFOX)
    assert change.action == "created"


@pytest.mark.parametrize(
    "content",
    [
        b"#! /bin/sh\n",
        b"#!/bin/sh\t-e \n",
        b"#!/bin/sh",
        b"#!/usr/bin/env -S A=1 sh -e\n",
        b"#!/usr/bin/env\n",
        b"\x7fELF\0",
    ],
)
def test_a_script_with_its_interpreter_is_accepted(tmp_path: Path, content: bytes) -> None:
    """As the system reads the line; and so is a binary."""
    check_words([str(write_script(tmp_path / "program", content))], windows=False)


@pytest.mark.parametrize(
    ("place", "advice"),
    [
        (".mount_NotesXy1/usr/bin", "$APPIMAGE"),
        ("appimage_extracted_0123abcd/usr/bin", "$APPIMAGE"),
        (".cache/uv/archive-v0/Qm9/bin", "uv tool install"),
        ("uv-cache/environments-v2/notes-01ab/bin", "uv tool install"),
        (".cache/pipx/3f2a/bin", "pipx install"),
        (".local/pipx/.cache/3f2a/bin", "pipx install"),
        (".npm/_npx/01ab/node_modules/.bin", "install the package"),
        ("_MEI0a1b2c", "sys.executable"),
        (".cache/pex/venvs/01ab/bin", "the archive itself"),
        (".shiv/notes_01ab/site-packages", "the archive itself"),
        ("go-build123/b001/exe", "go build"),
        ("AppTranslocation/0-1/d/Notes.app/Contents/MacOS", "move the application"),
    ],
)
def test_a_place_that_will_be_gone_is_refused(home: Path, tmp_path: Path, place: str, advice: str) -> None:
    """Program, script and argument; named, or reached by a link. The error says what to do instead."""
    passing = write_script(tmp_path / place / "program", b"#!/bin/sh\n")
    link = tmp_path / "link"
    link.symlink_to(passing)
    for command in ([passing], [link], [passing, "word"], [sys.executable, passing], [PROGRAM, "-x", passing]):
        with pytest.raises(ManifestError, match="a place that stays") as caught:
            install("app", command, **FOR_FIREFOX)
        assert advice in caught.value.rule
    assert files_below(home) == {}


@pytest.mark.parametrize("place", [".local/share/uv/tools/notes/bin", ".local/pipx/venvs/notes/bin", "builds-v2/bin"])
def test_a_place_that_stays_is_accepted(tmp_path: Path, place: str) -> None:
    """What uv and pipx install; and names that only look like others."""
    check_words([str(write_script(tmp_path / place / "program", b"#!/bin/sh\n"))], windows=False)


def test_a_frozen_program_is_no_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sys.executable is the program itself, which would be started once more in place of the relay."""
    program = str(write_script(tmp_path / "notes", b"\x7fELF\0"))
    monkeypatch.setattr(sys, "executable", program)
    check_words([program, "-m", "trio_ports"], windows=False)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    check_words([program, "--relay"], windows=False)
    with pytest.raises(ManifestError, match="no interpreter"):
        check_words([program, "-P", "-m", "trio_ports", "relay", "app"], windows=False)


@pytest.mark.parametrize("word", ["a\nb", "a\rb"])
def test_a_batch_file_has_no_word_with_a_line_end(word: str) -> None:
    """cmd.exe would read the rest as another command."""
    with pytest.raises(ManifestError, match="without line ends"):
        check_words([PROGRAM, word], windows=True)


def test_a_program_that_windows_has_not(tmp_path: Path) -> None:
    """There, only whether it is there counts."""
    with pytest.raises(ManifestError, match="path"):
        _check_program(tmp_path / "nothing.exe", windows=True)
