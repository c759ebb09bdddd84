"""Stories: which of them are played, and that each says something of its own."""

from __future__ import annotations

import importlib
import math
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from support import each_dialect

from trio_ports import open_browser
from trio_ports.testing import RULES, Scope
from trio_ports.testing._conformance.model import DIALECT_RULES
from trio_ports.testing._conformance.options import Options
from trio_ports.testing._conformance.play import make_browser_subject, play, quiet
from trio_ports.testing._conformance.stories import all_stories, browser_stories, port_stories


def test_stories_that_do_not_apply() -> None:
    """Without a limit over a wire there is none about sizes; where a port has no block, none about what leaves it."""
    rules = replace(DIALECT_RULES["trio"], largest=math.inf, learns_late=True)
    told = {story.rule for story in port_stories(rules, Scope(supports_async_with=False, listeners_raise=False))}
    assert not told & {16, 31}
    assert told >= {10, 19, 24}


def test_every_story_has_its_sentence() -> None:
    """No two stories say the same, and each is listed under the name of a file of stories."""
    stories = list(all_stories())
    sentences = [story.sentence for _, story in stories]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence[-1] == "." for sentence in sentences)
    for chapter in {chapter for chapter, _ in stories}:
        importlib.import_module(f"trio_ports.testing._conformance.stories.{chapter}")


def test_every_rule_of_ports_has_a_story() -> None:
    """Rule 32 is looked for in all stories, those from 33 to 42 are about native messaging, 46 and 49 need more."""
    told = {story.rule for _, story in all_stories()}
    assert told == {*range(1, 32), 33, 36, 43, 44, 45, 47, 48, 50, *range(60, 67)}
    assert told < set(RULES)


def test_a_story_that_is_played_in_both_directions() -> None:
    """It has one sentence, and is listed once."""
    played = list(port_stories(replace(DIALECT_RULES["trio"], bound=3, largest=500), Scope()))
    sentences = {story.sentence for story in played}
    assert len(played) > len(sentences)
    assert sentences <= {story.sentence for _, story in all_stories()}


@each_dialect
@pytest.mark.parametrize("listener_errors", ["raise", "log"])
def test_one_shot_messages(dialect: Any, listener_errors: Any) -> None:
    """The stories about them, in each dialect."""
    options = Options(dialect=dialect, listener_errors=listener_errors)
    subject = make_browser_subject(partial(open_browser, dialect=dialect, listener_errors=listener_errors), options)
    told = [story for story in browser_stories(subject.scope) if story.rule in range(60, 65)]
    assert len(told) > 60
    with quiet():
        for story in told:
            assert play(subject, story.history).difference is None, story.sentence
