"""Greetings: by which a node finds out who can be reached. Without any waiting.

Zenoh tells of a node before its own routes lead there, and what is sent too soon is lost; what a node said last may
arrive after the news that it is gone. So a node is there once it has answered, and what it says before is kept.
"""

from __future__ import annotations

from typing import Final, final

import attrs

from .nodes import Arrived, Gone, Joined, NodeEvent

MAX_QUESTIONS: Final = 8
"""How often somebody is asked who has spoken without being announced."""


@final
@attrs.define
class _Stranger:
    announced: bool = False
    questions: int = 0
    said: list[NodeEvent] = attrs.Factory(list[NodeEvent])


@final
class Greetings:
    """Who is known to be there, and who has still to answer."""

    __slots__ = ("_known", "_strangers")

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._strangers: dict[str, _Stranger] = {}

    @property
    def has_strangers(self) -> bool:
        """Somebody has to be asked."""
        return bool(self._strangers)

    def ask(self) -> list[str]:
        """Return whom to ask now whether it hears this node."""
        for peer, stranger in tuple(self._strangers.items()):
            stranger.questions += 1
            if stranger.questions > MAX_QUESTIONS and not stranger.announced:
                del self._strangers[peer]
        return list(self._strangers)

    def announce(self, peer: str) -> None:
        """Take note that a node is said to be there."""
        if peer not in self._known:
            self._strangers.setdefault(peer, _Stranger()).announced = True

    def hear(self, event: Arrived) -> list[NodeEvent]:
        """Take what a node has said, and return what follows: nothing, until it has answered."""
        if event.peer in self._known:
            return [event]
        self._strangers.setdefault(event.peer, _Stranger()).said.append(event)
        return []

    def answer(self, peer: str) -> list[NodeEvent]:
        """Take note that a node has answered, and return what follows."""
        stranger = self._strangers.pop(peer, None)
        if stranger is None:
            return []
        self._known.add(peer)
        return [Joined(peer), *stranger.said]

    def lose(self, peer: str) -> list[NodeEvent]:
        """Take note that a node is gone, and return what follows."""
        self._strangers.pop(peer, None)
        if peer not in self._known:
            return []
        self._known.remove(peer)
        return [Gone(peer)]
