"""A pytest plugin: fixtures for ports, and their conversation in the report of a test that fails.

pytest finds the plugin as soon as the package is installed. `port_pair` and
`port_browser` need pytest-trio.

================= =======================================================================
fixture           what it gives a test
================= =======================================================================
``port_pair``     the two ends of a connection, the opener's end first
``port_browser``  an open `trio_ports.Browser`
``port_recorder`` a `trio_ports.testing.ConversationRecorder`, to pass on as ``observer``
================= =======================================================================

The first two are recorded too: when a test fails, its report shows what each port
posted and received. ``@pytest.mark.trio_ports(dialect="firefox", max_buffer_size=3)``
gives `port_pair` and `port_browser` the arguments that they are opened with.

A test under Hypothesis's ``@given`` cannot have these two: pytest makes a fixture once for
a test, and not for every example. Such a test opens its own ports.
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
    """Register the marker, so that ``--strict-markers`` accepts it."""
    config.addinivalue_line(
        "markers", "trio_ports(**options): the arguments that the fixtures port_pair and port_browser are opened with."
    )


@pytest.fixture
def port_recorder(request: pytest.FixtureRequest) -> ConversationRecorder:
    """Record the ports that are given it as their observer."""
    from .testing import ConversationRecorder

    made = ConversationRecorder()
    request.node.stash[_RECORDER] = made
    return made


@pytest.fixture
def _async_test(request: pytest.FixtureRequest) -> None:
    """Fail a test that does not run in Trio, or runs for many examples of Hypothesis.

    The Trio fixtures ask for this plain one first: where pytest-trio refuses a test, it
    does so inside pytest's machinery, and the tests that follow fail too.
    """
    if getattr(request.function, "is_hypothesis_test", False):
        pytest.fail(
            "@given runs a test for many examples, but pytest makes port_pair and port_browser once: open new ports in "
            "the test, with open_port_pair(nursery) in `async with trio.open_nursery() as nursery`, or open_browser()",
            pytrace=False,
        )
    if request.node.get_closest_marker("trio") is None:
        pytest.fail(
            f"port_pair and port_browser need Trio: make the test async (async def {request.node.name}), and let "
            "pytest-trio run it (trio_mode = true in pytest's configuration, or @pytest.mark.trio)",
            pytrace=False,
        )


def _options(request: pytest.FixtureRequest, port_recorder: ConversationRecorder) -> dict[str, Any]:
    options: dict[str, Any] = {"observer": port_recorder}
    for marker in reversed(list(request.node.iter_markers("trio_ports"))):
        options.update(marker.kwargs)
    return options


@trio_fixture
async def port_pair(
    request: pytest.FixtureRequest, _async_test: None, nursery: Any, port_recorder: ConversationRecorder
) -> tuple[Port[Any, Any], Port[Any, Any]]:
    """Open a connection in the test's nursery, and give its two ends, the opener's first."""
    from . import open_port_pair

    return open_port_pair(nursery, **_options(request, port_recorder))


@trio_fixture
async def port_browser(
    request: pytest.FixtureRequest, _async_test: None, port_recorder: ConversationRecorder
) -> AsyncIterator[Browser]:
    """Open a browser, and close it at the end of the test."""
    from . import open_browser

    async with open_browser(**_options(request, port_recorder)) as opened:
        yield opened


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the ports said to the report of a test that failed."""
    report = yield
    recorder = item.stash.get(_RECORDER, None)
    if report.failed and recorder is not None and recorder.observations:
        report.sections.append(("Ports", recorder.draw()))
    return report
