"""Launchers: what they run, where they are, and when they are removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import trio
from native_support import CHROMIUM_ID, FIREFOX_ID, FOR_BOTH, FOR_FIREFOX, PROGRAM, files_below

from trio_ports import ManifestError
from trio_ports._native.installing.launcher import command_of, launcher_text
from trio_ports.native import FileChange, find_manifest, install, uninstall


def test_a_manifest_that_was_edited_is_removed_with_its_launcher(tmp_path: Path) -> None:
    """It names our launcher, so it is ours in any form; and it does not come back from where it was kept."""
    launcher, manifest = install("app", [PROGRAM, "-c", "1"], **FOR_FIREFOX, manifest_folders=[tmp_path])
    for _ in range(2):
        edited = {**json.loads(manifest.file.read_bytes()), "allowed_extensions": [FIREFOX_ID, "more@example.org"]}
        manifest.file.write_text(json.dumps(edited))
        install("app", [PROGRAM, "-c", "1"], **FOR_FIREFOX, manifest_folders=[tmp_path])
    removed = uninstall("app", manifest_folders=[tmp_path])
    assert removed == [FileChange(manifest.file, "removed"), FileChange(launcher.file, "removed")]
    assert not (tmp_path / "app.json").exists()


def test_a_launcher_stays_as_long_as_a_manifest_names_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Firefox's manifest goes, Chrome's stays, and so does what both name; a manifest of others does not count."""
    launcher, *manifests = install("app", [PROGRAM, "-c", "1"], **FOR_BOTH)
    gone = uninstall("app", browsers=["firefox"])
    assert gone == [FileChange(manifests[0].file, "removed"), FileChange(launcher.file, "left")]
    found = find_manifest("app", extension_id=CHROMIUM_ID)
    assert Path(found.path).exists()
    uninstall("app", browsers=["chromium"])
    assert launcher.file.exists()
    manifests[0].file.parent.mkdir(parents=True)
    manifests[0].file.write_text('{"path": "/opt/theirs"}')
    assert FileChange(launcher.file, "removed") in uninstall("app", browsers=["chrome"])
    assert list(files_below(home)) == [".mozilla/native-messaging-hosts/app.json"]


