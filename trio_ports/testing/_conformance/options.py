"""The options of a check: what the caller says about the ports under test."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal, final

import attrs

from .model import DIALECT_RULES, DialectRules

DialectName = Literal["trio", "firefox", "chrome"]
ListenerErrors = Literal["raise", "log"]


@final
@attrs.frozen
class Limits:
    """The limits of the connections under test; None stands for the dialect's own limit."""

    max_buffer_size: float | None = None
    """How many messages may wait in each direction."""
    max_message_bytes: float | None = None
    """The size of the largest encoded message, in bytes."""


@final
@attrs.frozen(kw_only=True)
class Options:
    """The options of `check_port`, which describes them."""

    dialect: DialectName = "trio"
    limits: Limits = Limits()
    back_pressure: bool = True
    reports_crashes: bool | None = None
    supports_async_with: bool = True
    listener_errors: ListenerErrors | None = None
    over_a_wire: bool = False
    outside_trio: bool = False

    def make_rules(self) -> DialectRules:
        """Return the rules that such ports obey.

        Raises:
            ValueError: there is no such dialect.
        """
        if self.dialect not in DIALECT_RULES:
            raise ValueError(f"dialect must be one of {', '.join(map(repr, DIALECT_RULES))}, not {self.dialect!r}")
        rules = DIALECT_RULES[self.dialect]
        bound, largest = self.limits.max_buffer_size, self.limits.max_message_bytes
        rules = replace(
            rules,
            bound=rules.bound if bound is None else bound,
            largest=rules.largest if largest is None else largest,
            logs=(self.listener_errors or ("raise" if self.dialect == "trio" else "log")) == "log",
        )
        if self.over_a_wire or self.outside_trio:
            rules = replace(rules, bound=math.inf, reports_crashes=False, learns_late=True)
        if not self.back_pressure:
            rules = replace(rules, bound=math.inf)
        return rules if self.reports_crashes is None else replace(rules, reports_crashes=self.reports_crashes)
