"""`trio-ports try`, in real browsers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click.testing
import pytest

from trio_ports._drivers import BrowserError, BrowserNotFoundError, Event, find_browser
from trio_ports.cli import try_browser
from trio_ports.cli.commands import program

COMMAND = [sys.executable, "-m", "trio_ports", "try"]
BROWSERS = pytest.mark.parametrize("kind", ["firefox", "chromium"])


def require(kind: Any) -> None:
    """Skip the test where the browser is missing, unless browsers are required."""
    try:
        find_browser(kind)
    except BrowserNotFoundError as error:
        if os.environ.get("TRIO_PORTS_REQUIRE_BROWSERS") == "1":
            raise
        pytest.skip(str(error))


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Make a temporary folder with a short name: a browser's socket in it has a path of limited length."""
    with tempfile.TemporaryDirectory(prefix="tp-") as folder:
        yield Path(folder)


@BROWSERS
def test_the_conversation_is_told_and_nothing_is_left(kind: Any, short_path: Path) -> None:
    """A headless run ends by itself with 0, and the temporary folder is as empty as before."""
    require(kind)
    environment = {**os.environ, "TMPDIR": str(short_path)}
    done = subprocess.run(
        [*COMMAND, "--browser", kind, "--headless"],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=90,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert '    background port-from-cs.on_connect "port-from-cs"' in done.stdout
    assert 'content script p.on_message {"greeting": "hi from content script"}' in done.stdout
    assert '    background ping_pong.on_message "pong"' in done.stdout
    assert list(short_path.iterdir()) == []


@BROWSERS
def test_ctrl_c_removes_everything(kind: Any, short_path: Path) -> None:
    """Interrupted as soon as the browser is there: status 130, and nothing is left."""
    require(kind)
    environment = {**os.environ, "TMPDIR": str(short_path), "PYTHONUNBUFFERED": "1"}
    command = [*COMMAND, "--browser", kind, "--headless"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(60) == 130
    assert list(short_path.iterdir()) == []


def invoke(*arguments: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(program, ["try", *arguments])


@BROWSERS
def test_no_browser(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where it was looked for and how to install one."""
    monkeypatch.setenv(f"TRIO_PORTS_{kind.upper()}", "/nowhere/at/all")
    result = invoke("--browser", kind)
    assert result.exit_code == 1
    assert f"no {kind} found" in result.output
    assert "To install it: `apt-get install" in result.output


class Fake:
    """A browser that can be found, in place of a real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None) -> None:
        monkeypatch.setattr(try_browser, "find_browser", lambda kind: None)
        monkeypatch.setattr(try_browser, "open_lab", lambda kind, headless: self)
        monkeypatch.setattr(try_browser, "converse", self._converse)
        self.browser, self.name, self.version = self, "Fake", "1"
        self.error = error
        self.complete = False

    async def __aenter__(self) -> Any:
        if self.error is not None:
            raise self.error
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is left of it."""

    async def _converse(self, lab: Any, output: Any) -> bool:
        return self.complete


def test_something_else_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation that went otherwise ends with 1, and says so."""
    Fake(monkeypatch)
    result = invoke("--browser", "firefox", "--headless")
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "It did not go as it should. All was removed.")


def test_with_a_window_it_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until something ends it."""

    async def wait() -> None:
        raise BrowserError("somebody closed it")

    monkeypatch.setattr("trio.sleep_forever", wait)
    Fake(monkeypatch).complete = True
    result = invoke("--browser", "firefox")
    assert "The browser stays open until Ctrl-C." in result.output
    assert result.output.endswith("Error: somebody closed it\n")


def test_the_browser_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What went wrong with it is told in its words, however deep in groups."""
    Fake(monkeypatch, BrowserError("it fell over"))
    result = invoke("--browser", "firefox")
    assert (result.exit_code, result.output) == (1, "Error: it fell over\n")


def test_an_event_for_people() -> None:
    """Whose it is, what happened, and what it said."""
    event = Event("on_disconnect", port="p", error="why")
    assert str(try_browser.describe_event("background", event)) == '    background p.on_disconnect "why"'
