"""Play a history with any player, and write down what could be observed, so that two players can be compared.

A *trace* has an entry for each move: what its steps returned, and what listeners were then called with, by context and
port. How it is made comparable is written down in the documentation, on the page about real browsers; in short:

* The order of events is kept for each port in each context, and forgotten between them.
* Names stand for what browsers number: the players see to it.
* A message is compared as JSON. A number is a number: ``1.0`` and ``-0`` are ``1`` and ``0``.
* The texts of errors are compared wherever the dialects' table has texts. Of the others only the kind is.

Two findings of these runs are known, and taken out exactly where they are: see `is_hasty_end`, and
`differential.literal.ForgetfulActor`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from trio_ports._protocol.dialects import CHROME, FIREFOX, NO_RECEIVER_TEXT
from trio_ports.testing import Move, Player
from trio_ports.testing._conformance.history.moves import ONE_SHOT_EVENTS, describe, turn
from trio_ports.testing._conformance.players.notation import GONE

Trace: TypeAlias = list[dict[str, Any]]

ONE_SHOT: Final = (*ONE_SHOT_EVENTS, "answered", "unanswered")
TEXTS: Final = tuple(
    text
    for text in (
        FIREFOX.post_after_close_text,
        CHROME.post_after_close_text,
        CHROME.too_large_text,
        NO_RECEIVER_TEXT,
    )
    if text is not None
)


async def play_history(player: Player, history: Sequence[Move], *, hasty_ends: bool = True) -> Trace:
    """Play the moves one after the other, and say what every port's state is at the end.

    Args:
        player: plays them.
        history: the moves.
        hasty_ends: keep what `is_hasty_end`, which is known of Firefox.
    """
    trace: Trace = []
    read: dict[int, int] = {}
    labels: dict[str, set[str]] = {}
    for move in history:
        before = len(player.results)
        await player.play(move)
        told: dict[str, list[Any]] = {}
        for name, context in sorted(player.contexts.items()):
            # A context is known by its log: it gets another name when the place that it was in shows another page.
            for record in context.log[read.get(id(context.log), 0) :]:
                if not hasty_ends and is_hasty_end(record, name, move):
                    continue
                told.setdefault(f"{name}: {record['port']}", []).append(show_record(record))
                if record["event"] not in ONE_SHOT:
                    labels.setdefault(name, set()).add(record["port"])
            read[id(context.log)] = len(context.log)
        results = [show_result(*pair) for pair in zip(move.get("steps", ()), player.results[before:], strict=True)]
        if move["move"] == "wait":
            # Another process decides when: what it does may be told before this context has had its turn's results.
            early, trace[-1]["told"] = trace[-1]["told"], {}
            told = {key: [*early.get(key, ()), *told.get(key, ())] for key in {*early, *told}}
        trace.append({"results": results, "told": dict(sorted(told.items()))})
    ports: dict[str, Any] = {}
    for name, known in labels.items():
        for label in sorted(known):
            await player.play(turn(name, describe(label)))
            if player.results[-1] != GONE:
                ports[f"{name}: {label}"] = player.results[-1]
    return [*trace, {"ports": dict(sorted(ports.items()))}]


def is_hasty_end(record: Mapping[str, Any], at: str, move: Move) -> bool:
    """Return whether a port is told that nobody was there, though it was disconnected in the turn that opened it."""
    opened, ended = (
        {step["port"] for step in move.get("steps", ()) if move["at"] == at and step["do"] in calls}
        for calls in (("connect", "tabs_connect"), ("disconnect",))
    )
    return record["port"] in opened & ended and record.get("error") == NO_RECEIVER_TEXT


def show_record(record: Mapping[str, Any]) -> list[Any]:
    """Return what a listener was called with."""
    match record["event"]:
        case "on_message" as event:
            return [event, record["listener"], show_message(record["message"])]
        case "on_disconnect" as event:
            return [event, record["listener"], record["error"]]
        case "raised" as event:
            return [event, record["call"], show_error(record["call"], record["error"])]
        case "answered" as event:
            return [event, show_message(record["message"])]
        case "unanswered" as event:
            return [event, record["error"]]
        case "on_one_shot" | "on_one_shot_external" as event:
            return [event, record["listener"], show_message(record["message"]), record["sender"]]
        case event:
            return [event, record["listener"], record["name"], record["sender"]]


def show_result(step: Mapping[str, Any], result: Any) -> Any:
    """Return what came of a step."""
    return show_error(step["do"], result) if isinstance(result, str) and result != "ok" else result


def show_error(call: str, text: str) -> str:
    """Return a text of the dialects' table as it is, and of any other error only what was refused."""
    if text.startswith("there is no port"):
        return text
    return next((known for known in TEXTS if known in text), f"{call} refused")


def show_message(message: Any) -> Any:
    """Return a message so that equal JSON is equal, and nothing else is."""
    match message:
        case bool() | None:
            return message
        case int() | float():
            return f"number {float(message)!r}" if message else "number 0"
        case str():
            return f"text {message}"
        case list():
            return [show_message(each) for each in message]
        case _:
            return {key: show_message(message[key]) for key in sorted(message)}
