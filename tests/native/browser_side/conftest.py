"""What the tests of the browser's side share."""

from __future__ import annotations

import attrs
import pytest

from trio_ports._native.browser_side.start import PATIENCE


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for in vain takes a fraction of a second instead of several."""
    for dialect, patience in PATIENCE.items():
        changes = {"flush": patience.flush / 10, "leave": 0.3, "terminate": patience.terminate and 0.3, "settle": 0.3}
        monkeypatch.setitem(PATIENCE, dialect, attrs.evolve(patience, **changes))
