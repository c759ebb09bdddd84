"""Echoes: the correct ones pass, and the known faults of published libraries are found."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from native.test_foreign import FETCHED, commands
from support import lacking

from trio_ports.testing import check_application

pytestmark = pytest.mark.repetition

HERE = Path(__file__).parent
CORRECT = {
    "ours, with a loop": [sys.executable, str(HERE / "echo.py"), "loop"],
    "ours, with a listener": [sys.executable, str(HERE / "echo.py"), "listener"],
    "Node": [shutil.which("node") or "", str(HERE / "echo.cjs")],
}
FAULTS = {
    # Frames over the limit. It also writes Infinity and knows nothing of half a length, which no browser provokes.
    "recipe": (34,),
    # The same, and None is its end of file.
    "nativemessaging-ng": (13, 34),
    # null ends its stream; it calls itself for every frame in a piece; frames over the limit.
    "chrome-native-messaging": (13, 17, 34),
    # Cannot send what is falsy; many frames in one piece are too many; frames over the limit.
    "web-ext-native-msg": (13, 17, 34),
}


@pytest.mark.parametrize("name", CORRECT)
def test_correct_ones(name: str) -> None:
    """Correct echoes pass every check, without a warning."""
    if not CORRECT[name][0]:
        lacking("install Node")
    report = check_application(CORRECT[name])
    assert report.manner == "echo"
    assert [finding for finding in report.findings if finding.status != "pass"] == []


@pytest.mark.parametrize("name", FAULTS)
def test_published_ones(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The known faults of others' libraries are found, and nothing else."""
    if name != "recipe" and "TRIO_PORTS_FOREIGN" not in os.environ:
        lacking("run tests/native/foreign/fetch.py FOLDER and set TRIO_PORTS_FOREIGN")
    monkeypatch.setenv("PYTHONPATH", str(FETCHED / "python"))
    report = check_application(commands()[name], patience=2, strict=False)
    assert report.manner == "echo"
    assert report.broken_rules == FAULTS[name]
