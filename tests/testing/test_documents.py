"""The documentation has every rule, and every mutant."""

from __future__ import annotations

import re
from pathlib import Path

from testing.mutants import MUTANTS

from trio_ports.testing import RULES
from trio_ports.testing._conformance.players.ends import PORT_MEMBERS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_page_of_rules_has_every_rule() -> None:
    """Each sentence that a report shows can be looked up under its number."""
    page = " ".join((REFERENCE / "rules.rst").read_text(encoding="utf-8").split())
    assert [rule.number for rule in RULES.values() if f"**{rule.number}.** *{rule.sentence}*" not in page] == []


def test_the_page_says_what_a_port_needs() -> None:
    """Every member that a maker's ends are asked for, and what they may have besides."""
    page = (REFERENCE / "testing.rst").read_text(encoding="utf-8")
    part = page.partition("What counts as a port")[2].partition("Moves\n-----")[0]
    members = [*PORT_MEMBERS, "statistics", "add_listener", "remove_listener", "has_listener"]
    assert [member for member in members if not re.search(rf"\b{member}\b", part)] == []


def test_the_table_of_mutants_is_that_of_the_tests() -> None:
    """A line for each mutant, under the number of the rule that it breaks."""
    page = (REFERENCE / "mutants.rst").read_text(encoding="utf-8")
    listed = [(int(number), does) for number, does in re.findall(r"^(\d+) +(.+)$", page, re.MULTILINE)]
    assert listed == sorted(((mutant.rule, mutant.does) for mutant in MUTANTS), key=lambda row: row[0])


def test_every_rule_of_ports_has_a_mutant() -> None:
    """No rule is checked without a proof that the check can fail."""
    assert {mutant.rule for mutant in MUTANTS} == set(range(1, 33))
