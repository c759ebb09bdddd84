"""Stories: for each rule the shortest histories that a subject gets wrong if it breaks that rule.

What should happen is not written here: the model knows. `ends_stories` are those of one connection, `world_stories`
those of a browser.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..history.scope import FILLED, Scope
from ..model import Rules
from . import endings, limits, messages
from .browsers import world_stories
from .story import Story

__all__ = ["Story", "ends_stories", "world_stories"]

BURST = 200
"""More messages than a loop is likely to take before it lets others run."""


def ends_stories(rules: Rules, scope: Scope) -> Iterator[Story]:
    """Tell the stories of one connection, each rule's after those of the rules that it builds on."""
    if scope.receivers > 1:
        yield from limits.tell_receivers(rules)
    yield from messages.tell_posting()
    yield from messages.tell_kept()
    yield from messages.tell_listeners()
    yield from endings.tell_ends()
    yield from endings.tell_closing()
    yield from messages.tell_reading()
    yield from messages.tell_bursts(int(min(rules.bound, BURST)))
    if rules.bound <= FILLED:
        yield from limits.tell_bounds(int(rules.bound))
    yield from limits.tell_sizes(rules)
    if rules.bound <= FILLED:
        yield from limits.tell_full_ends(int(rules.bound))
    yield from endings.tell_late()
    yield from endings.tell_scopes()
    if scope.raises:
        yield from endings.tell_raising()
    elif scope.narrows:
        yield from endings.tell_failing()
