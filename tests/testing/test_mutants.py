"""The kit can fail: it finds what is broken on purpose, and names the rule."""

from __future__ import annotations

from functools import partial

import pytest
from testing import mutants
from testing.mutants import MUTANTS, Mutant

import trio_ports
from trio_ports.testing import Limits, RuleBrokenError, check_browser, check_port

pytestmark = pytest.mark.unmeasured


@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{mutant.rule}: {mutant.does}" for mutant in MUTANTS])
def test_mutants(mutant: Mutant) -> None:
    """Each mutant is caught, under the number of the rule that it breaks."""
    dialect = mutant.options.get("dialect", "trio")
    with mutant.patch(), pytest.raises(RuleBrokenError) as caught:
        if mutant.browser:
            maker = partial(trio_ports.open_browser, dialect=dialect, listener_errors="log")
            check_browser(maker, dialect=dialect, listener_errors="log")
        else:
            limits = Limits(**mutants.SMALL) if dialect == "trio" else Limits()
            check_port(mutant.make, limits=limits, **{"listener_errors": "log", **mutant.options})
    assert caught.value.rule == mutant.rule, str(caught.value)
