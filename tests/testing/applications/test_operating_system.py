"""The operating system: the names of signals."""

from __future__ import annotations

from trio_ports.testing._applications.operating_system import signal_name


def test_signals_without_a_name() -> None:
    """Real-time signals are shown by their number."""
    assert signal_name(9) == "SIGKILL"
    assert signal_name(62) == "signal 62"
