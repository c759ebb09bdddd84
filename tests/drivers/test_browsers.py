"""Starting real browsers, and programs that only pretend to be one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from trio_ports._drivers import BrowserKind, BrowserStartError, chromium, firefox, open_chromium, open_firefox, open_lab

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
async def test_a_browser_that_ends_at_once(kind: BrowserKind, pretend: Pretend, tmp_path: Path) -> None:
    """The error has its last words, and nothing is left of it; a home of the caller's own stays."""
    pretend(kind, "echo cannot open display >&2; exit 1")
    home = tmp_path / "home"
    with pytest.raises(BrowserStartError, match="cannot open display"):
        async with OPENERS[kind](home=home, folder=tmp_path / "run", headless=False):
            pass  # pragma: no cover
    assert home.exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["firefox", "chromium"])
async def test_a_browser_that_never_answers(
    kind: BrowserKind, pretend: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up after a while."""
    pretend(kind, "exec sleep 60")
    for module in firefox, chromium:
        monkeypatch.setattr(module, "START_SECONDS", 0.2)
    with pytest.raises(BrowserStartError, match="did not"):
        async with OPENERS[kind]():
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


@pytest.mark.parametrize("kind", ["firefox", "chromium"])
async def test_a_lab_without_a_browser(kind: BrowserKind, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab whose browser does not start says the same, from within its nursery."""
    monkeypatch.setenv(f"TRIO_PORTS_{kind.upper()}", "/bin/false")
    monkeypatch.setattr(firefox, "POLL_SECONDS", 0)
    with trio.fail_after(30), pytest.RaisesGroup(BrowserStartError):
        async with open_lab(kind):
            pass  # pragma: no cover
