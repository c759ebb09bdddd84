"""Charts: a conversation as a sequence chart in plain text."""

from __future__ import annotations

from typing import Any

from .judging import describe_record


def draw_history(logs: dict[str, list[dict[str, Any]]]) -> str:
    """Write down what the listeners of each context were told."""
    told = {name: log for name, log in logs.items() if log}
    if not told:
        return "No listener was told anything."
    width = max(map(len, told))
    lines = ["What the listeners were told:"]
    for name, log in told.items():
        lines += [f"  {name:{width}} {record['port']}: {describe_record(record)}" for record in log]
    return "\n".join(lines)