def test_a_manifest_that_cannot_be_read_names_no_launcher(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is another user's, perhaps; and nobody can ask it."""
    launcher, _, chromium, chrome = install("app", [PROGRAM, "-c", "1"], **FOR_BOTH)
    look = Path.open

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self in (chromium.file, chrome.file):
            raise PermissionError
        return look(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    assert FileChange(launcher.file, "removed") in uninstall("app", browsers=["firefox"])


async def test_a_launcher_is_deaf_to_the_browsers_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that brings a Python of its own says so to everybody it starts. Other variables arrive."""
    code = "import os; print(*(n for n, value in os.environ.items() if '.mount' in value), os.environ['OTHER'])"
    monkeypatch.setenv("OTHER", "kept")
    for name in ("PYTHONHOME", "PYTHONPATH", "PYTHONPLATLIBDIR", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONWARNINGS"):
        monkeypatch.setenv(name, "/tmp/.mount/usr")
    launcher, _ = install("app", [sys.executable, "-c", code], **FOR_FIREFOX, manifest_folders=[tmp_path])
    ran = await trio.run_process([launcher.file], capture_stdout=True)
    assert ran.stdout == b"kept\n"


@pytest.mark.parametrize(
    ("value", "arrives"),
    [("/tmp/.mount_Firefox/usr/lib", False), ("/snap/firefox/1/lib:/x", False), ("/opt/cuda/lib", True), ("", True)],
)
async def test_a_launcher_is_deaf_to_the_libraries_of_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, arrives: bool
) -> None:
    """They would replace those that the program was made for; what is set for everybody arrives."""
    monkeypatch.setenv("LD_LIBRARY_PATH", value)
    code = 'echo "${LD_LIBRARY_PATH-none}"'
    launcher, _ = install("app", [PROGRAM, "-c", code], **FOR_FIREFOX, manifest_folders=[tmp_path])
    ran = await trio.run_process([launcher.file], capture_stdout=True)
    assert ran.stdout.decode() == f"{value if arrives else 'none'}\n"


def test_a_command_gets_a_launcher(tmp_path: Path) -> None:
    """A browser calls one path, with next to no PATH: the launcher names everything absolutely and passes arguments."""
    folder = tmp_path / "with a space"
    code = "import sys; print(sys.argv[1:])"
    launcher, manifest = install(
        "app", [sys.executable, "-c", code, "it's"], **FOR_BOTH, manifest_folders=[folder], launcher_folder=folder
    )
    assert json.loads(manifest.file.read_bytes())["path"] == str(launcher.file)
    run = subprocess.run([launcher.file, "a b", '"'], capture_output=True, check=True, text=True, env={"PATH": ""})
    assert run.stdout == repr(["it's", "a b", '"']) + "\n"
    launcher.file.chmod(0o600)
    assert [
        change.action
        for change in install(
            "app", [sys.executable, "-c", code, "it's"], **FOR_BOTH, manifest_folders=[folder], launcher_folder=folder
        )
    ] == ["repaired", "unchanged"]
    assert os.access(launcher.file, os.X_OK)
    removed = uninstall("app", manifest_folders=[folder], launcher_folder=folder)
    assert {change.file for change in removed} == {launcher.file, manifest.file}
    assert files_below(folder) == {}


@pytest.mark.parametrize(
    "words",
    [
        ["/bin/sh", "-c", "exec 'a b'", "x"],
        ["/bin/sh", "-c", "true\nexec true #", "it's", '"'],
        ["/opt/with space/app", "exec", "#", "caf\udce9", ""],
    ],
)
def test_the_command_of_a_launcher(words: list[str]) -> None:
    """It can be read back, whatever its words and variables are."""
    named = [Path("/home/it's/app.json"), Path('/home/"/exec x.json')]
    text = launcher_text(words, windows=False, env={"A": "1\nexec 2", "B": "exec"}, manifests=named)
    assert command_of(text) == words
    assert command_of(text + b"'") == []
    assert command_of(launcher_text(words[:1], windows=True)) == []


def test_without_a_folder_the_launcher_is_among_the_users_data(home: Path) -> None:
    """Where updates and caches don't prune it."""
    launcher, _ = install("app", [sys.executable, __file__], allowed_extensions=[FIREFOX_ID])
    assert launcher.file == home / ".local/share/trio-ports/app"
    assert launcher in [FileChange(change.file, "created") for change in uninstall("app")]


@pytest.mark.parametrize("command", ["python3 /opt/app.py", "/usr/bin/env python3"])
def test_one_text_is_no_command_of_several_words(command: str) -> None:
    """The error shows the list that was meant; a program whose name has spaces in it is one word, and there."""
    with pytest.raises(ManifestError) as caught:
        install("app", command, **FOR_FIREFOX)
    assert f"; several words are a list: {command.split()}" in str(caught.value)
    with pytest.raises(ManifestError) as caught:
        install("app", [command, "word"], **FOR_FIREFOX)
    assert "are a list" not in str(caught.value)


def test_words_of_a_command_may_be_anything_else(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 in a file's name, code with dots and line ends, words without a file."""
    words = ["-c", "printf '%s\\n' \"$@\" # a.b\n", "sh", "caf\udce9", "x.y", "sub/z", "a" * 300 + ".py", "it's"]
    launcher, _ = install("app", [PROGRAM, *words], **FOR_FIREFOX, manifest_folders=[tmp_path])
    run = subprocess.run([launcher.file], capture_output=True, check=True)
    assert os.fsdecode(run.stdout).splitlines() == words[3:]


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("linux", "/usr/local/share/trio-ports"), ("darwin", "/Library/Application Support/trio-ports")],
)
def test_a_launcher_for_all_users_is_where_all_can_read(
    monkeypatch: pytest.MonkeyPatch, platform: str, folder: str
) -> None:
    """In the administrator's own folders nobody else could start it, whatever their environment says."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("XDG_DATA_DIRS", "/home/me/share")
    launcher, _ = install("app", [PROGRAM, "-c", ""], **FOR_FIREFOX, system=True, dry_run=True)
    assert launcher.file == Path(folder, "app")


@pytest.mark.parametrize("variable", ["XDG_DATA_HOME", "XDG_CONFIG_HOME"])
@pytest.mark.parametrize("moved_first", [True, False])
def test_uninstall_finds_the_launcher_whatever_the_environment_says(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, moved_first: bool
) -> None:
    """The manifests name the launcher, and the launcher names the manifests."""
    if moved_first:
        monkeypatch.setenv(variable, str(home / "elsewhere"))
    install("app", [PROGRAM, "-c", ""], **FOR_BOTH)
    if moved_first:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, str(home / "elsewhere"))
    uninstall("app")
    assert [*home.rglob("*")] == []


def test_a_launcher_stays_as_long_as_a_manifest_elsewhere_names_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chromium's was installed under another XDG_CONFIG_HOME, where nobody looks now; the launcher knows of it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "elsewhere"))
    install("app", [PROGRAM, "-c", ""], **FOR_BOTH, browsers=["chromium"])
    monkeypatch.delenv("XDG_CONFIG_HOME")
    launcher, firefox = install("app", [PROGRAM, "-c", ""], **FOR_FIREFOX)
    assert uninstall("app", browsers=["firefox"]) == [
        FileChange(firefox.file, "removed"),
        FileChange(launcher.file, "left"),
    ]
    uninstall("app")
    assert files_below(home) == {}


@pytest.mark.parametrize("program", ["/opt/other", "\0", 5])
def test_only_a_launcher_of_ours_is_removed_because_a_manifest_names_it(tmp_path: Path, program: object) -> None:
    """Not the program that somebody has written into a manifest, and not another application's launcher."""
    install("other", [PROGRAM, "-c", ""], **FOR_FIREFOX, manifest_folders=[tmp_path])
    _, manifest = install("app", [PROGRAM, "-c", ""], **FOR_FIREFOX, manifest_folders=[tmp_path])
    for named in (program, str(tmp_path / "other")):
        manifest.file.write_text(json.dumps({"path": named}))
        assert uninstall("app", manifest_folders=[tmp_path])[0] == FileChange(manifest.file, "left")
    assert (tmp_path / "other").exists()


def test_variables_are_set_for_the_program(tmp_path: Path) -> None:
    """Even a single program gets a launcher then."""
    value = "it's $HOME\n%PATH%"
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nprintf %s "$NOTES_FOLDER"')
    program.chmod(0o755)
    launcher, _ = install("app", program, **FOR_FIREFOX, env={"NOTES_FOLDER": value}, manifest_folders=[tmp_path / "m"])
    assert subprocess.run([launcher.file], capture_output=True, check=True, text=True).stdout == value
    assert b'set "NOTES_FOLDER=100%%"\r\n' in launcher_text(["x"], windows=True, env={"NOTES_FOLDER": "100%"})


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ({"A=B": "x"}, ValueError),
        ({"": ""}, ValueError),
        ({"A": "\0"}, ValueError),
        ({"A": 1}, TypeError),
        ({1: "A"}, TypeError),
        ("A=B", TypeError),
    ],
)
def test_variables_that_cannot_be_set_are_refused(home: Path, env: Any, error: type[Exception]) -> None:
    """Before anything is written."""
    with pytest.raises(error, match="env"):
        install("app", PROGRAM, **FOR_FIREFOX, env=env)
    assert files_below(home) == {}


