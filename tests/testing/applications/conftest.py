"""What the tests of the check of applications share."""

from __future__ import annotations

import pytest

from trio_ports.testing._applications import checks


@pytest.fixture
def _leaving_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait as long as a browser for a program that never leaves."""
    monkeypatch.setattr(checks, "LEAVE_SECONDS", 0.7)
