"""Verdicts: which rule is broken by what came of a call or by what listeners were told, as far as that alone tells."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from .. import model
from ..players.notation import LAST_ERROR
from .show import UNUSUAL, Record, is_unusual, text_of

Verdict: TypeAlias = tuple[int | None, bool]
"""The rule, and whether it is that one whatever the history was about."""

CONNECT_EVENTS: Final = ("on_connect", "on_connect_external")
RULE_OF_CAUSE: Final = {"no-receiver": 6, "malformed": 12, "unread": 17, "crashed": 20}
UNSURE: Final = (12, 20)
"""The rules about the causes of an error; what else may be wrong about one is rule 25. Two may have other reasons."""


def judge_log(port: model.Port, expected: list[Record], found: list[Record]) -> Verdict:
    """Name the rule that is broken where ``found`` was told instead of ``expected``."""
    for record in found:
        if "inside" in record:
            return 1 if record["inside"] in ("connect", "tabs_connect") else 32, True
        if "arguments" in record:
            return 14, True
    should, did = _connects(expected), _connects(found)
    if should != did:
        return _judge_connects(should, did)
    should, did = _of("on_disconnect", expected), _of("on_disconnect", found)
    if should != did:
        return _judge_ends(port, should, did)
    should, did = _of("raised", expected), _of("raised", found)
    if should != did:
        rule = _judge_raised(should, did)
        return rule, rule == 17
    if _is_shuffled(expected, found) and text_of(_of("on_message", expected)) == text_of(_of("on_message", found)):
        return (5 if _connects(found) and found[0] not in _connects(found) else 21), False
    rule = _judge_messages(port, _of("on_message", expected), _of("on_message", found))
    return rule, rule == 11


def rule_of_post(expected: str, found: str) -> int:
    """Name the rule about a post of which something else came."""
    for word, rule in (("not-json", 12), ("too-large", 16), ("closed", 23), ("broken", 23), ("full", 17)):
        if expected == word:
            return rule
    return {"not-json": 12, "too-large": 16, "full": 17}.get(found, 23)


def rule_of_result(do: str, expected: str, found: str) -> int | None:
    """Name the rule about a step, or a block that was left, of which something else came."""
    if do in ("post", "fill"):
        return rule_of_post(expected.partition(" ")[0], found.partition(" ")[0])
    if do in ("connect", "tabs_connect"):
        return 1
    if do == "leave":
        return 20
    return {"disconnect": 22, "add_listener": 28, "remove_listener": 28, "has_listener": 28}.get(do)


def rule_of_call(call: model.Call, found: str, value: Any) -> int | None:
    """Name the rule about a call of which something else came."""
    expected = call.outcome
    if call.kind == "send":
        waits = {"blocked", "cancelled"} & {expected, found}
        return 17 if waits else rule_of_post(expected, found)
    if call.kind == "wait_disconnected":
        return 24
    if expected == "ok" and found in ("blocked", "end", "broken", "closed"):
        return 13 if is_unusual(value) else 15 if found == "blocked" else 21
    if expected == found == "ok":
        return 10
    return 15 if "busy" in (expected, found) else 25


def rule_of_end(port: model.Port) -> int:
    """Name the rule about how this port's end comes about."""
    if port.state == "closed":
        return 18
    if "no-receiver" in (port.error, port.peer_error):
        return 6
    if ended_unread(port) or (port.state == "ending" and port.has_read and port.inbox.messages):
        return 24
    if port.connection.size > 1:
        return 26 if port.side == "opener" else 27
    return 19


def ended_unread(port: model.Port) -> bool:
    """Say whether this port's end was delivered before what it keeps: nobody ever read there."""
    return port.state == "ended" and bool(port.inbox.messages)


def _of(event: str, records: list[Record]) -> list[Record]:
    return [record for record in records if record["event"] == event]


def _connects(records: list[Record]) -> list[Record]:
    return [record for record in records if record["event"] in CONNECT_EVENTS]


def _is_shuffled(one: list[Record], other: list[Record]) -> bool:
    return sorted(map(text_of, one)) == sorted(map(text_of, other))


def _judge_connects(should: list[Record], did: list[Record]) -> Verdict:
    for key, rule in (("event", 3), ("name", 8), ("sender", 9)):
        if {text_of(record[key]) for record in should} != {text_of(record[key]) for record in did}:
            return rule, key != "event"
    return 28, False


def _judge_ends(port: model.Port, should: list[Record], did: list[Record]) -> Verdict:
    names, told = [record["listener"] for record in should], [record["listener"] for record in did]
    if not should:
        several = port.connection.size > 1
        rule = {"closed": 18, "ending": 24, "ended": 24}.get(port.state, 26 if several else 19)
        return 26 if several and port.state == "ending" else rule, port.state == "ended"
    if len(set(told)) < len(told):
        return 19, False
    if told == names:
        causes = {str(record["error"]).partition(":")[0] for record in (*should, *did)}
        if LAST_ERROR in causes:
            return 25, True
        rule = next((rule for cause, rule in RULE_OF_CAUSE.items() if cause in causes), 25)
        return rule, rule not in UNSURE
    if len(told) < len(names):
        return (24 if told else rule_of_end(port)), False
    return (28 if len(told) == len(names) else 29), False


def _judge_raised(should: list[Record], did: list[Record]) -> int:
    first = (did or should)[0]
    if first["call"] not in ("post", "echo"):
        return 22
    return rule_of_post(should[0]["error"] if should and did else "ok", first["error"])


def _judge_messages(port: model.Port, should: list[Record], did: list[Record]) -> int:
    if port.state == "closed" and len(did) > len(should):
        return 30
    values, got = _values(should), _values(did)
    if len({record["listener"] for record in (*should, *did)}) > 1 and set(values) == set(got):
        return 28 if len(should) == len(did) else 29
    missing = [value for value in values if values.count(value) > got.count(value)]
    extra = [value for value in got if got.count(value) > values.count(value)]
    if missing and extra:
        return 12
    if missing:
        return _rule_of_missing(port, missing)
    if set(extra) <= set(values):
        return 10  # Another order, or more than once.
    return 11 if _has_several(port) else 15


def _rule_of_missing(port: model.Port, missing: list[str]) -> int:
    if any(value in UNUSUAL for value in missing):
        return 13
    if port.state in ("ended", "ending"):
        return 21
    return 11 if _has_several(port) else 10


def _has_several(port: model.Port) -> bool:
    """Say whether this is one of several receivers."""
    return port.side == "receiver" and port.connection.size > 1


def _values(records: list[Record]) -> list[str]:
    return [text_of(record["message"]) for record in records]
