"""The interface of a player: it carries out the moves of a history on real ports and keeps what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol, TypeAlias

from ..history.moves import Move
from ..model.playing import Witness

Record: TypeAlias = dict[str, Any]
"""One call of a listener, or an exception that one of its actions raised.

``port`` and ``event`` are always there. A call has ``listener``, and then ``message``; or ``error``; or ``name`` and
``sender``. For the event ``raised`` there are ``call`` and ``error``. What should not be has a key of its own:
``inside`` (the call that the listener ran in), ``arguments`` (how many, if the number was wrong) and ``given`` (what
it was called with instead of a port that somebody knows).
"""


class SubjectError(Exception):
    """What is under test has failed as a program: it hangs, has ended, or does not speak the protocol of subjects."""


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


class ComparedContext(PlayedContext, Protocol):
    """A context whose ports can be compared with those of the model."""

    @property
    def name(self) -> str:
        """Its name in the history."""
        raise NotImplementedError

    @property
    def context(self) -> Any:
        """The context itself, where it has a ``runtime``."""
        raise NotImplementedError

    @property
    def ports(self) -> Mapping[str, Any]:
        """Its ports by their labels, each with a ``name``, a ``sender`` and an ``error``."""
        raise NotImplementedError

    @property
    def ended_ports(self) -> AbstractSet[str]:
        """The labels of the ports that are over."""
        raise NotImplementedError


class PlayedCall(Protocol):
    """A call that may wait."""

    @property
    def outcome(self) -> str:
        """What came of it, in a word."""
        raise NotImplementedError

    @property
    def message(self) -> Any:
        """What it returned."""
        raise NotImplementedError

    @property
    def cause(self) -> str | None:
        """The cause of the error that its exception was raised from."""
        raise NotImplementedError

    @property
    def then_results(self) -> list[Any]:
        """What came of the steps that its task carried out afterwards."""
        raise NotImplementedError


class ComparedPlayer(Protocol):
    """A player that can be compared with the model after each move."""

    outside_trio: bool
    """Something outside this Trio run carries its messages, so that they take time."""
    largest_message: float | None
    """The largest message that may be posted, once a refusal has shown it."""
    owns_nursery: bool
    """The scope that a history may end is the nursery of the maker."""

    @property
    def results(self) -> Sequence[Any]:
        """As those of a `Player`."""
        raise NotImplementedError

    @property
    def contexts(self) -> Mapping[str, ComparedContext]:
        """As those of a `Player`."""
        raise NotImplementedError

    @property
    def calls(self) -> Mapping[str, PlayedCall]:
        """The calls by name."""
        raise NotImplementedError

    @property
    def witness(self) -> Witness:
        """What came of the last move, for the model."""
        raise NotImplementedError

    def has_left(self, at: str, port: str) -> bool:
        """Return whether the block that a port was entered with has ended by itself."""
        raise NotImplementedError

    async def play(self, move: Move) -> None:
        """Carry out a move, and return when everything that follows from it has happened."""
        raise NotImplementedError

    async def settle(self) -> None:
        """Wait until nothing more happens by itself."""
        raise NotImplementedError

    async def wait_changed(self) -> None:
        """Wait until something happens."""
        raise NotImplementedError
