"""The documentation has every rule, and says what checks it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from testing.applications.faults import FAULTS
from testing.mutants import MUTANTS

from trio_ports.testing import RULES
from trio_ports.testing._conformance.players.ends import PORT_MEMBERS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


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


def test_the_page_of_checks() -> None:
    """Each rule has its section, in which something checks it; every mutant and every path is right."""
    made = runpy.run_path(str(ROOT / "docs" / "rule_checks.py"))
    page = made["write_rules"]()
    parts = re.split(r"^Rule (\d+)\n-+\n", page, flags=re.MULTILINE)[1:]
    sections = {int(number): text for number, text in zip(parts[::2], parts[1::2], strict=True)}
    assert list(sections) == list(RULES)
    checked = {rule for rule, text in sections.items() if "**Stories**" in text or "**Checks " in text}
    assert checked | made["ELSEWHERE"].keys() == set(RULES)
    for broken in (*MUTANTS, *FAULTS):
        assert f"- {made['mark_up'](broken.does)}" in sections[broken.rule]
    paths = set(re.findall(r"``((?:tests|trio_ports)/[^`]+)``", page))
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_the_page_of_files() -> None:
    """Each path that the page names leads somewhere, and each file of a port has its line there."""
    page = (ROOT / "docs" / "explanation" / "files.rst").read_text(encoding="utf-8")
    paths = set(re.findall(r"``(\w+/[\w./]*)``", page)) - {"trio_ports/"}
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / "trio_ports" / path).exists()] == []
    files = [path.stem for path in (ROOT / "trio_ports" / "_ports").glob("[!_]*.py")]
    assert [name for name in files if f"``{name}``" not in page] == []
