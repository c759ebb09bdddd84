"""Where the dialects differ, and what is a message, once more and independently: see `trio_ports.testing.model`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

Outcome = Literal["ok", "blocked", "closed", "broken", "full", "busy", "end", "cancelled", "not-json", "too-large"]
Leaving = Literal["last", "all", "opener"]


@dataclass(frozen=True, kw_only=True)
class DialectRules:
    """Where the dialects differ, and what limits there are."""

    keeps_unheard: bool
    """DialectRules 15 and 24."""
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
    """Rule 4: what a document's id makes of the tab and the frame that are given with it."""
    reaches_opener: bool
    """Rule 2: ``tabs.connect`` reaches the page that calls it, if it is shown in that tab."""
    key_for_extensions: bool
    """Rule 3: ``externally_connectable`` speaks of extensions too."""
    logs: bool = True
    """Rule 31: what a listener raises is logged; otherwise it leaves through the scope."""
    learns_late: bool = False
    """A wire lies between the ends: one learns that the other has gone only when all that came before was taken."""


MIB = 1024 * 1024
DIALECT_RULES = {
    "trio": DialectRules(
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
    ),
    "firefox": DialectRules(
        keeps_unheard=False,
        keeps_error=True,
        reports_crashes=False,
        receiver_disconnects="all",
        receiver_vanishes="all",
        calls_removed=False,
        bound=math.inf,
        largest=math.inf,
        tab_by_tabs_connect=True,
        document_without_tab=True,
        background_origin=True,
        lifecycle=None,
        document_overrules="tab and frame",
        reaches_opener=True,
        key_for_extensions=False,
    ),
    "chrome": DialectRules(
        keeps_unheard=False,
        keeps_error=False,
        reports_crashes=False,
        receiver_disconnects="opener",
        receiver_vanishes="last",
        calls_removed=True,
        bound=math.inf,
        largest=64 * MIB,
        tab_by_tabs_connect=False,
        document_without_tab=False,
        background_origin=False,
        lifecycle="active",
        document_overrules="tab",
        reaches_opener=False,
        key_for_extensions=True,
    ),
}


class UnserializableError(Exception):
    """A message is no JSON."""


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def size_of(value: Any) -> int:
    """Return how many bytes a value has as JSON."""
    if type(value) is int:  # What queues are filled with, by the thousand.
        return len(str(value))
    text = _encode(value)
    return len(text.encode("utf-8", "surrogatepass"))


def is_special(value: object) -> TypeGuard[dict[str, Any]]:
    """Say whether a value stands for one that is no JSON, or too long to write down."""
    return isinstance(value, dict) and "$" in value


def show(value: Any) -> Any:
    """Return what arrives of a value that a history writes: rules 12 and 13."""
    if is_special(value):
        kind = value["$"]
        if kind == "long":
            return value
        if kind in ("NaN", "Infinity"):
            return None
        raise UnserializableError
    if isinstance(value, list):
        return [show(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {key: show(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


def weigh(value: Any) -> int:
    """Return how many bytes a value that a history writes has as JSON."""
    if is_special(value) and value["$"] == "long":
        return int(value["length"]) + 2
    return size_of(value)
