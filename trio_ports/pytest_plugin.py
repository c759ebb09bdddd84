"""Fixtures for tests of ports, and the conversation in the report of a test that fails.

The plugin is there as soon as the package is installed. It needs pytest-trio for `port_pair` and `browser`.

=============== =====================================================================================================
fixture         what it is
=============== =====================================================================================================
``recorder``    a `trio_ports.testing.ConversationRecorder`; a failing test that used one shows what it recorded
``port_pair``   the two ends of a connection, recorded
``browser``     a browser, recorded
=============== =====================================================================================================

``@pytest.mark.trio_ports(dialect="firefox", max_buffer_size=3)`` gives `port_pair` and `browser` their arguments.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from . import Browser, Port
    from .testing import ConversationRecorder

    def trio_fixture(function: Callable[..., Any]) -> Callable[..., Any]:
        """Make a fixture that runs in Trio."""
        ...
else:
    try:
        from pytest_trio import trio_fixture
    except ImportError:
        trio_fixture = pytest.fixture

_RECORDER = pytest.StashKey["ConversationRecorder"]()


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker is."""
    config.addinivalue_line(
        "markers", "trio_ports(**options): what the fixtures port_pair and browser are opened with."
    )


@pytest.fixture
def recorder(request: pytest.FixtureRequest) -> ConversationRecorder:
    """Remember what happens to the ports that have it as their observer."""
    from .testing import ConversationRecorder

    made = ConversationRecorder()
    request.node.stash[_RECORDER] = made
    return made


@pytest.fixture
def _async_test(request: pytest.FixtureRequest) -> None:
    """Refuse a test that does not run in Trio.

    It comes first, as a plain fixture: pytest-trio refuses inside pytest's machinery, and what it leaves behind there
    fails the tests that follow.
    """
    if request.node.get_closest_marker("trio") is None:
        pytest.fail(
            f"port_pair and browser live in Trio: make the test async (async def {request.node.name}), and let "
            "pytest-trio run it (trio_mode = true in pytest's configuration, or @pytest.mark.trio)",
            pytrace=False,
        )


def _options(request: pytest.FixtureRequest, recorder: ConversationRecorder) -> dict[str, Any]:
    options: dict[str, Any] = {"observer": recorder}
    for marker in reversed(list(request.node.iter_markers("trio_ports"))):
        options.update(marker.kwargs)
    return options


@trio_fixture
async def port_pair(
    request: pytest.FixtureRequest, _async_test: None, nursery: Any, recorder: ConversationRecorder
) -> tuple[Port[Any, Any], Port[Any, Any]]:
    """The two ends of a connection, the opener's first. They belong to the test's nursery."""
    from . import open_port_pair

    return open_port_pair(nursery, **_options(request, recorder))


@trio_fixture
async def browser(
    request: pytest.FixtureRequest, _async_test: None, recorder: ConversationRecorder
) -> AsyncIterator[Browser]:
    """A browser, closed at the end of the test."""
    from . import open_browser

    async with open_browser(**_options(request, recorder)) as opened:
        yield opened


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the conversation to the report of a test that failed."""
    report = yield
    recorder = item.stash.get(_RECORDER, None)
    if report.failed and recorder is not None and recorder.observations:
        report.sections.append(("Ports", recorder.draw()))
    return report
