"""The interface of a player: it carries out the moves of a history on real ports and keeps what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from ..history.moves import Move

Record: TypeAlias = dict[str, Any]
"""One call of a listener, or an exception that one of its actions raised.

``port`` and ``event`` are always there. A call has ``listener``, and then ``message``; or ``error``; or ``name`` and
``sender``. For the event ``raised`` there are ``call`` and ``error``. What should not be has a key of its own:
``inside`` (the call that the listener ran in), ``arguments`` (how many, if the number was wrong) and ``given`` (what
it was called with instead of a port that somebody knows).
"""


class PlayedContext(Protocol):
    """A context that a player has."""

    @property
    def log(self) -> Sequence[Record]:
        """The calls of its listeners, in order."""
        raise NotImplementedError


class Player(Protocol):
    """Carries out moves and keeps what came of them.

    Players in this process, in a real browser and in a program in another language keep the same things, so that the
    same history can be compared between any two of them.
    """

    @property
    def results(self) -> Sequence[Any]:
        """What came of each step, and how each block was left, in order."""
        raise NotImplementedError

    @property
    def contexts(self) -> Mapping[str, PlayedContext]:
        """The contexts by name, those that have ended included."""
        raise NotImplementedError

    async def play(self, move: Move) -> None:
        """Carry out a move, and return when everything that follows from it has happened."""
        raise NotImplementedError
