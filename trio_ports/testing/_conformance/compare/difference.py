"""A difference between what a player did and what the model did, and what kind of a difference it is."""

from __future__ import annotations

from typing import Literal, TypeAlias, final

import attrs

Refusal: TypeAlias = Literal["not-json", "too-large", "full", "closed", "broken", "blocked"]
"""The words for what post_message or send raises, those that explain most first."""
OfListeners: TypeAlias = Literal["arguments", "inside connect", "inside a call", "connections", "messages", "listeners"]
OfPorts: TypeAlias = Literal["name", "sender", "error", "cause", "ends", "over", "messages kept"]
OfCalls: TypeAlias = Literal["receive", "disconnect", "block", "scope", "scope ends", "wire", "one-shot"]
Kind: TypeAlias = Literal[OfListeners, OfPorts, OfCalls, Refusal]


@final
@attrs.frozen
class Difference:
    """Something that the ports under test did otherwise than the rules say."""

    kind: Kind
    """What differs."""
    at: str
    """Where: a context, a port of it, or a call."""
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.at}\n    expected: {self.expected}\n    found:    {self.found}"
