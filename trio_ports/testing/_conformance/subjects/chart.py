"""Draw what went between the kit and a subject as a sequence chart: who posted, who was called, who was told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, final

import attrs

from ...._ports.observers import Delivered, Disconnected, ListenerFailed, Observation, Posted
from ...._protocol.errors import Cause, PortError
from ...recorder import ConversationRecorder
from ..history.moves import Step
from ..model.dialects import is_object


@final
@attrs.frozen(eq=False)
class _End:
    """Stands for an end in the chart."""

    name: str
    sender: object


def draw_lines(lines: Sequence[tuple[str, str]]) -> str:
    """Return a chart of a history, from the lines of the protocol; empty if nothing happened."""
    recorder = ConversationRecorder()
    ends: dict[str, _End] = {}

    def end_of(name: str) -> _End:
        return ends.setdefault(name, _End(name, None if name == "opener" else name))

    values = [(direction, _read(line)) for direction, line in lines]
    results = {value.get("id"): value.get("results", []) for direction, value in values if direction == "<"}
    for direction, value in values:
        if direction == ">" and "move" in value:
            for at, step in _accepted(value, results.get(value["id"], [])):
                recorder.observations += _observe_step(end_of(at), step)
        elif "record" in value:
            recorder.observations.append(_observe_record(end_of(value.get("at", "")), value["record"]))
    return recorder.draw() if recorder.observations else ""


def _read(line: str) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if is_object(value) else {}


def _accepted(command: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> list[tuple[str, Step]]:
    """Return the steps of a move that raised nothing, each with its context."""
    move = command["move"]
    steps = move.get("steps", [])
    nothing: list[Mapping[str, Any]] = [{}] * len(steps)
    outcomes = [*results, *nothing]
    if move["move"] == "start" and move["call"] == "send":
        return [(move["at"], {"do": "post", "message": move["message"]})]
    return [
        (step.get("at", move["at"]), step)
        for step, result in zip(steps, outcomes, strict=False)
        if not result.get("error")
    ]


def _observe_step(end: _End, step: Step) -> list[Observation]:
    if step["do"] == "post":
        return [Posted(end, _frame(step["message"]))]
    if step["do"] == "fill":
        return [Posted(end, _frame(step["first"] + number)) for number in range(step["count"])]
    return [Disconnected(end, None, here=True)] if step["do"] == "disconnect" else []


def _observe_record(end: _End, record: Mapping[str, Any]) -> Observation:
    if record["event"] == "on_message":
        return Delivered(end, _frame(record["message"]))
    if record["event"] == "on_disconnect":
        return Disconnected(end, _error(record["error"]), here=False)
    return ListenerFailed(end, RuntimeError(record["error"]))


def _error(word: Any) -> PortError | None:
    if word is None:
        return None
    known = {cause.value: cause for cause in Cause}
    return PortError(str(word), cause=known.get(word, Cause.CRASHED))


def _frame(message: Any) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace")
