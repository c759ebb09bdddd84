"""Browsers for the drivers' tests."""

from collections.abc import Iterator

import pytest
from drivers.laboratory import Laboratory, start_laboratory


@pytest.fixture(scope="session", params=["firefox", "chromium"])
def laboratory(request: pytest.FixtureRequest) -> Iterator[Laboratory]:
    """A browser that all stories share, one kind after the other."""
    laboratory = start_laboratory(request.param)
    yield laboratory
    laboratory.stop()
