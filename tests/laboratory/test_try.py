"""`trio-ports try`, in real browsers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click.testing
import pytest
import trio
from laboratory.processes import find_processes
from laboratory.shared import require
from support import PATIENCE_SECONDS

from trio_ports._laboratory.browsers.errors import BrowserError, BrowserGoneError
from trio_ports.cli import try_browser
from trio_ports.cli.commands import program

BROWSERS = pytest.mark.parametrize("kind", ["firefox", "chromium"])


@attrs.frozen
class Place:
    """Where a command runs: a home and a temporary folder of its own, in which nothing may be left."""

    home: Path
    temporary: Path

    def start(self, kind: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "HOME": str(self.home), "TMPDIR": str(self.temporary), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "trio_ports", "try", "--browser", kind, "--headless"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def left(self) -> list[Path | int]:
        """Return what is there: files, and processes that were started here."""
        return [*self.home.iterdir(), *self.temporary.iterdir(), *find_processes(str(self.temporary))]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place whose temporary folder has a short name: with a long one it would not be used."""
    home = tmp_path / "home"
    home.mkdir()
    with tempfile.TemporaryDirectory(prefix="tp-", dir="/tmp") as folder:
        yield Place(home, Path(folder))


@BROWSERS
def test_the_conversation_is_told_and_nothing_is_left(kind: Any, tmp_path: Path) -> None:
    """A headless run ends by itself with 0, even where the temporary folder's path is too long for a socket."""
    require(kind)
    place = Place(tmp_path / "home", tmp_path / ("long" * 40))
    place.home.mkdir()
    place.temporary.mkdir()
    with place.start(kind) as process:
        told, problems = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, problems) == (0, "")
    assert '    background port-from-cs.on_connect "port-from-cs"' in told
    assert 'content script p.on_message {"greeting": "hi from content script"}' in told
    assert '    background ping_pong.on_message "pong"' in told
    assert told.endswith("All was removed.\n")
    assert place.left() == []


@pytest.mark.parametrize(
    ("kind", "number", "status"), [("firefox", signal.SIGINT, 130), ("chromium", signal.SIGTERM, 143)]
)
def test_a_signal_removes_everything(kind: Any, number: int, status: int, place: Place) -> None:
    """Interrupted as soon as the browser is there: nothing is left when the command has ended."""
    require(kind)
    with place.start(kind) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == status
    assert place.left() == []


def killed_while_they_talk(kind: Any, place: Place) -> bool:
    """Kill the command once the native application has answered; say whether that was still there."""
    with place.start(kind) as process:
        assert process.stdout is not None
        while "pong" not in process.stdout.readline():
            pass
        talking = bool(find_processes("ping_pong"))
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
    return talking


@BROWSERS
def test_killed_it_leaves_nothing_either(kind: Any, place: Place) -> None:
    """Browser, native application and files are gone within seconds, though the command could do nothing about it."""
    require(kind)
    # On a busy machine the application may be through before it is looked for: then once more.
    assert any(killed_while_they_talk(kind, place) for _ in range(5))
    until = time.monotonic() + PATIENCE_SECONDS
    while place.left() and time.monotonic() < until:
        time.sleep(0.05)  # Nobody is left who could tell.
    assert place.left() == []


def invoke(*arguments: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(program, ["try", *arguments])


@pytest.mark.parametrize(
    ("platform", "display", "shows"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("darwin", {}, True),
    ],
)
def test_no_display(platform: str, display: dict[str, str], shows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no window can be opened, no browser is started, and the message says what to add."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in display.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert try_browser.has_display() == shows
    if not shows:
        result = invoke("--browser", "firefox")
        assert result.exit_code == 1
        assert "there is no display to open a window on" in result.output
        assert "Add --headless" in result.output


@BROWSERS
def test_no_browser(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where it was looked for and how to install one."""
    monkeypatch.setenv(f"TRIO_PORTS_{kind.upper()}", "/nowhere/at/all")
    result = invoke("--browser", kind, "--headless")
    assert result.exit_code == 1
    assert f"no {kind} found" in result.output
    assert "To install it: `apt-get install" in result.output


class Fake:
    """A browser that can be found, in place of a real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None) -> None:
        monkeypatch.setattr(try_browser, "open_player", lambda kind, headless: self)
        monkeypatch.setattr(try_browser, "converse", self._converse)
        monkeypatch.setattr(try_browser, "has_display", lambda: True)
        self.laboratory, self.browser, self.name, self.version = self, self, "Fake", "1"
        self.error = error
        self.complete: bool | None = True

    async def __aenter__(self) -> Any:
        if self.error is not None:
            raise self.error
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is left of it."""

    async def _converse(self, player: Any, output: Any) -> bool:
        if self.complete is None:
            raise trio.TooSlowError
        return self.complete


@pytest.mark.parametrize("complete", [False, None])
def test_something_else_was_told(complete: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation that went otherwise, or did not come to its end, ends with 1, and says so."""
    Fake(monkeypatch).complete = complete
    result = invoke("--browser", "firefox", "--headless")
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "It did not go as it should. All was removed.")


@pytest.mark.parametrize(
    ("complete", "status", "last"),
    [(True, 0, "All was removed."), (False, 1, "Error: the browser was closed, or crashed")],
)
def test_a_window_stays_open_until_it_is_closed(
    complete: bool, status: int, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is how it ends; before the conversation has gone well it is trouble."""

    async def wait() -> None:
        raise BrowserGoneError("the browser was closed, or crashed")

    monkeypatch.setattr("trio.sleep_forever", wait)
    Fake(monkeypatch).complete = complete
    result = invoke("--browser", "firefox")
    assert "The browser stays open until you close it, or until Ctrl-C." in result.output
    assert (result.exit_code, result.output.splitlines()[-1]) == (status, last)


def test_the_browser_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What went wrong with it is told in its words, however deep in groups."""
    Fake(monkeypatch, BrowserError("it fell over"))
    result = invoke("--browser", "firefox")
    assert (result.exit_code, result.output) == (1, "Error: it fell over\n")


def test_a_record_for_people() -> None:
    """Whose it is, what happened, and what it said."""
    record = {"event": "on_disconnect", "port": "p", "error": "why"}
    assert str(try_browser.describe_record("background", record)) == '    background p.on_disconnect "why"'


def test_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says how to install it, before anything is started; the help is there without it."""
    monkeypatch.setitem(sys.modules, "websockets.trio.server", None)
    result = invoke("--browser", "firefox", "--headless")
    advice = "`try` needs the package websockets, 17 or later: python -m pip install 'trio_ports[browsers]'"
    assert (result.exit_code, result.output) == (1, f"Error: {advice}\n")
    assert invoke("--help").exit_code == 0
