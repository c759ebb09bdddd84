"""What every test gets without asking."""

import re
import signal

import pytest
from hypothesis import settings

BROWSERS = ("laboratories", "worlds")
"""The fixtures that start a real browser, and keep it for all tests that ask for it."""
LONG = re.compile(r"tests/(testing/|test_examples|.*test_try)")
"""Where the longest of the others are."""

# A deadline in milliseconds measures the machine; what a test may cost is limited by its number of examples.
settings.register_profile("trio_ports", parent=settings(), deadline=None)
settings.load_profile("trio_ports")


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach the tests and what they start, and let parallel tests keep the order they are given below."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGHUP", "SIGTERM"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadgroup"
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep tests together that share a browser, and where tests run in parallel, let the long ones begin.

    Otherwise one worker would be left alone with a long test at the end.
    """
    for item in items:
        for fixture in BROWSERS:
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(f"{fixture} {item.callspec.params[fixture]}"))
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (not item.get_closest_marker("xdist_group"), not LONG.search(item.path.as_posix())))
