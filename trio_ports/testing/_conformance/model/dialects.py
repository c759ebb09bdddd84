"""How the dialects differ and what a message is, written down a second time and independently of the package."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeGuard

Outcome = Literal["ok", "blocked", "closed", "broken", "full", "busy", "end", "cancelled", "not-json", "too-large"]
Leaving = Literal["last", "all", "opener"]


@dataclass(frozen=True, kw_only=True)
class DialectRules:
    """How a dialect differs from the others, and its limits."""

    keeps_unheard: bool
    """Rules 15 and 24."""
    keeps_error: bool
    """Rule 25."""
    reports_crashes: bool
    """Rule 20."""
    receiver_disconnects: Leaving
    """Rule 26."""
    receiver_vanishes: Leaving
    calls_removed: bool
    """Rule 29."""
    bound: float
    """Rule 17."""
    largest: float
    """Rule 16."""
    tab_by_tabs_connect: bool
    """Rule 9, as for the rest."""
    document_without_tab: bool
    background_origin: bool
    lifecycle: str | None
    document_overrules: Literal["nothing", "tab", "tab and frame"]
    """Rule 4: which of the tab and the frame do not count if a document's id is given too."""
    reaches_opener: bool
    """Rule 2: ``tabs.connect`` reaches the page that calls it, if it is shown in that tab."""
    key_for_extensions: bool
    """Rule 3: ``externally_connectable`` is about extensions too."""
    devtools_hear_scripts: bool
    """Rule 66: a devtools page hears content scripts."""
    returned_answers: bool
    """Rule 61: what a listener of one-shot messages returns is an answer."""
    first_answer_counts: bool
    """Rule 61: an answer counts beside a promise or an exception of the same listener, if it comes first."""
    declining_answers: bool
    """Rule 64: a context that has nothing to say outlasts one that goes away before it answers."""
    reports_failures: bool
    """Rule 63: the sender of a one-shot message gets the text of what a listener raises."""
    scripts_live_on: bool = False
    """Rule 47: content scripts outlive their extension, and are told of it."""
    logs: bool = True
    """Rule 31: what a listener raises is logged; otherwise it leaves through the scope."""
    learns_late: bool = False
    """There is a wire: an end learns that the other one has gone only after all its messages were taken."""


MIB = 1024 * 1024
THROWN_TEXT = "the other side must not read this"
"""The text of what a history raises. The other side gets it nowhere but by rule 63."""
_TRIO = DialectRules(
    keeps_unheard=True,
    keeps_error=True,
    reports_crashes=True,
    receiver_disconnects="last",
    receiver_vanishes="last",
    calls_removed=False,
    bound=1024,
    largest=64 * MIB,
    tab_by_tabs_connect=True,
    document_without_tab=True,
    background_origin=True,
    lifecycle=None,
    document_overrules="nothing",
    reaches_opener=False,
    key_for_extensions=True,
    devtools_hear_scripts=True,
    returned_answers=True,
    first_answer_counts=True,
    declining_answers=False,
    reports_failures=False,
)
_BROWSERS = replace(
    _TRIO,
    keeps_unheard=False,
    reports_crashes=False,
    bound=math.inf,
    returned_answers=False,
    reports_failures=True,
)
DIALECT_RULES = {
    "trio": _TRIO,
    "firefox": replace(
        _BROWSERS,
        receiver_disconnects="all",
        receiver_vanishes="all",
        largest=math.inf,
        document_overrules="tab and frame",
        reaches_opener=True,
        key_for_extensions=False,
        devtools_hear_scripts=False,
        first_answer_counts=False,
        declining_answers=True,
    ),
    "chrome": replace(
        _BROWSERS,
        keeps_error=False,
        receiver_disconnects="opener",
        calls_removed=True,
        scripts_live_on=True,
        tab_by_tabs_connect=False,
        document_without_tab=False,
        background_origin=False,
        lifecycle="active",
        document_overrules="tab",
    ),
}


class UnserializableError(Exception):
    """A message is not valid JSON."""


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Return whether a value is a list."""
    return isinstance(value, list)


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a value is an object."""
    return isinstance(value, dict)


def is_special(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a value stands for one that is not valid JSON, or too long to write down."""
    return isinstance(value, dict) and "$" in value


def show(value: Any) -> Any:
    """Return the message that arrives when a history's value is posted. Rules 12 and 13."""
    if is_special(value):
        kind = value["$"]
        if kind == "long":
            return value
        if kind in ("NaN", "Infinity"):
            return None
        raise UnserializableError
    if is_list(value):
        return [show(item) for item in value]
    if is_object(value):
        return {key: show(item) for key, item in value.items()}
    return value


def weigh(value: Any) -> int:
    """Return how many bytes a history's value has as JSON. A lone surrogate has those of its escape, six bytes."""
    if type(value) is int:  # What queues are filled with, by the thousand.
        return len(str(value))
    lengths: list[int] = []
    return len(_encode(_without_long(show(value), lengths)).encode("utf-8", "backslashreplace")) + sum(lengths)


def _without_long(value: Any, lengths: list[int]) -> Any:
    """Replace long texts by empty ones, and note their lengths."""
    if is_special(value):
        lengths.append(int(value["length"]))
        return ""
    if is_list(value):
        return [_without_long(item, lengths) for item in value]
    return {key: _without_long(item, lengths) for key, item in value.items()} if is_object(value) else value
