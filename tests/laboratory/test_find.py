"""Where browsers are looked for."""

from pathlib import Path

import pytest

from trio_ports._laboratory.browsers.errors import BrowserNotFoundError
from trio_ports._laboratory.browsers.find import find_browser


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it, and a program elsewhere."""
    program = tmp_path / "browser"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.delenv("TRIO_PORTS_FIREFOX", raising=False)
    monkeypatch.delenv("TRIO_PORTS_CHROMIUM", raising=False)
    return program


def test_the_variable_wins(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path in the environment is taken, whatever is on the PATH."""
    monkeypatch.setenv("TRIO_PORTS_FIREFOX", str(program))
    assert find_browser("firefox") == program


def test_a_name_on_the_path_is_found(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Google Chrome will do for Chromium."""
    program.rename(program.with_name("google-chrome"))
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_browser("chromium") == program.with_name("google-chrome")


def test_the_error_says_how_to_install(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing found, or a variable that leads nowhere."""
    monkeypatch.setenv("TRIO_PORTS_CHROMIUM", str(program) + "-not-there")
    with pytest.raises(BrowserNotFoundError, match=r"TRIO_PORTS_CHROMIUM.*apt-get install chromium") as caught:
        find_browser("chromium")
    assert caught.value.browser == "chromium"
    assert "google-chrome" in caught.value.programs
    with pytest.raises(BrowserNotFoundError, match="firefox-esr"):
        find_browser("firefox")
