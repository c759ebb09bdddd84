"""Browsers for the laboratory's tests."""

from collections.abc import Iterator

import pytest
from laboratory.shared import SharedLaboratory, start_laboratory


@pytest.fixture(scope="session", params=["firefox", "chromium"])
def laboratories(request: pytest.FixtureRequest) -> Iterator[list[SharedLaboratory]]:
    """The browsers that were started, one kind after the other; the last one runs."""
    started = [start_laboratory(request.param)]
    yield started
    started[-1].stop()


@pytest.fixture
def laboratory(laboratories: list[SharedLaboratory]) -> SharedLaboratory:
    """A browser that all stories share, until one of them breaks it."""
    if laboratories[-1].is_broken:
        laboratories[-1].stop()
        laboratories.append(start_laboratory(laboratories[-1].kind))
    return laboratories[-1]
