"""Judging: what a subject did beside what the model did, and which rule a difference breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, final

import attrs

from .. import model
from ..history.moves import Move
from ..players.actors import Actor
from ..players.in_process import InProcessPlayer
from ..players.notation import STRANGER, cause_of
from ..players.tasks import CallTask
from .blame import RULE_OF_CAUSE, UNSURE, ended_unread, judge_log, rule_of_call, rule_of_end, rule_of_result
from .show import describe_record, is_as_told, is_unusual, list_records, text_of


@final
@attrs.frozen
class Difference:
    """Something that the subject did otherwise than the rules say."""

    rule: int | None
    """Whose rule that is; None where the difference alone does not tell."""
    at: str
    """Whom it concerns: a context, a port of it, or a call."""
    expected: str
    found: str
    sure: bool = False
    """It is that rule, whatever the history was about."""

    def __str__(self) -> str:
        return f"{self.at}\n    expected: {self.expected}\n    found:    {self.found}"


def compare(reference: model.Model, player: InProcessPlayer, move: Move | None = None) -> Difference | None:
    """Return the first difference between what should have happened and what did; None if there is none.

    Args:
        reference: has played the same moves.
        player: has played them with the subject.
        move: the last of them.
    """
    return Comparison(reference, player).compare(move)


@final
class Comparison:
    """A model and a player, compared after each move.

    What was told up to a move after which both agreed is not compared again: a history may be about thousands of
    messages.

    Args:
        reference: plays the moves.
        player: plays them with the subject.
    """

    def __init__(self, reference: model.Model, player: InProcessPlayer) -> None:
        self._reference = reference
        self._player = player
        self._agreed: dict[model.Context, tuple[int, int]] = {}

    def compare(self, move: Move | None = None) -> Difference | None:
        """Return the first difference after this move; None if there is none."""
        difference = next(_differences(self._reference, self._player, move or {}, self._agreed), None)
        if difference is None:
            for name, context in self._reference.contexts.items():
                self._agreed[context] = len(context.log), len(self._player.contexts[name].log)
        return difference


def _differences(
    reference: model.Model, player: InProcessPlayer, move: Move, agreed: dict[model.Context, tuple[int, int]]
) -> Iterator[Difference]:
    yield from _compare_results(reference, player, move)
    for name, context in reference.contexts.items():
        yield from _compare_strangers(context, player.contexts[name], move)
    for name, context in reference.contexts.items():
        actor = player.contexts[name]
        for label, port in context.ports.items():
            if label in actor.ports:
                at = f"port {label} of {name}"
                yield from _compare_face(at, port, actor.ports[label], actor)
                yield from _compare_logs(at, label, port, actor, agreed.get(context, (0, 0)))
                yield from _compare_end(at, label, port, actor, remote=player.outside_trio)
    for name, call in reference.calls.items():
        task = player.calls[name]
        found = (task.outcome, task.message) if task.outcome == "ok" else (task.outcome, None)
        value = call.message.value if call.message is not None else None
        if text_of(found) != text_of((call.outcome, value)):
            rule = rule_of_call(call, task.outcome, value)
            sure = call.kind == "receive" and (_ends_otherwise(call, task) or _is_overtaken(call, task.message))
            if "crashed" in (task.cause, call.port.error if call.port else None) and call.outcome == "end":
                rule = 20
            yield Difference(rule, f"the call {name}", _said(call.outcome, value), _said(*found), sure)
        elif call.kind == "receive" and task.outcome == "broken":
            yield from _compare_cause(f"the call {name}", call, task)


def _compare_cause(at: str, call: model.Call, task: CallTask) -> Iterator[Difference]:
    """Compare what the BrokenResourceError of a reader comes from."""
    assert call.port is not None
    if task.cause != call.port.error:
        wanted, found = f"broken from the error {call.port.error}", f"broken from {task.cause}"
        yield Difference(25, at, wanted, found, sure=True)


def _said(outcome: str, value: Any) -> str:
    return f"{outcome} {text_of(value)}" if outcome == "ok" and value is not None else outcome


def _ends_otherwise(call: model.Call, task: CallTask) -> bool:
    return {call.outcome, task.outcome} == {"broken", "end"}


def _is_overtaken(call: model.Call, value: Any) -> bool:
    """Say whether a reader got a message that should have come to the next one."""
    if call.port is None or call.message is None or is_unusual(call.message.value):
        return False
    return text_of(value) in [text_of(message.value) for message in call.port.inbox.messages]


# Calls and steps ----------------------------------------------------------------------------------------------------


def _compare_results(reference: model.Model, player: InProcessPlayer, move: Move) -> Iterator[Difference]:
    if reference.results == player.results:
        return
    pairs = zip(reference.results, player.results, strict=True)
    index = next(index for index, (expected, found) in enumerate(pairs) if expected != found)
    expected, found = reference.results[index], player.results[index]
    steps: list[Any] = move.get("steps", [])
    step: Any = steps[index - len(reference.results)] if steps and index >= len(reference.results) - len(steps) else {}
    do = step.get("do", move.get("move", ""))
    rule = rule_of_result(do, str(expected), str(found))
    sure = rule == 17 or do in ("has_listener", "leave")
    yield Difference(rule, f"{do} of {step.get('at', move.get('at'))}", str(expected), str(found), sure)


# Ports --------------------------------------------------------------------------------------------------------------


def _compare_strangers(context: model.Context, actor: Actor, move: Move) -> Iterator[Difference]:
    """Compare which ports there are: rules 2 to 4, and 6 for those who hear nothing."""
    for record in actor.log:
        if record["port"] == STRANGER:
            expected = f"the listener {record['listener']} to be called with the port that it was added to"
            found = f"the listener was called with {record['given']}: {describe_record(record)}"
            yield Difference(14, context.name, expected, found, sure=True)
    ours = {label for label in context.ports if not label.startswith(STRANGER)}
    theirs = set(actor.ports)
    if ours == theirs:
        return
    new, missing = sorted(theirs - ours), sorted(ours - theirs)
    for label in new:
        events = [record["event"] for record in actor.log if record["port"] == label]
        wanted = [context.ports[other].event for other in missing]
        rule = 8 if events[:1] == wanted[:1] and wanted else _rule_of_stranger(context, events, move)
        yield Difference(rule, context.name, _named(wanted, missing), _named(events, [label]), sure=True)
    sure = _calls_itself(context, move)
    yield from (
        Difference(2, context.name, _named([context.ports[label].event], [label]), "nothing", sure) for label in missing
    )


def _named(events: list[str], labels: list[str]) -> str:
    return f"{events[0]} with the port {', '.join(labels)}" if events else "nothing"


def _rule_of_stranger(context: model.Context, events: list[str], move: Move) -> int:
    if _calls_itself(context, move):
        return 2
    if any(step["do"] == "tabs_connect" for step in move.get("steps", [])):
        return 4
    if events[:1] == ["on_connect_external"] and not any(p.event == events[0] for p in context.ports.values()):
        return 3
    if context.kind == "script" or (events and any(port.event != events[0] for port in context.ports.values())):
        return 3
    return 2


def _calls_itself(context: model.Context, move: Move) -> bool:
    """Say whether it is this context that has called a tab."""
    return any(
        step["do"] == "tabs_connect" and step.get("at", move["at"]) == context.name for step in move.get("steps", [])
    )


def _compare_logs(at: str, label: str, port: model.Port, actor: Actor, agreed: tuple[int, int]) -> Iterator[Difference]:
    """Compare what a port's listeners were told since both agreed; to be judged it is taken as a whole."""
    expected = [seen for seen in port.context.log[agreed[0] :] if seen.record["port"] == label]
    found = [record for record in actor.log[agreed[1] :] if record["port"] == label]
    if not is_as_told(expected, found):
        should = [seen.record for seen in port.context.log if seen.record["port"] == label]
        did = [record for record in actor.log if record["port"] == label]
        rule, sure = judge_log(port, should, did)
        expected_text, found_text = list_records(should), list_records(did)
        if expected_text == found_text:  # They differ in what is not written of them otherwise.
            expected_text, found_text = text_of(should), text_of(did)
        yield Difference(rule, at, expected_text, found_text, sure)