def test_no_launcher_where_nothing_can_be_executed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's data is on a file system mounted noexec; a program by itself needs no launcher."""
    monkeypatch.setattr(os, "statvfs", lambda _: types.SimpleNamespace(f_flag=os.ST_NOEXEC))
    with pytest.raises(ManifestError, match=r"noexec.*launcher_folder"):
        install("app", [PROGRAM, "-c", ""], **FOR_FIREFOX)
    assert files_below(home) == {}
    assert [change.action for change in install("app", PROGRAM, **FOR_FIREFOX)] == ["created"]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (r"C:\Program Files\a&b^c", r'"C:\Program Files\a&b^c"'),
        ("100%PATH%", '"100%%PATH%%"'),
        ("C:\\ends\\", '"C:\\ends\\\\"'),
        ('print("a&b")', r'^"print^(\^"a^&b\^"^)^"'),
        ('\\"', r'^"\\\^"^"'),
        ("", '""'),
    ],
)
def test_a_batch_file_quotes_every_word(word: str, text: str) -> None:
    """For cmd.exe, and then for the program; only a percent sign means something between quotes."""
    lines = launcher_text([word], windows=True).decode().split("\r\n")
    assert lines[-2:] == [f"{text} %*", ""]
    assert "chcp 65001 >nul" not in lines
    assert "chcp 65001 >nul" in launcher_text([word, "é"], windows=True).decode().split("\r\n")


def test_a_path_with_a_line_end_adds_no_command() -> None:
    """It is not listed in the launcher."""
    assert b"rm" not in launcher_text(["x"], windows=False, manifests=[Path("/a\nrm -r b"), Path("/a\rrm")])
