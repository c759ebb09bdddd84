"""State machines: they do everything that can be done, and fail where a check fails."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from testing import makers, mutants

import trio_ports
from trio_ports.testing import Limits, RuleBrokenError, browser_state_machine, port_state_machine

FEW = settings(max_examples=100, stateful_step_count=20, phases=[Phase.generate], database=None)


def test_machines_find_nothing_wrong_with_ours() -> None:
    """They do everything that can be done to the ends of a connection, and to a browser."""
    some = settings(max_examples=40, stateful_step_count=40, phases=[Phase.generate], database=None, deadline=None)
    pair = port_state_machine(makers.open_pair, listener_errors="log")
    run_state_machine_as_test(pair, settings=some)
    browser = browser_state_machine(partial(trio_ports.open_browser, listener_errors="log"), listener_errors="log")
    run_state_machine_as_test(browser, settings=some)


@pytest.mark.filterwarnings("ignore")
def test_state_machines_fail() -> None:
    """A state machine of a broken subject fails, and names the rule."""
    machine = port_state_machine(
        mutants.find_mutant("calls on_disconnect twice").make, limits=Limits(**mutants.SMALL), listener_errors="log"
    )
    with pytest.raises(RuleBrokenError, match="rule 19"):
        run_state_machine_as_test(machine, settings=settings(FEW, max_examples=500, derandomize=True))


def test_state_machines_fill_queues() -> None:
    """With the limits that a connection has by itself they meet what happens when a queue is full."""
    regretting = attrs.evolve(
        mutants.find_mutant("delivers the message of a send that was cancelled while it waited"), maker=makers.open_pair
    )
    machine = port_state_machine(regretting.make, listener_errors="log")
    with pytest.raises(RuleBrokenError, match="rule 17") as caught:
        run_state_machine_as_test(
            machine, settings=settings(FEW, max_examples=500, stateful_step_count=50, derandomize=True)
        )
    assert len(caught.value.history) <= 4
    assert len(str(caught.value).splitlines()) < 40


def test_a_state_machine_whose_maker_fails() -> None:
    """What the maker raises is raised."""

    def make() -> Any:
        raise OSError("no more ports")

    with pytest.raises(OSError, match="no more ports"):
        port_state_machine(make)()


def test_state_machines_of_browsers_fail() -> None:
    """The same in a browser."""
    mutant = mutants.find_mutant("leaves out the opener's tab")
    machine = browser_state_machine(partial(trio_ports.open_browser, listener_errors="log"), listener_errors="log")
    with mutant.patch(), pytest.raises(RuleBrokenError, match="rule 9"):
        run_state_machine_as_test(machine, settings=settings(FEW, max_examples=1000, stateful_step_count=50))
