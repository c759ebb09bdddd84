"""Name the rule that a difference breaks: that of the story it was found in, unless the table below knows better."""

from __future__ import annotations

from typing import Final

from .difference import Difference

CERTAIN: Final = {
    "sender": 9,
    "name": 8,
    "error": 25,
    "inside connect": 1,
    "inside a call": 32,
    "arguments": 14,
    "over": 24,
    "full": 17,
    "scope ends": 20,
    "wire": 33,
}
"""Differences that break this rule whatever the story was about."""

USUAL: Final = {
    "connections": 2,
    "messages": 10,
    "messages kept": 15,
    "listeners": 28,
    "ends": 19,
    "cause": 20,
    "block": 20,
    "scope": 31,
    "one-shot": 62,
    "receive": 25,
    "not-json": 12,
    "too-large": 16,
    "blocked": 17,
    "closed": 23,
    "broken": 23,
    "disconnect": 22,
}
"""What a difference in a random history most probably breaks. It is shown with the history, so a guess is enough."""


def rule_of(difference: Difference, story_rule: int | None = None) -> int:
    """Return the number of the rule that is broken; ``story_rule`` is None in a random history."""
    return CERTAIN.get(difference.kind) or story_rule or USUAL[difference.kind]
