"""Options: what is not asked of ports whose options rule it out."""

from __future__ import annotations

from functools import partial

import pytest
from testing import makers

from trio_ports.testing import check_port


def test_a_dialect_that_there_is_not() -> None:
    """Said as everywhere else."""
    with pytest.raises(ValueError, match="dialect must be one of 'trio', 'firefox', 'chrome', not 'ff'"):
        check_port(makers.open_with_nursery, dialect="ff")  # type: ignore[arg-type]


def test_listeners_that_raise_are_left_out() -> None:
    """Where their exceptions leave through the scope, no listener raises in a history."""
    check_port(partial(makers.open_pair, listener_errors="raise"), examples=20)


def test_what_a_subject_cannot_do() -> None:
    """Without back pressure nothing is posted beyond the bound; crashes need not be told."""
    check_port(makers.open_pair, back_pressure=False, reports_crashes=True, listener_errors="log", examples=5)
