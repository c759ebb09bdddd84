"""Greetings: find out which nodes can be reached. Decisions only: nothing here waits.

Zenoh announces a node before its own routes lead there, so a message that is sent too
soon is lost. The last message of a node may also arrive after the news that it is gone.
So a node counts as there once it has answered a question, and what it sends before that
is kept.
"""

from __future__ import annotations

from typing import Final, final

import attrs

from .nodes import Arrived, Gone, Joined, NodeEvent

MAX_QUESTIONS: Final = 8
"""How often to ask a node that has sent something but was never announced."""


@final
@attrs.define
class _Stranger:
    announced: bool = False
    questions: int = 0
    said: list[NodeEvent] = attrs.Factory(list[NodeEvent])


@final
@attrs.frozen(eq=False)
class Greetings:
    """Which nodes are there, and which have not answered yet."""

    _known: set[str] = attrs.field(factory=set[str], init=False)
    _strangers: dict[str, _Stranger] = attrs.field(factory=dict[str, _Stranger], init=False)

    @property
    def has_strangers(self) -> bool:
        """Whether a node has to be asked."""
        return bool(self._strangers)

    def ask(self) -> list[str]:
        """Return the nodes to send a question to now."""
        for peer, stranger in tuple(self._strangers.items()):
            stranger.questions += 1
            if stranger.questions > MAX_QUESTIONS and not stranger.announced:
                del self._strangers[peer]
        return list(self._strangers)

    def announce(self, peer: str) -> None:
        """Note that Zenoh has announced a node."""
        if peer not in self._known:
            self._strangers.setdefault(peer, _Stranger()).announced = True

    def hear(self, event: Arrived) -> list[NodeEvent]:
        """Take what a node has sent, and return the resulting events: none, until it has answered."""
        if event.peer in self._known:
            return [event]
        self._strangers.setdefault(event.peer, _Stranger()).said.append(event)
        return []

    def answer(self, peer: str) -> list[NodeEvent]:
        """Note that a node has answered, and return the resulting events."""
        stranger = self._strangers.pop(peer, None)
        if stranger is None:
            return []
        self._known.add(peer)
        return [Joined(peer), *stranger.said]

    def lose(self, peer: str) -> list[NodeEvent]:
        """Note that a node is gone, and return the resulting events."""
        self._strangers.pop(peer, None)
        if peer not in self._known:
            return []
        self._known.remove(peer)
        return [Gone(peer)]
