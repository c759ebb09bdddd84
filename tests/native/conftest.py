"""What the tests of native messaging get when they ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from native_support import children, open_descriptors


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No zombie and no descriptor survives a test."""
    before, others = open_descriptors(), children()
    yield
    assert children() <= others
    assert open_descriptors() == before
