"""What every test gets without asking."""

import os
import signal
import sys
from collections.abc import Generator

import pytest
from hypothesis import settings

SHARED = ("world", "laboratory")
"""Fixtures that start a browser for all the tests that ask for it."""
SLOW = ("test_echoes.py", "test_makers.py", "test_applications.py", "test_checking.py", "test_ports.py", "test_try.py")
"""Where the longest tests are."""

# A deadline in milliseconds measures the machine; what a test may cost is limited by its number of examples.
settings.register_profile("trio_ports", parent=settings(), deadline=None)
settings.load_profile("trio_ports")


def pytest_configure() -> None:
    """Let Ctrl-C reach the tests and what they start, even if whoever started pytest has ignored it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGHUP", "SIGTERM"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where tests run in parallel, keep those together that share a browser, and let long ones not be the last.

    All others run wherever there is somebody to run them: a test relies on none of its own file.
    """
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        given = getattr(item, "callspec", None)
        for name in SHARED:
            if given is not None and name in given.params:
                item.add_marker(pytest.mark.xdist_group(f"{name} {given.params[name]}"))
    items.sort(key=lambda item: (item.get_closest_marker("xdist_group") is None, item.path.name not in SLOW))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run what is marked as unmeasured without coverage, which makes it take twice as long or more."""
    coverage = sys.modules.get("coverage")
    measuring = coverage.Coverage.current() if coverage and item.get_closest_marker("unmeasured") else None
    if measuring is None:
        return (yield)
    measuring.stop()
    configuration = os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    try:
        return (yield)
    finally:
        if configuration is not None:
            os.environ["COVERAGE_PROCESS_CONFIG"] = configuration
        measuring.start()
