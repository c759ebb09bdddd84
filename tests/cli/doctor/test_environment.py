"""Browsers in sandboxes, and the environment of what a browser starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planted_faults import NAME

from trio_ports._native.browser_side import present
from trio_ports._native.browser_side.present import is_present
from trio_ports._protocol.manifests import Family
from trio_ports._protocol.places import BROWSERS
from trio_ports.cli.doctor import environment
from trio_ports.cli.doctor.environment import environment_of
from trio_ports.cli.doctor.examine import examine_browser
from trio_ports.cli.doctor.manifest import Question


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's folders, and the user's home."""
    monkeypatch.setattr(present, "SNAP_FOLDERS", [str(tmp_path / "snap")])
    monkeypatch.setattr(present, "FLATPAK_FOLDERS", [str(tmp_path / "flatpak"), "~/.local/share/flatpak/app"])
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


async def findings(browser: str, **more: Any) -> list[str]:
    family: Any = "firefox" if browser.startswith("firefox") else "chromium"
    report = await examine_browser(Question(NAME, browser, family, **more), frame=None, patience=1)
    return [finding.id for finding in report.findings if finding.check == "browser"]


@pytest.mark.parametrize(
    ("browser", "folder", "expected"),
    [
        ("firefox", "snap/firefox", ["snap"]),
        ("chromium", "flatpak/org.chromium.Chromium", ["flatpak"]),
        ("firefox", ".local/share/flatpak/app/org.mozilla.firefox", ["flatpak"]),
        ("firefox", "snap/chromium", [""]),
        ("firefox-flatpak", "flatpak/org.mozilla.firefox", [""]),
    ],
)
async def test_sandboxes(root: Path, browser: str, folder: str, expected: list[str]) -> None:
    """What is installed from Snap or Flatpak is said; a manifest of one's own is nobody's place."""
    (root / folder).mkdir(parents=True)
    assert await findings(browser) == expected
    assert is_present(BROWSERS[browser]) or expected == [""]
    assert await findings(browser, manifest_folders=[root]) == ["" for _ in "1"]


async def test_a_user_without_a_home(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has no Flatpak of their own."""

    def refuse() -> None:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", refuse)
    assert await findings("firefox") == [""]


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desktop's session, with a plain PATH; nothing of the shell's, and what the browser adds."""
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere")
    monkeypatch.setenv("PATH", "/somewhere/bin")
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    additions: dict[Family, str] = {"firefox": "MOZ_LAUNCHED_CHILD", "chromium": "FC_FONTATIONS"}
    for family, added in additions.items():
        found = environment_of(family)
        assert (found["DISPLAY"], found["LC_ALL"]) == (":7", "C.UTF-8")
        assert "VIRTUAL_ENV" not in found
        assert "/somewhere" not in found["PATH"]
        assert added in found
    monkeypatch.setattr(environment, "_WINDOWS", True)
    assert environment_of("firefox")["VIRTUAL_ENV"] == "/somewhere"
