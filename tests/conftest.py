"""What every test gets without asking."""

import os
import re
import signal
import sys
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

SHARED = re.compile(r"\b(differential|laboratory)/(?!test_try|test_browsers).*\[(firefox|chromium)\b")
"""Tests for which one browser of that kind is started, in their folder."""
SLOW = ("test_echoes.py", "test_makers.py", "test_applications.py", "test_checking.py", "test_ports.py", "test_try.py")
SLOW += ("test_ends.py", "test_machines.py", "test_trials.py", "test_start.py", "test_judge.py", "test_checks.py")
SLOW += ("test_check.py",)
"""Where the longest of the others are."""

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep those together that share a browser; all others go to whoever is free, as no test relies on another one."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            shared = SHARED.search(nodeid)
            return " ".join(shared.groups()) if shared else nodeid

    return Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where tests run in parallel, let long ones begin, so that nobody is left alone with one at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (not SHARED.search(item.nodeid), item.path.name not in SLOW))


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
