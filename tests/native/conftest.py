"""What the tests of native messaging share."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest
from native_support import children, open_descriptors
from support import PATIENCE_SECONDS

from trio_ports._native.browser_side.start import PATIENCE


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application gets all the time it needs to start, answer and leave, as another process may be slow."""
    for dialect, patience in PATIENCE.items():
        more = {name: PATIENCE_SECONDS for name, seconds in attrs.asdict(patience).items() if seconds not in (True, 0)}
        monkeypatch.setitem(PATIENCE, dialect, attrs.evolve(patience, **more))


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No zombie and no descriptor survives a test."""
    before, others = open_descriptors(), children()
    yield
    assert children() <= others
    assert open_descriptors() <= before
