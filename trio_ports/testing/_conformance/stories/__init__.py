"""Stories: for each rule, the shortest histories that go wrong where the rule is broken.

What should happen is not written here: the model knows. Each story says in a sentence what it shows, and each file in
its first line which rules it is about. Rule 32 has no story of its own: it is looked for in all of them. Rules 33 to 42
are about native messaging. Rule 46 needs a clock, and rule 49 a browser with a back/forward cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from ..history.generate import FILLED, Scope
from ..model import DIALECT_RULES, DialectRules
from . import (
    asking,
    bursts,
    contexts,
    disconnecting,
    handling,
    kinds,
    limits,
    listening,
    lives,
    posting,
    racing,
    reading,
    receivers,
    routing,
    wires,
)
from .story import Story

__all__ = ["Story", "all_stories", "browser_stories", "port_stories"]

BURST = 200
"""More messages than a loop is likely to take before it lets other tasks run."""


def port_stories(rules: DialectRules, scope: Scope) -> Iterator[Story]:
    """Return the stories of one connection, each rule's after those of the rules that it builds on."""
    for _, stories in _port_chapters(rules, scope):
        yield from stories


def browser_stories(scope: Scope) -> Iterator[Story]:
    """Return the stories of a browser, each rule's after those of the rules that it builds on."""
    for _, stories in _browser_chapters(scope):
        yield from stories


def all_stories() -> Iterator[tuple[str, Story]]:
    """Return every story once, with the name of the file that it stands in.

    A story that is played in both directions, or in several dialects, is returned once.
    """
    known: set[tuple[int, str]] = set()
    limited = replace(DIALECT_RULES["trio"], bound=3, largest=500)
    scopes = (Scope(receivers=2), Scope(wire="receiver"), Scope(receivers=2, listeners_raise=False))
    for scope in scopes:
        rules = limited if scope.listeners_raise else replace(limited, largest=math.inf)
        for chapter, stories in (*_port_chapters(rules, scope), *_browser_chapters(scope)):
            for story in stories:
                if (story.rule, story.sentence) not in known:
                    known.add((story.rule, story.sentence))
                    yield chapter, story


def _port_chapters(rules: DialectRules, scope: Scope) -> Iterator[tuple[str, Iterator[Story]]]:
    bounded = rules.bound <= FILLED
    if scope.receivers > 1:
        yield "receivers", receivers.tell_receivers()
        if bounded:
            yield "receivers", receivers.tell_slow_receivers(int(rules.bound))
        if scope.supports_async_with:
            yield "receivers", receivers.tell_last_receivers()
    yield "posting", posting.tell_messages()
    yield "listening", listening.tell_kept()
    yield "posting", posting.tell_kept()
    yield "listening", listening.tell_messages()
    yield "posting", posting.tell_answers()
    yield "disconnecting", disconnecting.tell_disconnecting()
    yield "disconnecting", disconnecting.tell_afterwards()
    yield "listening", listening.tell_ends()
    yield "reading", reading.tell_reading()
    yield "reading", reading.tell_ends()
    burst = int(min(rules.bound, BURST))
    yield "posting", posting.tell_bursts(burst)
    yield "reading", reading.tell_bursts(burst)
    if bounded:
        yield "limits", limits.tell_bounds(int(rules.bound))
    yield "racing", racing.tell_cancelled_sends(rules.bound)
    yield "racing", racing.tell_cancelled_reads()
    yield "racing", racing.tell_disconnects()
    if bounded and scope.receivers == 1:
        yield "racing", racing.tell_cancelled_full_sends(int(rules.bound))
    yield "limits", limits.tell_sizes(rules)
    yield "disconnecting", disconnecting.tell_sending_late()
    yield "disconnecting", disconnecting.tell_blocks()
    if scope.listeners_raise:
        yield "listening", listening.tell_raising()
    elif scope.supports_async_with:
        yield "listening", listening.tell_failing()
    if scope.wire:
        yield "wires", wires.tell_frames(scope.wire, rules)
        yield "wires", wires.tell_faults(scope.wire, rules)
    yield "kinds", kinds.tell_kinds()
    yield "bursts", bursts.tell_borders(rules.bound, logs=scope.listeners_raise)
    yield "handling", handling.tell_listeners()
    if scope.supports_async_with:
        yield "handling", handling.tell_blocks()
    yield "disconnecting", disconnecting.tell_scopes(int(rules.bound) if bounded else 0)


def _browser_chapters(scope: Scope) -> Iterator[tuple[str, Iterator[Story]]]:
    yield "routing", routing.tell_who_is_reached()
    yield "contexts", contexts.tell_connecting()
    yield "routing", routing.tell_which_event()
    yield "routing", routing.tell_nobody()
    yield "routing", routing.tell_who_may_connect()
    yield "routing", routing.tell_near_misses()
    yield "routing", routing.tell_tabs()
    yield "contexts", contexts.tell_listening(scope)
    yield "kinds", kinds.tell_connecting()
    yield "handling", handling.tell_connecting()
    yield "contexts", contexts.tell_descriptions()
    yield "contexts", contexts.tell_closing()
    yield "contexts", contexts.tell_private_windows()
    yield "contexts", contexts.tell_two_pages()
    yield "contexts", contexts.tell_closing_at_once()
    yield "routing", routing.tell_who_has_gone()
    yield "lives", lives.tell_starting()
    yield "lives", lives.tell_stopping()
    yield "lives", lives.tell_extensions()
    yield "lives", lives.tell_documents()
    yield "asking", asking.tell_who_is_reached()
    yield "asking", asking.tell_nobody()
    yield "asking", asking.tell_answers(scope)
    yield "asking", asking.tell_several()
    yield "asking", asking.tell_leaving()
