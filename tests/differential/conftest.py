"""Real browsers for the differential tests, one kind after the other."""

from collections.abc import Iterator

import pytest
from differential.worlds import World, start_world


@pytest.fixture(scope="session", params=["firefox", "chromium"])
def worlds(request: pytest.FixtureRequest) -> Iterator[list[World]]:
    """The browsers that were started; the last one runs."""
    started = [start_world(request.param)]
    yield started
    started[-1].laboratory.stop()


@pytest.fixture
def world(worlds: list[World]) -> World:
    """A browser that all histories share until one of them breaks it, and its imitation."""
    if worlds[-1].laboratory.is_broken:
        worlds[-1].laboratory.stop()
        worlds.append(start_world(worlds[-1].kind))
    return worlds[-1]
