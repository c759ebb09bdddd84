"""Stories: for each rule, the shortest histories that go wrong where the rule is broken.

What should happen is not written here: the model knows. Each story says in a sentence what it shows.

=================== ===================================================================================
rules               file
=================== ===================================================================================
1, 5, 7, 8, 9       ``connecting``: between connect and on_connect; names and senders
2, 3, 4, 6          ``routing``: whom a connect reaches
10, 12, 13          ``posting``: messages on their way
11, 26              ``receivers``: several receivers of one connection; ``contexts`` in a browser
14, 15, 28 to 31    ``listening``: listeners
16, 17              ``limits``: sizes and bounds; ``receivers`` where one of two is slow
18, 19, 21 to 24    ``disconnecting``: ends
20                  ``scopes``: blocks; ``contexts`` in a browser
25                  ``reading``: tasks that receive
27                  ``contexts``: pages and contexts that go
=================== ===================================================================================

Rule 32 has no story of its own: it is looked for in all of them. Rules 33 to 42 are about native messaging.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from ..history.scope import FILLED, Scope
from ..model import DIALECT_RULES, DialectRules
from . import connecting, contexts, disconnecting, limits, listening, posting, reading, receivers, routing, scopes
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
    for rules, logs in ((limited, True), (replace(limited, largest=math.inf), False)):
        scope = Scope(receivers=2, listeners_raise=logs)
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
    yield "posting", posting.tell_order()
    yield "posting", posting.tell_values()
    yield "posting", posting.tell_encoding()
    yield "listening", listening.tell_kept()
    yield "posting", posting.tell_kept()
    yield "listening", listening.tell_order()
    yield "listening", listening.tell_kept_again()
    yield "listening", listening.tell_changes()
    yield "posting", posting.tell_answers()
    yield "disconnecting", disconnecting.tell_who_learns()
    yield "disconnecting", disconnecting.tell_last_messages()
    yield "disconnecting", disconnecting.tell_again()
    yield "disconnecting", disconnecting.tell_posting()
    yield "disconnecting", disconnecting.tell_late_listeners()
    yield "disconnecting", disconnecting.tell_waiting()
    yield "listening", listening.tell_disconnecting()
    yield "listening", listening.tell_ends()
    yield "reading", reading.tell_reading()
    yield "reading", reading.tell_unread()
    yield "reading", reading.tell_ends()
    yield "reading", reading.tell_last_messages()
    yield "reading", reading.tell_sending()
    burst = int(min(rules.bound, BURST))
    yield "posting", posting.tell_bursts(burst)
    yield "reading", reading.tell_bursts(burst)
    if bounded:
        yield "limits", limits.tell_bounds(int(rules.bound))
    yield "limits", limits.tell_sizes(rules)
    if bounded:
        yield "limits", limits.tell_full_ends(int(rules.bound))
    yield "disconnecting", disconnecting.tell_sending_late()
    yield "scopes", scopes.tell_blocks()
    if scope.listeners_raise:
        yield "listening", listening.tell_raising()
    elif scope.supports_async_with:
        yield "listening", listening.tell_failing()


def _browser_chapters(scope: Scope) -> Iterator[tuple[str, Iterator[Story]]]:
    yield "routing", routing.tell_who_is_reached()
    yield "connecting", connecting.tell_connecting()
    yield "routing", routing.tell_which_event()
    yield "routing", routing.tell_nobody()
    yield "routing", routing.tell_who_may_connect()
    yield "routing", routing.tell_tabs()
    yield "connecting", connecting.tell_listening(scope)
    yield "connecting", connecting.tell_names()
    yield "connecting", connecting.tell_senders()
    yield "contexts", contexts.tell_closing()
    yield "contexts", contexts.tell_pages()
    yield "connecting", connecting.tell_new_documents()
    yield "contexts", contexts.tell_uninstalling()
    yield "contexts", contexts.tell_two_pages()
    yield "contexts", contexts.tell_closing_at_once()
