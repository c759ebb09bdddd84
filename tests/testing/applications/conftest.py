"""What the tests of the check of applications share."""

from __future__ import annotations

import pytest
from support import PATIENCE_SECONDS

from trio_ports.testing._applications import checks, probe


@pytest.fixture(autouse=True)
def _in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a program that is going to leave the time that a busy machine needs for it."""
    for module in (checks, probe):
        monkeypatch.setattr(module, "LEAVE_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def as_in_a_browser(_in_no_hurry: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a program that never leaves as long as a browser does."""
    for module in (checks, probe):
        monkeypatch.setattr(module, "LEAVE_SECONDS", 2)
