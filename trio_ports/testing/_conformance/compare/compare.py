"""Compare what a player did with what the model did, after each move, and return the first difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias, final, get_args

from .. import model
from ..history.moves import ONE_SHOT_EVENTS, Move
from ..players.notation import LAST_ERROR, STRANGER, cause_of
from ..players.player import ComparedContext, ComparedPlayer, PlayedCall, Record
from .difference import Difference, Kind, Refusal
from .parting import find_partings
from .show import describe_record, list_records, text_of

Fact: TypeAlias = tuple[Kind, str, str]
"""Something that is compared: what it is, as it should be, and as it was found."""
REFUSALS: Final[tuple[Refusal, ...]] = get_args(Refusal)
CAUSES: Final = ("crashed", "no-receiver", "unread")
"""Causes of an error that a rule other than that about errors is about."""
CONNECT_EVENTS: Final = ("on_connect", "on_connect_external")


@final
class Comparison:
    """Compares a player with a model after each move.

    Records that both agreed on are not compared again, because a history may have thousands of messages.
    """

    def __init__(self, reference: model.Model, player: ComparedPlayer) -> None:
        self._reference = reference
        self._player = player
        self._agreed: dict[model.Context, tuple[int, int]] = {}

    def compare(self, move: Move | None = None) -> Difference | None:
        """Return the first difference after this move; None if there is none."""
        difference = next(self._differences(move or {}), None)
        if difference is None:
            for name, context in self._reference.contexts.items():
                self._agreed[context] = len(context.log), len(self._player.contexts[name].log)
        return difference

    def _differences(self, move: Move) -> Iterator[Difference]:
        if self._reference.finished:
            yield from find_partings(self._reference, self._player, tells=self._player.owns_nursery)
            return
        for actor in self._player.contexts.values():
            for label, port in actor.ports.items():
                if getattr(port, "violation", ""):
                    yield Difference("wire", f"the other end of port {label}", "frames of JSON", port.violation)
        yield from _compare_results(self._reference.results, self._player.results, move)
        both = [(context, self._player.contexts[name]) for name, context in self._reference.contexts.items()]
        for context, actor in both:
            yield from _compare_ports(context, actor)
        for context, actor in both:
            for label, port in context.ports.items():
                if label in actor.ports:
                    yield from self._compare_port(port, label, actor)
            yield from _compare_one_shots(context, actor)
        for name, call in self._reference.calls.items():
            yield from _compare_call(f"the call {name}", call, self._player.calls[name])

    def _compare_port(self, port: model.Port, label: str, actor: ComparedContext) -> Iterator[Difference]:
        for kind, expected, found in self._facts(port, label, actor):
            if expected != found:
                yield Difference(kind, f"port {label} of {actor.name}", expected, found)

    def _facts(self, port: model.Port, label: str, actor: ComparedContext) -> Iterator[Fact]:
        real = actor.ports[label]
        opener = self._player.contexts["opener"].ports["p"] if port.context.kind == "end" else port
        yield "name", repr(opener.name), repr(real.name)
        if port.side == "opener":
            yield "sender", "sender=None", f"sender={real.sender!r}"
        else:
            yield "sender", "a sender", "sender=None" if real.sender is None else "a sender"
        runtime = getattr(actor.context, "runtime", None)
        if runtime is not None and runtime.last_error is not None:
            yield "error", "last_error=None outside on_disconnect", f"last_error={runtime.last_error!r}"
        yield from _facts_of_log(label, port, actor, self._agreed.get(port.context, (0, 0)))
        should, error = port.error if port.rules.keeps_error else None, _as_expected(port, cause_of(real.error))
        yield _kind_of_error(should, error), f"error={should}", f"error={error}"
        if port.inside:
            left = "left" if self._player.has_left(actor.name, label) else "inside"
            yield "block", "left" if port.failed else "inside", left
        yield from _facts_of_statistics(port, real, counts=not self._player.outside_trio)
        words = {True: "over", False: "open"}
        kind: Kind = "over" if hasattr(real, "statistics") else "ends"
        yield kind, words[port.state in ("closed", "ended")], words[label in actor.ended_ports]


# Steps and calls ----------------------------------------------------------------------------------------------------


def _compare_results(expected: Sequence[Any], found: Sequence[Any], move: Move) -> Iterator[Difference]:
    if expected == found:
        return
    index, (should, did) = next(
        (index, pair) for index, pair in enumerate(zip(expected, found, strict=True)) if pair[0] != pair[1]
    )
    # The last results are those of this move: one for each step of a turn, or one for a block that was left.
    steps: list[Any] = move.get("steps", [{"do": move.get("move")}])
    step = steps[index - len(expected)]
    at = f"{step['do']} of {step.get('at', move.get('at'))}"
    yield Difference(_kind_of_result(step["do"], should, did), at, str(should), str(did))


def _kind_of_result(do: str, *results: Any) -> Kind:
    if do in ("post", "fill", "echo"):
        return _kind_of_refusal(*(str(result).partition(" ")[0] for result in results))
    if do in ("connect", "tabs_connect"):
        return "connections"
    if do == "disconnect":
        return "disconnect"
    return "block" if do == "leave" else "listeners"


def _kind_of_refusal(*words: str) -> Kind:
    for word in REFUSALS:
        if word in words:
            return word
    return "broken"


def _compare_call(at: str, call: model.Call, task: PlayedCall) -> Iterator[Difference]:
    """Compare what came of a call that may wait."""
    value = call.message.value if call.message is not None else None
    expected = _show_outcome(call.outcome, value, call.then_results)
    found = _show_outcome(task.outcome, task.message if task.outcome == "ok" else None, task.then_results)
    if expected != found:
        yield Difference(_kind_of_call(call, task), at, expected, found)
    elif call.kind in ("receive", "__anext__") and task.outcome == "broken":
        assert call.port is not None
        if task.cause != call.port.error and not (call.port.error == model.WIRE and task.cause):
            wanted = f"broken from the error {call.port.error}"
            yield Difference("error", at, wanted, f"broken from {task.cause}")


def _kind_of_call(call: model.Call, task: PlayedCall) -> Kind:
    if call.kind == "send":
        return _kind_of_refusal(call.outcome, task.outcome)
    if call.kind == "wait_disconnected":
        return "over"
    if call.outcome == task.outcome == "ok":
        return "messages"
    return "error" if call.outcome in ("broken", "end") and task.outcome != "blocked" else "receive"


def _show_outcome(outcome: str, value: Any, then: list[Any]) -> str:
    shown = f"{outcome} {text_of(value)}" if outcome == "ok" and value is not None else outcome
    return ", then ".join([shown, *map(str, then)])


def _compare_one_shots(context: model.Context, actor: ComparedContext) -> Iterator[Difference]:
    """Compare what came of one-shot messages, one message after the other."""
    events = (*ONE_SHOT_EVENTS, "answered", "unanswered")
    should = [seen.record for seen in context.log if seen.record["event"] in events]
    did = [record for record in actor.log if record["event"] in events]
    for label in dict.fromkeys(record["port"] for record in (*should, *did)):
        expected, found = ([r for r in records if r["port"] == label] for records in (should, did))
        if expected != found:
            senders = [[record["sender"] for record in records if "sender" in record] for records in (expected, found)]
            if senders[0] != senders[1] and len(senders[0]) == len(senders[1]):
                yield Difference("sender", f"message {label} in {actor.name}", *map(text_of, senders))
            yield Difference(
                "one-shot", f"message {label} in {actor.name}", list_records(expected), list_records(found)
            )


# Ports --------------------------------------------------------------------------------------------------------------


def _compare_ports(context: model.Context, actor: ComparedContext) -> Iterator[Difference]:
    """Compare which ports there are, and whether listeners are called with them."""
    for record in actor.log:
        if record["port"] == STRANGER:
            expected = f"the listener {record['listener']} to be called with the port that it was added to"
            found = f"the listener was called with {record['given']}: {describe_record(record)}"
            yield Difference("arguments", context.name, expected, found)
    missing = {label: port.event for label, port in context.ports.items() if not label.startswith(STRANGER)}
    new: dict[str, str] = {}
    for label in actor.ports:
        if missing.pop(label, None) is None:
            events = [record["event"] for record in actor.log if record["port"] == label]
            new[label] = events[0] if events else "nothing"
    if new or missing:
        renamed = sorted(new.values()) == sorted(missing.values())
        yield Difference("name" if renamed else "connections", context.name, _show_ports(missing), _show_ports(new))


def _show_ports(events: dict[str, str]) -> str:
    return "; ".join(f"{event} with the port {label}" for label, event in events.items()) or "nothing"


def _kind_of_error(expected: str | None, found: str | None) -> Kind:
    causes = {str(error).partition(":")[0] for error in (expected, found)}
    return "cause" if causes.intersection(CAUSES) else "error"


def _as_expected(port: model.Port, cause: str | None) -> str | None:
    """Return the cause of an error. After bytes that are not a frame, any cause will do."""
    return model.WIRE if cause is not None and port.peer_error == model.WIRE else cause


def _facts_of_statistics(port: model.Port, real: Any, *, counts: bool) -> Iterator[Fact]:
    """What a port says of itself, if it does. ``counts``: nothing is on its way outside this Trio run."""
    statistics: Callable[[], Any] | None = getattr(real, "statistics", None)
    if statistics is None:
        return
    found = statistics()
    yield "ends", port.state, str(found.state)
    if counts:
        messages, senders = len(port.inbox.messages), sum(entry[0] is port for entry in port.out.waiting)
        yield "messages kept", f"{messages} messages waiting", f"{found.messages_waiting} messages waiting"
        yield "blocked", f"{senders} waiting to send", f"{found.tasks_waiting_send} waiting to send"


# Logs ---------------------------------------------------------------------------------------------------------------


def _facts_of_log(label: str, port: model.Port, actor: ComparedContext, agreed: tuple[int, int]) -> Iterator[Fact]:
    """The calls of a port's listeners since both agreed; if they differ, all of them."""
    expected = [seen for seen in port.context.log[agreed[0] :] if seen.record["port"] == label]
    found = [record for record in actor.log[agreed[1] :] if record["port"] == label]
    if port.peer_error == model.WIRE:
        found = [
            {**record, "error": _as_expected(port, record.get("error"))} if "error" in record else record
            for record in found
        ]
    if not is_same_log(expected, found):
        should = [seen.record for seen in port.context.log if seen.record["port"] == label]
        did = [record for record in actor.log if record["port"] == label]
        texts = list_records(should), list_records(did)
        if texts[0] == texts[1]:  # They differ in something that is not shown otherwise.
            texts = text_of(should), text_of(did)
        yield _kind_of_log(should, did), *texts


