"""The part of the page "Where each rule is checked" that is generated: for each rule all that can fail for it.

It is made from what the tests themselves use, each time that the documentation is
built, so it cannot say anything else than they do.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from trio_ports.testing import RULES
from trio_ports.testing._applications.checks import CHECKS
from trio_ports.testing._conformance.stories import all_stories

TESTS = Path(__file__).parents[1] / "tests"
sys.path.append(str(TESTS))

from testing.applications.faults import FAULTS  # noqa: E402 - The tests are not installed.
from testing.mutants import asking, disconnecting, listeners, lives, messages, opening  # noqa: E402

STORIES = "trio_ports/testing/_conformance/stories"
ELSEWHERE = {
    32: "No story is about it alone: a listener that runs inside a call is noticed in every story.",
    37: "The tests in ``tests/native`` start applications that cannot be started.",
    39: "The tests in ``tests/native`` start several applications, and post before they are up.",
    40: "``tests/protocol/test_manifests.py`` has tests of every field.",
    41: "``tests/protocol/test_places.py`` and the tests in ``tests/native`` look for manifests.",
    67: "``tests/browser/test_places.py`` prerenders documents.",
    68: "``tests/browser/test_places.py`` runs user scripts.",
    42: "``tests/protocol/test_places.py`` compares every place with a table.",
    46: "``tests/browser/test_backgrounds.py`` lets the time pass, which a history cannot.",
    49: "``tests/browser/test_navigation.py`` opens browsers with a back/forward cache, which most have not.",
}
"""What checks a rule besides stories, checks and mutants."""


def write_rules() -> str:
    """Return a section for each rule, as reStructuredText."""
    return "\n".join(line for number in RULES for line in write_rule(number))


def write_rule(number: int) -> Iterator[str]:
    """Return the section of one rule, line by line."""
    title = f"Rule {number}"
    yield from [title, "-" * len(title), "", f"{mark_up(RULES[number].sentence)} (:ref:`In full <rule-{number}>`.)", ""]
    if number in ELSEWHERE:
        yield from [ELSEWHERE[number], ""]
    stories = [(f"{STORIES}/{file}.py", story.sentence) for file, story in all_stories() if story.rule == number]
    for path in dict.fromkeys(path for path, _ in stories):
        yield from write_list(f"**Stories** in ``{path}``", (sentence for other, sentence in stories if other == path))
    checks = [f"*{check.name}*: {check.sentence}" for check in CHECKS if check.rule == number]
    yield from write_list("**Checks of an application** in ``trio_ports/testing/_applications/checks.py``", checks)
    for group in (opening, messages, disconnecting, listeners, lives, asking):
        path = f"tests/testing/mutants/{group.__name__.rpartition('.')[2]}.py"
        broken = [mutant.does for mutant in group.MUTANTS if mutant.rule == number]
        yield from write_list(f"**Mutants** in ``{path}``: a port or a browser that", broken)
    faults = [fault.does for fault in FAULTS if fault.rule == number]
    yield from write_list("**Mutants** in ``tests/testing/applications/faults.py``: an application that", faults)


def write_list(heading: str, sentences: Iterable[str]) -> Iterator[str]:
    """Return a heading and a list of sentences, line by line; nothing if there are none."""
    items = [f"- {mark_up(sentence)}" for sentence in sentences]
    if items:
        yield from [heading, "", *items, ""]


def mark_up(text: str) -> str:
    """Return plain text as reStructuredText, with the names of Python and JavaScript as code."""
    name = re.compile(r"\w+\([^()]*\)|\b\w*_\w+(?:=\w+)?")
    parts: list[str] = []
    end = 0
    for found in name.finditer(text):
        parts += [re.sub(r"([\\`|])", r"\\\1", text[end : found.start()]), f"``{found[0]}``"]
        end = found.end()
    return "".join([*parts, re.sub(r"([\\`|])", r"\\\1", text[end:])])