def _compare_end(at: str, label: str, port: model.Port, actor: Actor, *, remote: bool) -> Iterator[Difference]:
    real = actor.ports[label]
    yield from _compare_error(at, label, port, actor)
    yield from _compare_statistics(at, port, real, remote=remote)
    over = port.state in ("closed", "ended")
    if over != (label in actor.ended_ports):
        said = {True: "over", False: "open"}
        tells = hasattr(real, "statistics")
        sure = tells or ended_unread(port)
        yield Difference(24 if tells else rule_of_end(port), at, said[over], said[not over], sure)


def _compare_error(at: str, label: str, port: model.Port, actor: Actor) -> Iterator[Difference]:
    error, shown = port.error if port.rules.keeps_error else None, cause_of(actor.ports[label].error)
    if error == shown:
        return
    causes = (error, str(shown).partition(":")[0])
    rule = next((rule for cause, rule in RULE_OF_CAUSE.items() if cause in causes), 25)
    told = [record["error"] for record in actor.log if record["port"] == label and record["event"] == "on_disconnect"]
    if not port.rules.keeps_error or (error in told and shown is None):
        rule = 25  # Where it is shown is wrong, and not what.
    yield Difference(rule, at, f"error={error}", f"error={shown}", sure=rule not in UNSURE)


def _compare_face(at: str, port: model.Port, real: Any, actor: Actor) -> Iterator[Difference]:
    ends = port.context.kind == "end"
    name = actor.stage.contexts["opener"].ports["p"].name if ends else port.name
    if real.name != name:
        yield Difference(8, at, repr(name), repr(real.name), sure=True)
    if port.side == "opener" and real.sender is not None:
        yield Difference(9, at, "sender=None", f"sender={real.sender!r}", sure=True)
    if port.side == "receiver" and real.sender is None:
        yield Difference(9, at, "a sender", "sender=None", sure=True)
    runtime = getattr(actor.context, "runtime", None)
    if runtime is not None and runtime.last_error is not None:
        yield Difference(
            25, at, "last_error=None outside on_disconnect", f"last_error={runtime.last_error!r}", sure=True
        )


def _compare_statistics(at: str, port: model.Port, real: Any, *, remote: bool) -> Iterator[Difference]:
    """Compare what a port tells of itself, where it does."""
    statistics: Callable[[], Any] | None = getattr(real, "statistics", None)
    if statistics is None:
        return
    told = statistics()
    if told.state != port.state:
        yield Difference(rule_of_end(port), at, port.state, str(told.state), sure=ended_unread(port))
    if remote:
        return
    waiting = len(port.inbox.messages)
    if told.messages_waiting != waiting:
        rule = (17 if port.connection.rules.bound < waiting else 15) if port.state == "open" else 21
        lost = port.state != "open" and told.messages_waiting < waiting
        yield Difference(
            rule, at, f"{waiting} messages waiting", f"{told.messages_waiting} messages waiting", sure=lost
        )
    senders = sum(entry[0] is port for entry in port.out.waiting)
    if told.tasks_waiting_send != senders:
        found = f"{told.tasks_waiting_send} waiting to send"
        yield Difference(17, at, f"{senders} waiting to send", found, sure=port.state == "open")
