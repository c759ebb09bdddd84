"""Judging: what a subject did beside what the model did, and which rule a difference breaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias, final

import attrs

from . import model
from .moves import Move
from .players import Actor, Player, cause_of

Record: TypeAlias = dict[str, Any]

_UNUSUAL: Final = ("null", "false", "0", '""', "[]", "{}", "0.0")
_ENDERS: Final = ("on_connect", "on_connect_external")


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


def compare(reference: model.Model, player: Player, move: Move | None = None) -> Difference | None:
    """Return the first difference between what should have happened and what did; None if there is none.

    Args:
        reference: has played the same moves.
        player: has played them with the subject.
        move: the last of them.
    """
    return next(_differences(reference, player, move or {}), None)


def _differences(reference: model.Model, player: Player, move: Move) -> Iterator[Difference]:
    yield from _compare_results(reference, player, move)
    for name, context in reference.contexts.items():
        yield from _compare_strangers(context, player.contexts[name], move)
    for name, context in reference.contexts.items():
        actor = player.contexts[name]
        for label, port in context.ports.items():
            if label in actor.ports:
                yield from _compare_port(name, label, port, actor, remote=player.remote)
    for name, call in reference.calls.items():
        task = player.calls[name]
        found = (task.outcome, task.message) if task.outcome == "ok" else (task.outcome, None)
        value = call.message.value if call.message is not None else None
        if _text(found) != _text((call.outcome, value)):
            rule = _rule_of_call(call, task.outcome, value)
            yield Difference(rule, f"the call {name}", _said(call.outcome, value), _said(*found))


# Calls and steps ----------------------------------------------------------------------------------------------------


def _compare_results(reference: model.Model, player: Player, move: Move) -> Iterator[Difference]:
    if reference.results == player.results:
        return
    (index,) = [i for i, pair in enumerate(zip(reference.results, player.results, strict=True)) if pair[0] != pair[1]][
        :1
    ]
    expected, found = reference.results[index], player.results[index]
    steps: list[Any] = move.get("steps", [])
    step: Any = steps[index - len(reference.results)] if steps and index >= len(reference.results) - len(steps) else {}
    do = step.get("do", move.get("move", ""))
    rule = _rule_of_result(do, str(expected), str(found))
    sure = rule == 17 or do in ("has_listener", "leave")
    yield Difference(rule, f"{do} of {step.get('at', move.get('at'))}", str(expected), str(found), sure)


def _rule_of_result(do: str, expected: str, found: str) -> int | None:
    if do == "post":
        return _rule_of_post(expected, found)
    if do in ("connect", "tabs_connect"):
        return 1
    if do == "leave":
        return 20
    return {"disconnect": 22, "add_listener": 28, "remove_listener": 28, "has_listener": 28}.get(do)


def _rule_of_post(expected: str, found: str) -> int:
    for words, rule in ((("not-json",), 12), (("too-large",), 16), (("closed", "broken"), 23), (("full",), 17)):
        if expected in words:
            return rule
    return {"not-json": 12, "too-large": 16, "full": 17}.get(found, 23)


def _rule_of_call(call: model.Call, found: str, value: Any) -> int | None:
    expected = call.outcome
    if call.kind == "send":
        return (
            17 if "blocked" in (expected, found) or "cancelled" in (expected, found) else _rule_of_post(expected, found)
        )
    if call.kind == "wait_disconnected":
        return 24
    if expected == "ok" and found in ("blocked", "end", "broken", "closed"):
        return 13 if _text(value) in _UNUSUAL else 15 if found == "blocked" else 21
    if expected == found == "ok":
        return 10
    return 15 if "busy" in (expected, found) else 25


# Ports --------------------------------------------------------------------------------------------------------------


def _compare_strangers(context: model.Context, actor: Actor, move: Move) -> Iterator[Difference]:
    """Compare which ports there are: rules 2 to 4, and 6 for those who hear nothing."""
    for record in actor.log:
        if record["port"] == "?":
            yield Difference(14, context.name, "a listener's port to be known", describe_record(record), sure=True)
    expected = {label for label in context.ports if not label.startswith("?")}
    found = set(actor.ports)
    if expected == found:
        return
    new, missing = sorted(found - expected), sorted(expected - found)
    for label in new:
        events = [record["event"] for record in actor.log if record["port"] == label]
        wanted = [context.ports[other].event for other in missing]
        rule = 8 if events[:1] == wanted[:1] and wanted else _rule_of_stranger(context, events, move)
        yield Difference(rule, context.name, _named(wanted, missing), _named(events, [label]), sure=True)
    for label in missing:
        yield Difference(2, context.name, _named([context.ports[label].event], [label]), "nothing")


def _named(events: list[str], labels: list[str]) -> str:
    return f"{events[0]} with the port {', '.join(labels)}" if events else "nothing"


def _rule_of_stranger(context: model.Context, events: list[str], move: Move) -> int:
    if any(step["do"] == "tabs_connect" for step in move.get("steps", [])):
        return 4
    if context.kind == "script" or (events and any(port.event != events[0] for port in context.ports.values())):
        return 3
    return 2


def _compare_port(name: str, label: str, port: model.Port, actor: Actor, *, remote: bool) -> Iterator[Difference]:
    at = f"port {label} of {name}"
    real = actor.ports[label]
    yield from _compare_face(at, port, real, actor)
    expected = [seen for seen in port.context.log if seen.record["port"] == label]
    found = [record for record in actor.log if record["port"] == label]
    if not _agree(expected, found):
        rule = _rule_of_log(port, [seen.record for seen in expected], found)
        sure = rule in (1, 6, 8, 9, 14, 25, 32) or any("inside" in record for record in found)
        yield Difference(rule, at, _list([seen.record for seen in expected]), _list(found), sure)
    yield from _compare_error(at, port, real)
    yield from _compare_statistics(at, port, real, remote=remote)
    over = port.state in ("closed", "ended")
    if over != (label in actor.over):
        said = {True: "over", False: "open"}
        tells = hasattr(real, "statistics")
        yield Difference(24 if tells else _rule_of_end(port), at, said[over], said[not over], sure=tells)


def _compare_error(at: str, port: model.Port, real: Any) -> Iterator[Difference]:
    error, shown = port.error if port.rules.keeps_error else None, cause_of(real.error)
    if error == shown:
        return
    unreached = "no-receiver" in (error, str(shown).partition(":")[0])
    rule = 6 if unreached else 20 if "crashed" in (error, shown) else 25
    yield Difference(rule, at, f"error={error}", f"error={shown}", sure=rule != 20)


def _compare_face(at: str, port: model.Port, real: Any, actor: Actor) -> Iterator[Difference]:
    ends = port.context.kind == "end"
    name = actor.player.contexts["opener"].ports["p"].name if ends else port.name
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
        yield Difference(_rule_of_end(port), at, port.state, str(told.state))
    if remote:
        return
    waiting = len(port.inbox.messages)
    if told.messages_waiting != waiting:
        rule = (17 if port.connection.rules.bound < waiting else 15) if port.state == "open" else 21
        yield Difference(rule, at, f"{waiting} messages waiting", f"{told.messages_waiting} messages waiting")
    senders = sum(entry[0] is port for entry in port.out.waiting)
    if told.tasks_waiting_send != senders:
        yield Difference(17, at, f"{senders} waiting to send", f"{told.tasks_waiting_send} waiting to send")


def _rule_of_end(port: model.Port) -> int:
    """Say which rule is about how this port's end comes to know of its end."""
    if port.state == "closed":
        return 18
    if port.error == "no-receiver" or port.peer_error == "no-receiver":
        return 6
    if len(port.connection.directions["receiver"].inboxes) > 1 or port.connection.receivers:
        return 26 if port.side == "opener" else 27
    return 19


