"""What every test gets without asking."""

import re
import signal
from typing import Any

import pytest
from hypothesis import settings
from support import PATIENCE_SECONDS

SHARED = re.compile(r"\b(differential|laboratory)/(?!test_try|test_browsers).*\[(firefox|chromium)\b")
"""Tests for which one browser of that kind is started, in their folder."""
LONG = re.compile(r"\btests/(testing/|test_examples|laboratory/test_try)")
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


@pytest.fixture
def patient_wires(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is at the other end of a stream may take as long for what was posted as a busy machine needs."""
    monkeypatch.setattr("trio_ports._transports.streams.GRACE_SECONDS", PATIENCE_SECONDS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep those together that share a browser; all others go to whoever is free, as no test relies on another one."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            shared = SHARED.search(nodeid)
            return " ".join(shared.groups()) if shared else nodeid

    config.option.loadscopereorder = False  # The order is made below.
    return Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where tests run in parallel, let long ones begin, so that nobody is left alone with one at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (not SHARED.search(item.nodeid), not LONG.search(item.path.as_posix())))
