"""Which browsers are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_ports._native.browser_side import present
from trio_ports._native.browser_side.present import is_present, present_browsers
from trio_ports._protocol.places import BROWSERS


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def test_a_program_on_the_path(home: Path) -> None:
    """Whatever it is called."""
    (home / "bin").mkdir()
    for program in "firefox-esr", "google-chrome-stable":
        (home / "bin" / program).touch(0o755)
    assert present_browsers() == ["firefox", "chrome"]


def test_a_profile(home: Path) -> None:
    """A folder that has more in it than manifests; Firefox has its profiles elsewhere."""
    (home / ".config/chromium/NativeMessagingHosts").mkdir(parents=True)
    (home / ".mozilla/native-messaging-hosts").mkdir(parents=True)
    assert present_browsers() == []
    (home / ".config/chromium/Default").mkdir()
    (home / ".config/mozilla/firefox").mkdir(parents=True)
    assert present_browsers() == ["firefox", "chromium"]


def test_firefox_of_long_ago(home: Path) -> None:
    """Its profiles are beside the manifests."""
    (home / ".mozilla/firefox").mkdir(parents=True)
    assert "firefox" in present_browsers()


def test_no_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the PATH is left."""

    def refuse() -> None:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", refuse)
    assert not is_present(BROWSERS["firefox"])


def test_on_windows(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor's key counts."""
    keys = [r"Software\Google\Chrome"]
    monkeypatch.setattr(present, "_WINDOWS", True)
    monkeypatch.setattr(present, "has_key", lambda key: key in keys)
    assert is_present(BROWSERS["chrome"])
    assert not is_present(BROWSERS["firefox"])