# What listeners were told -------------------------------------------------------------------------------------------


def _agree(expected: Sequence[model.Seen], found: Sequence[Record]) -> bool:
    """Say whether what was told is what should have been: in order, for each sender by itself."""
    if len(expected) != len(found):
        return False
    start = 0
    while start < len(expected):
        stop = start
        while stop < len(expected) and (expected[stop].sender is None) == (expected[start].sender is None):
            stop += 1
        part = expected[start:stop]
        senders = {seen.sender for seen in part}
        queues = [[_text(seen.record) for seen in part if seen.sender == sender] for sender in senders]
        if not _is_merge([_text(record) for record in found[start:stop]], queues):
            return False
        start = stop
    return True


def _is_merge(found: list[str], queues: list[list[str]]) -> bool:
    """Say whether a list is made of these, each in its order."""
    places = {(0,) * len(queues)}
    for text in found:
        places = {
            (*place[:index], place[index] + 1, *place[index + 1 :])
            for place in places
            for index, queue in enumerate(queues)
            if place[index] < len(queue) and queue[place[index]] == text
        }
    return bool(places)


def _rule_of_log(port: model.Port, expected: list[Record], found: list[Record]) -> int | None:
    """Say which rule a log breaks."""
    inside = [record for record in found if "inside" in record]
    if inside:
        return 1 if inside[0]["inside"] in ("connect", "tabs_connect") else 32
    if any("arguments" in record for record in found):
        return 14
    for judge in (_rule_of_connects, _rule_of_ends, _rule_of_raised):
        rule = judge(port, expected, found)
        if rule is not None:
            return rule
    return _rule_of_messages(port, _of("on_message", expected), _of("on_message", found), expected)


