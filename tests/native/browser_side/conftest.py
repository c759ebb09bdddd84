"""What the tests of the browser's side share."""

from __future__ import annotations

import attrs
import pytest

from trio_ports._native.browser_side.start import PATIENCE


@pytest.fixture
def impatient(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for in vain takes a fraction of a second instead of several."""
    for dialect, patience in PATIENCE.items():
        some = {name: getattr(patience, name) and 0.3 for name in ("flush", "leave", "terminate", "settle")}
        monkeypatch.setitem(PATIENCE, dialect, attrs.evolve(patience, status=3, **some))
