"""Processes: what is said of how they ended."""

from __future__ import annotations

from trio_ports.testing.processes import signal_name


def test_signals_without_a_name() -> None:
    """Real-time signals have none."""
    assert signal_name(9) == "SIGKILL"
    assert signal_name(62) == "signal 62"