def _of(event: str, records: list[Record]) -> list[Record]:
    return [record for record in records if record["event"] == event]


def _rule_of_connects(_: model.Port, expected: list[Record], found: list[Record]) -> int | None:
    should = [record for record in expected if record["event"] in _ENDERS]
    did = [record for record in found if record["event"] in _ENDERS]
    if should == did:
        return 5 if did and found[0]["event"] not in _ENDERS else None
    if [record["event"] for record in should] != [record["event"] for record in did]:
        return 2 if {record["event"] for record in did} <= {record["event"] for record in should} else 3
    for key, rule in (("name", 8), ("sender", 9)):
        if [record[key] for record in should] != [record[key] for record in did]:
            return rule
    return 28


def _rule_of_ends(port: model.Port, expected: list[Record], found: list[Record]) -> int | None:
    should, did = _of("on_disconnect", expected), _of("on_disconnect", found)
    if should != did:
        return _rule_of_different_ends(port, should, did)
    if did and _text(_of("on_message", expected)) == _text(_of("on_message", found)):
        if found[-1]["event"] == "on_message" and found.index(did[0]) < expected.index(did[0]):
            return 21
        return 21 if sorted(map(_text, expected)) == sorted(map(_text, found)) else None
    return None


def _rule_of_different_ends(port: model.Port, should: list[Record], did: list[Record]) -> int:
    names, told = [record["listener"] for record in should], [record["listener"] for record in did]
    if not should:
        return 18 if port.state == "closed" else 24 if port.state == "ended" else 26
    if len(set(told)) < len(told):
        return 19
    if told == names:
        if any(record["error"] == "no-receiver" for record in should):
            return 6
        return 20 if any(record["error"] == "crashed" for record in (*should, *did)) else 25
    if sorted(told) == sorted(names):
        return 28
    if not told or len(told) < len(names):
        late = bool(told) or (port.state == "ended" and len(names) == 1 and False)
        return 24 if late else _rule_of_end(port)
    return 29 if set(told) > set(names) else 28


def _rule_of_raised(_: model.Port, expected: list[Record], found: list[Record]) -> int | None:
    should, did = _of("raised", expected), _of("raised", found)
    if should == did:
        return None
    first = next(iter(did or should))
    other = "ok" if not (did and should) else should[0]["error"]
    return _rule_of_post(other, first["error"]) if first["call"] in ("post", "echo") else 22


def _rule_of_messages(port: model.Port, should: list[Record], did: list[Record], expected: list[Record]) -> int | None:
    names = list(dict.fromkeys(record["listener"] for record in should))
    told = list(dict.fromkeys(record["listener"] for record in did))
    values, got = _values(should), _values(did)
    if port.state == "closed" and len(did) > len(should):
        return 30
    if sorted(map(_text, should)) == sorted(map(_text, did)):
        same = {name: [r for r in did if r["listener"] == name] for name in names}
        if all(_text(own) == _text([r for r in should if r["listener"] == name]) for name, own in same.items()):
            return 21 if _of("on_disconnect", expected) else 28
        return 10
    if set(values) == set(got) and (len(names) > 1 or len(told) > 1):
        return 29 if len(port.listeners) != len(told) or len(should) != len(did) else 28
    missing = [value for value in values if values.count(value) > got.count(value)]
    extra = [value for value in got if got.count(value) > values.count(value)]
    if not missing and set(extra) <= set(values):
        return 10
    if missing and extra:
        return 12
    if extra:
        return 11 if len(port.connection.directions) and port.side == "receiver" and len(port.context.name) > 8 else 15
    return _rule_of_missing(port, missing)


def _rule_of_missing(port: model.Port, missing: list[str]) -> int:
    if any(value in _UNUSUAL for value in missing):
        return 13
    if port.state in ("ended", "ending"):
        return 21
    several = len(port.connection.directions["receiver"].inboxes) > 1
    return 11 if several and port.side == "receiver" else 10


def _values(records: list[Record]) -> list[str]:
    return [_text(record["message"]) for record in records]


# To be read by people -----------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def _said(outcome: str, value: Any) -> str:
    return f"{outcome} {_text(value)}" if outcome == "ok" and value is not None else outcome


def _list(records: list[Record]) -> str:
    return "; ".join(describe_record(record) for record in records) or "nothing"


def describe_record(record: Record) -> str:
    """Write what a listener was told for people."""
    event = record["event"]
    inside = f" inside {record['inside']}()" if "inside" in record else ""
    if event == "on_message":
        return f"{record['listener']}({_text(record['message'])}){inside}"
    if event == "on_disconnect":
        error = f": {record['error']}" if record["error"] else ""
        return f"{record['listener']}(disconnected{error}){inside}"
    if event == "raised":
        return f"{record['call']} raised {record['error']}"
    return f"{event}({record['name']!r}){inside}"
