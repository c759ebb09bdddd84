"""Real browsers for the differential tests, one kind after the other."""

from collections.abc import Iterator

import pytest
from differential.worlds import World, start_world


@pytest.fixture(scope="session", params=["firefox", "chromium"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A browser that all histories share, and its imitation."""
    world = start_world(request.param)
    yield world
    world.laboratory.stop()
