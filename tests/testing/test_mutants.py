"""The kit can fail: it catches whatever is broken on purpose, and names the rule."""

from __future__ import annotations

from functools import partial

import pytest
from testing.mutants import MUTANTS, SMALL, Mutant

import trio_ports
from trio_ports.testing import Limits, RuleBrokenError, check_browser, check_port

pytestmark = pytest.mark.repetition


@pytest.mark.filterwarnings(
    # What the mutant of a listener returns is dropped, awaitable or not.
    "ignore:.*was never awaited:RuntimeWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{mutant.rule}: {mutant.does}" for mutant in MUTANTS])
def test_mutants(mutant: Mutant) -> None:
    """Each mutant is caught, and the report names the rule that it breaks."""
    dialect = mutant.options.get("dialect", "trio")
    with mutant.patch(), pytest.raises(RuleBrokenError) as caught:
        if mutant.browser:
            check_browser(partial(trio_ports.open_browser, **mutant.options), seconds=4.0, **mutant.options)
        else:
            limits = Limits(**SMALL) if dialect == "trio" else Limits()
            check_port(mutant.make, limits=limits, seconds=4.0, **{"listener_errors": "log", **mutant.options})
    assert caught.value.rule == mutant.rule, str(caught.value)


def test_every_rule_of_ports_has_a_mutant() -> None:
    """No rule is checked without a proof that the check can fail."""
    assert {mutant.rule for mutant in MUTANTS} == {*range(1, 33), 43, 44, 45, 47, 48, 50, *range(60, 67)}
