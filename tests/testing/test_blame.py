"""Blame: which rule a difference breaks."""

from __future__ import annotations

from typing import get_args

import pytest

from trio_ports.testing import RULES
from trio_ports.testing._conformance.compare.blame import CERTAIN, USUAL, rule_of
from trio_ports.testing._conformance.compare.compare import Difference, Kind


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_names_a_rule(kind: Kind) -> None:
    """A story's rule counts, unless the difference speaks for itself; in a random history the table has a guess."""
    difference = Difference(kind, "port p of opener", "this", "that")
    assert rule_of(difference, 42) == CERTAIN.get(kind, 42)
    assert rule_of(difference) in RULES
    assert (kind in CERTAIN) != (kind in USUAL)