def is_same_log(expected: Sequence[model.Seen], found: Sequence[Record]) -> bool:
    """Return whether the calls are the expected ones: in order, but between two senders in any order."""
    if len(expected) != len(found):
        return False
    if [text_of(seen.record) for seen in expected] == [text_of(record) for record in found]:
        return True
    start = 0
    while start < len(expected):
        stop = start
        while stop < len(expected) and (expected[stop].sender is None) == (expected[start].sender is None):
            stop += 1
        part = expected[start:stop]
        senders = {seen.sender for seen in part}
        queues = [[text_of(seen.record) for seen in part if seen.sender == sender] for sender in senders]
        if not _is_merge([text_of(record) for record in found[start:stop]], queues):
            return False
        start = stop
    return True


def _is_merge(found: list[str], queues: list[list[str]]) -> bool:
    """Return whether a list is made of these lists, each in its order."""
    places = {(0,) * len(queues)}
    for text in found:
        places = {
            (*place[:index], place[index] + 1, *place[index + 1 :])
            for place in places
            for index, queue in enumerate(queues)
            if place[index] < len(queue) and queue[place[index]] == text
        }
    return bool(places)


_PARTS_OF_LOG: Final[tuple[tuple[Kind, str, tuple[str, ...]], ...]] = (
    ("connections", "listener", CONNECT_EVENTS),
    ("name", "name", CONNECT_EVENTS),
    ("sender", "sender", CONNECT_EVENTS),
    ("ends", "listener", ("on_disconnect",)),
)


def _kind_of_log(should: list[Record], did: list[Record]) -> Kind:
    """Return what differs: first what should never be, then the events in the order of a port's life."""
    for record in did:
        if "inside" in record:
            return "inside connect" if record["inside"] in ("connect", "tabs_connect") else "inside a call"
        if "arguments" in record:
            return "arguments"
    for kind, key, events in _PARTS_OF_LOG:
        if _values(should, events, key) != _values(did, events, key):
            return kind
    for one, other in zip(*(_values(records, ("on_disconnect",), "error") for records in (should, did)), strict=True):
        if one != other:
            return "error" if LAST_ERROR in str(other) else _kind_of_error(one, other)
    raised = [r for records in (did, should) for r in records if r["event"] == "raised"]
    if _values(should, ("raised",), "error") != _values(did, ("raised",), "error"):
        return _kind_of_result(raised[0]["call"], *(record["error"] for record in raised))
    return "messages"


def _values(records: list[Record], events: Sequence[str], key: str) -> list[Any]:
    return [record[key] for record in records if record["event"] in events]
