"""Browsers for the laboratory's tests."""

from collections.abc import Iterator

import pytest
from laboratory.shared import SharedLaboratory, start_laboratory


@pytest.fixture(scope="session", params=["firefox", "chromium"])
def laboratory(request: pytest.FixtureRequest) -> Iterator[SharedLaboratory]:
    """A browser that all stories share, one kind after the other."""
    laboratory = start_laboratory(request.param)
    yield laboratory
    laboratory.stop()
