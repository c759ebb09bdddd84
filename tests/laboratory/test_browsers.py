"""Starting real browsers, and programs that only pretend to be one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from laboratory.processes import find_processes
from laboratory.shared import require
from support import PATIENCE_SECONDS

from trio_ports._laboratory.browsers import chromium, firefox
from trio_ports._laboratory.browsers.chromium import open_chromium
from trio_ports._laboratory.browsers.errors import BrowserGoneError, BrowserStartError
from trio_ports._laboratory.browsers.find import BrowserKind
from trio_ports._laboratory.browsers.firefox import open_firefox
from trio_ports._laboratory.browsers.process import open_process
from trio_ports._laboratory.laboratory import open_laboratory

OPENERS = {"firefox": open_firefox, "chromium": open_chromium}
Pretend = Callable[[BrowserKind, str], Path]


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """A maker of programs that are taken for a browser."""

    def make(kind: BrowserKind, script: str) -> Path:
        program = tmp_path / kind
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv(f"TRIO_PORTS_{kind.upper()}", str(program))
        return program

    return make


@pytest.mark.parametrize("kind", ["firefox", "chromium"])
async def test_a_browser_that_ends_at_once(kind: BrowserKind, pretend: Pretend) -> None:
    """The error has its last words, and nothing is left of it."""
    pretend(kind, "echo cannot open display >&2; exit 1")
    async with open_process() as process:
        with pytest.raises(BrowserStartError, match="cannot open display"):
            async with OPENERS[kind](process, headless=False):
                pass  # pragma: no cover
    assert not process.folder.exists()


@pytest.mark.parametrize("kind", ["firefox", "chromium"])
async def test_a_browser_that_never_answers(
    kind: BrowserKind, pretend: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up after a while."""
    pretend(kind, "exec sleep 60")
    for module in firefox, chromium:
        monkeypatch.setattr(module, "START_SECONDS", 0.2)
    async with open_process() as process:
        with pytest.raises(BrowserStartError, match="did not"):
            async with OPENERS[kind](process):
                pass  # pragma: no cover


@pytest.mark.parametrize("display", ["mine", None])
def test_a_window_needs_the_users_display(display: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key to the user's display is in their own home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XAUTHORITY", raising=False)
    if display:
        (tmp_path / ".Xauthority").touch()
    environment = firefox.make_environment(tmp_path / "other")
    assert environment["HOME"] == str(tmp_path / "other")
    assert environment.get("XAUTHORITY") == (str(tmp_path / ".Xauthority") if display else None)


def test_no_place_of_the_users_is_left_to_a_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that lead there lead into the browser's own home."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "mine"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    environment = firefox.make_environment(tmp_path / "other")
    assert environment["XDG_CONFIG_HOME"] == str(tmp_path / "other" / ".config")
    assert "XDG_DATA_HOME" not in environment


@pytest.mark.parametrize("kind", ["firefox", "chromium"])
async def test_a_laboratory_without_a_browser(kind: BrowserKind, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laboratory whose browser does not start says the same, from within its nursery."""
    monkeypatch.setenv(f"TRIO_PORTS_{kind.upper()}", "/bin/false")
    monkeypatch.setattr(firefox, "POLL_SECONDS", 0)
    with trio.fail_after(PATIENCE_SECONDS), pytest.RaisesGroup(BrowserStartError):
        async with open_laboratory(kind):
            pass  # pragma: no cover


@pytest.mark.parametrize("kind", ["firefox", "chromium"])
async def test_a_browser_that_is_closed(kind: BrowserKind) -> None:
    """Whoever uses the laboratory is told at once, and does not wait for answers that never come."""
    require(kind)
    with trio.fail_after(PATIENCE_SECONDS), pytest.RaisesGroup(pytest.RaisesGroup(BrowserGoneError)):
        async with open_laboratory(kind) as laboratory:
            (folder,) = {each.parents[1] for each in laboratory.browser.extension_ids}
            (browser, *_) = find_processes(f"{folder}/profile")
            os.kill(browser, signal.SIGTERM)
            await trio.sleep_forever()
    assert not folder.exists()
