"""Write down for people what the listeners got."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from ..history.moves import ONE_SHOT_EVENTS
from ..players.player import Record

MANY: Final = 20
"""Of more records than this, those in the middle are only counted."""
text_of: Final = json.JSONEncoder(sort_keys=True, default=repr).encode
"""Returns a value as text, by which it can be compared."""


def list_records(records: Sequence[Record]) -> str:
    """Write records on one line."""
    return "; ".join(abridge([describe_record(record) for record in records])) or "nothing"


def abridge(lines: list[str]) -> list[str]:
    """Leave out the middle of very many lines, and say how many they were."""
    left_out = len(lines) - MANY
    return [*lines[: MANY // 2], f"… ({left_out} more) …", *lines[-MANY // 2 :]] if left_out > 1 else lines


def describe_record(record: Record) -> str:
    """Write one record."""
    event = record["event"]
    inside = f" inside {record['inside']}()" if "inside" in record else ""
    if event == "on_message":
        return f"{record['listener']}({text_of(record['message'])}){inside}"
    if event == "on_disconnect":
        error = f": {record['error']}" if record["error"] else ""
        return f"{record['listener']}(disconnected{error}){inside}"
    if event in ONE_SHOT_EVENTS:
        return f"{record['listener']}(one-shot {text_of(record['message'])}){inside}"
    if event in ("answered", "unanswered"):
        return f"{event}: {text_of(record['message']) if event == 'answered' else record['error']}"
    if event == "raised":
        return f"{record['call']} raised {record['error']}"
    return f"{event}({record['name']!r}){inside}"


def draw_logs(logs: Mapping[str, Sequence[Record]]) -> str:
    """Write down what the listeners of each context got."""
    called = {name: log for name, log in logs.items() if log}
    if not called:
        return "No listener was called."
    width = max(map(len, called))
    lines = ["What the listeners got:"]
    for name, log in called.items():
        lines += [f"  {name:{width}} {line}" for line in abridge([f"{r['port']}: {describe_record(r)}" for r in log])]
    return "\n".join(lines)
