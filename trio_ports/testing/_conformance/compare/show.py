"""Records: what a listener was told, compared by its text and written for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from .. import model

Record: TypeAlias = dict[str, Any]

MANY: Final = 20
"""Of more than so many things that a listener was told, those in the middle are counted."""
UNUSUAL: Final = ("null", "false", "0", '""', "[]", "{}", "0.0")
"""The texts of values that are taken for nothing."""
_encode: Final = json.JSONEncoder(sort_keys=True, default=repr).encode


def text_of(value: Any) -> str:
    """Return a value as text, by which it can be compared."""
    return _encode(value)


def is_unusual(value: Any) -> bool:
    """Say whether a value is one that is taken for nothing."""
    return text_of(value) in UNUSUAL


def is_as_told(expected: Sequence[model.Seen], found: Sequence[Record]) -> bool:
    """Say whether what was told is what should have been: in order, for each sender by itself."""
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


def list_records(records: list[Record]) -> str:
    """Write what listeners were told on one line."""
    return "; ".join(abridge([describe_record(record) for record in records])) or "nothing"


def abridge(told: list[str]) -> list[str]:
    """Return what is told, line by line, but of very many lines only how many are in the middle."""
    left_out = len(told) - MANY
    return [*told[: MANY // 2], f"… ({left_out} more) …", *told[-MANY // 2 :]] if left_out > 1 else told


def describe_record(record: Record) -> str:
    """Write what a listener was told for people."""
    event = record["event"]
    inside = f" inside {record['inside']}()" if "inside" in record else ""
    if event == "on_message":
        return f"{record['listener']}({text_of(record['message'])}){inside}"
    if event == "on_disconnect":
        error = f": {record['error']}" if record["error"] else ""
        return f"{record['listener']}(disconnected{error}){inside}"
    if event == "raised":
        return f"{record['call']} raised {record['error']}"
    return f"{event}({record['name']!r}){inside}"


def draw_history(logs: dict[str, list[dict[str, Any]]]) -> str:
    """Write down what the listeners of each context were told."""
    told = {name: log for name, log in logs.items() if log}
    if not told:
        return "No listener was told anything."
    width = max(map(len, told))
    lines = ["What the listeners were told:"]
    for name, log in told.items():
        records = [f"{record['port']}: {describe_record(record)}" for record in log]
        lines += [f"  {name:{width}} {record}" for record in abridge(records)]
    return "\n".join(lines)
