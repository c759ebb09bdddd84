"""Subjects: what is checked, what is said of it, and the model that it is held against."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Literal, final

import attrs

from .history.moves import EXTENSIONS
from .history.scope import Scope
from .model import RULES as DIALECTS
from .model import Model
from .model import Rules as Dialect
from .players.browser import open_browser_player
from .players.ends import Maker, open_port_player
from .players.in_process import InProcessPlayer

DialectName = Literal["trio", "firefox", "chrome"]
ListenerErrors = Literal["raise", "log"]


@final
@attrs.frozen
class Limits:
    """What the subject's connections carry; None stands for the dialect's own limit."""

    max_buffer_size: float | None = None
    """How many messages may wait in each direction."""
    max_message_bytes: float | None = None
    """The largest encoded message."""


@final
@attrs.frozen(kw_only=True)
class Traits:
    """What is said of a subject by whoever has it checked; the options of `check_port`."""

    dialect: DialectName = "trio"
    limits: Limits = Limits()
    back_pressure: bool = True
    tells_crashes: bool | None = None
    narrows: bool = True
    listener_errors: ListenerErrors | None = None
    wire: bool = False
    remote: bool = False

    def make_rules(self) -> Dialect:
        """Return the rules for such a subject.

        Raises:
            ValueError: there is no such dialect.
        """
        if self.dialect not in DIALECTS:
            raise ValueError(f"dialect must be one of {', '.join(map(repr, DIALECTS))}, not {self.dialect!r}")
        rules = DIALECTS[self.dialect]
        bound, largest = self.limits.max_buffer_size, self.limits.max_message_bytes
        rules = replace(
            rules,
            bound=rules.bound if bound is None else bound,
            largest=rules.largest if largest is None else largest,
            logs=(self.listener_errors or ("raise" if self.dialect == "trio" else "log")) == "log",
        )
        if self.wire or self.remote:
            rules = replace(rules, bound=math.inf, tells_crashes=False, tells_late=True)
        if not self.back_pressure:
            rules = replace(rules, bound=math.inf)
        return rules if self.tells_crashes is None else replace(rules, tells_crashes=self.tells_crashes)


@final
@attrs.frozen
class Subject:
    """What is checked, and what it is held against."""

    open_player: Callable[[], AbstractAsyncContextManager[InProcessPlayer]]
    make_model: Callable[[], Model]
    rules: Dialect
    scope: Scope
    """What may be done to it."""
    remote: bool = False
    """Something outside this Trio run carries its messages."""


def make_port_subject(maker: Maker, receivers: int, traits: Traits) -> Subject:
    """Return what `check_port` checks: the ends that ``maker`` makes, of which so many are receivers."""
    rules = traits.make_rules()
    return Subject(
        lambda: open_port_player(maker, outside_trio=traits.remote),
        lambda: Model.of_ends(rules, receivers, narrows=traits.narrows),
        rules,
        Scope(receivers=receivers, narrows=traits.narrows, raises=rules.logs),
        remote=traits.remote,
    )


def make_browser_subject(maker: Callable[[], Any], traits: Traits) -> Subject:
    """Return what `check_browser` checks: the browser that ``maker`` opens."""
    rules = traits.make_rules()
    return Subject(
        lambda: open_browser_player(maker),
        lambda: Model.of_world(rules, EXTENSIONS),
        rules,
        Scope(world=True, raises=rules.logs),
    )
