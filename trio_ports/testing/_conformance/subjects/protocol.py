"""The protocol between the kit and a subject: JSON, one value in a line.

A *subject* is a program that has ports, in any language. The page ``reference/subjects`` of the documentation
describes the protocol. In short: the subject greets with `Hello`, and then answers each command with the `Results` of
the same ``id``. The commands are ``{"id": 1, "begin": true}`` (open a new connection, and forget the last one),
``{"id": 2, "move": {…}}`` (carry out a move of the kit's language) and ``{"id": 3, "look": true}`` (only describe what
there is). What its listeners are called with, it reports as `Called`, before the results or at any time later.

The players in real browsers use the same results and calls, with commands of their own.
"""

from __future__ import annotations

import math
from typing import Any, Final, Literal, TypeAlias, final

import msgspec

from ...._protocol.messages import Decoder, Encoder
from ..history.moves import Move, Step
from ..model.dialects import is_list, is_object, is_special
from ..options import DialectName, Limits, ListenerErrors, Options
from ..players.player import Record

PROTOCOL: Final = 1
"""The version of the protocol. It changes only if a field goes or means something else."""
BASIC_STEPS: Final = ("post", "fill", "change", "disconnect", "add_listener", "remove_listener", "has_listener")
BASIC_ACTIONS: Final = ("echo", "post_or_raise", "throw")


@final
class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """A subject says what it is and what it can do."""

    protocol: int
    """The version of this protocol that it speaks."""
    name: str
    version: str = ""
    dialect: DialectName = "trio"
    """Whose rules its ports obey."""
    receivers: int = 1
    """How many receivers its connections have."""
    moves: tuple[str, ...] = ("turn",)
    """The moves that it can carry out."""
    steps: tuple[str, ...] = (*BASIC_STEPS, *BASIC_ACTIONS)
    """The steps, and actions of listeners, that it can carry out."""
    calls: tuple[str, ...] = ()
    """The calls that it can start: ``send``, ``receive``, ``__anext__`` and ``wait_disconnected``. With ``then`` their
    tasks can carry out steps afterwards."""
    listeners: tuple[str, ...] = ("function",)
    """The kinds of listeners that it can add."""
    values: tuple[str, ...] = ("long",)
    """The messages that it can make of ``{"$": …}``."""
    at_once: bool = True
    """Several contexts can carry out steps in one turn."""
    over_a_wire: bool = False
    back_pressure: bool = True
    reports_crashes: bool | None = None
    listener_errors: ListenerErrors | None = None
    max_buffer_size: int | Literal["none"] | None = None
    """None stands for the dialect's own bound."""
    max_message_bytes: int | Literal["none"] | None = None

    def make_options(self, dialect: DialectName | None = None) -> Options:
        """Return what it says about its ports, as options of a check; ``dialect``: in this dialect instead."""
        return Options(
            dialect=dialect or self.dialect,
            limits=Limits(_limit(self.max_buffer_size), _limit(self.max_message_bytes)),
            back_pressure=self.back_pressure,
            reports_crashes=self.reports_crashes,
            supports_async_with="enter" in self.moves,
            listener_errors=self.listener_errors,
            over_a_wire=self.over_a_wire,
        )

    def lacks(self, move: Move) -> set[str]:
        """Return what a move needs and the subject can't do."""
        needed = {move["move"]: self.moves} | ({move["call"]: self.calls} if move["move"] == "start" else {})
        lacking = {name for name, known in needed.items() if name not in known}
        if not self.at_once and any(step.get("at", move["at"]) != move["at"] for step in move.get("steps", ())):
            lacking.add("turns of several contexts")
        if move.get("then") and "then" not in self.calls:
            lacking.add("then")
        lacking |= self._lacking_values(move)
        for step in _all_steps((*move.get("steps", ()), *move.get("then", ()))):
            if step["do"] not in self.steps:
                lacking.add(step["do"])
            if step.get("kind", "function") not in self.listeners:
                lacking.add(f"{step['kind']} as listener")
            lacking |= self._lacking_values(step)
        return lacking

    def _lacking_values(self, step: Step) -> set[str]:
        return {name for name in _specials(step.get("message")) if name not in self.values}


@final
class Result(msgspec.Struct, frozen=True):
    """What a step returned, or the word or the text for what it raised."""

    value: Any = None
    error: str | None = None
    mistake: str | None = None
    """Why the step makes no sense, such as a label that is taken: the history's fault, not the subject's."""


@final
class PortState(msgspec.Struct, frozen=True):
    """A port as it is now."""

    name: str = ""
    sender: Any = None
    """None on the opener's end, and anything else on a receiver's."""
    error: str | None = None
    """The word for ``port.error``."""
    over: bool = False
    """It has disconnected, or its end was delivered."""
    left: bool = False
    """The block that it was entered with has ended by itself, and no move has left it."""


@final
class CallState(msgspec.Struct, frozen=True):
    """What came of a call that may wait."""

    outcome: str = "blocked"
    """``"ok"``, ``"cancelled"``, or the word for what it raised; ``"blocked"`` as long as it waits."""
    message: Any = None
    """What ``receive`` returned."""
    cause: str | None = None
    """The cause of the error that it was raised from."""
    then_results: list[Any] = []
    """What came of the steps ``then``, which its task carried out after it had succeeded."""


@final
class State(msgspec.Struct, frozen=True):
    """All ports and calls of a history."""

    ports: dict[str, dict[str, PortState]] = {}
    """By the names of their contexts and their labels."""
    calls: dict[str, CallState] = {}


@final
class Results(msgspec.Struct, frozen=True, tag="results"):
    """A command was carried out."""

    id: int
    results: tuple[Result, ...] = ()
    """One for each step of a turn, and one for a block that was left."""
    state: State | None = None


@final
class Called(msgspec.Struct, frozen=True, tag="called"):
    """A listener was called, or an action of one raised."""

    record: Record
    at: str = ""
    """The context, where one subject has several."""


Report: TypeAlias = Hello | Results | Called

# Texts may have half of a surrogate pair, which these take as well.
ENCODER: Final = Encoder(max_message_bytes=math.inf)
COMMAND_DECODER: Final = Decoder(dict[str, Any])
REPORT_DECODER: Final = Decoder(Report)


def whole(value: Any) -> Any:
    """Return a JSON value in which whole numbers are ints: in many languages there is only one kind of number."""
    if is_list(value):
        return [whole(item) for item in value]
    if is_object(value):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    number = float(value)
    return int(number) if number.is_integer() else number


def _limit(limit: int | Literal["none"] | None) -> float | None:
    return math.inf if limit == "none" else limit


def _all_steps(steps: Any) -> list[Step]:
    """Return steps, and the actions of the listeners that they add."""
    return [each for step in steps for each in (step, *_all_steps(step.get("actions", ())))]


def _specials(value: Any) -> set[str]:
    """Return the kinds of values in a message that are not valid JSON, or too long to write down."""
    if is_special(value):
        return {value["$"]}
    inner: Any = value.values() if is_object(value) else value if is_list(value) else ()
    return {name for each in inner for name in _specials(each)}
