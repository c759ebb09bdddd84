"""A subject that does one thing wrong, which its argument names; otherwise it answers as if nothing ever happened."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

WRONG = sys.argv[1]
PORT = {"name": "", "sender": None, "error": None, "over": False}
STATE = {"ports": {"opener": {"p": PORT}, "receiver": {"p": {**PORT, "sender": "a sender"}}}}
HELLO = {"type": "hello", "protocol": 1, "name": "nonsense"}
GREETINGS: dict[str, Any] = {
    "another version": {**HELLO, "protocol": 99},
    "no receiver": {**HELLO, "receivers": 0},
    "results first": {"type": "results", "id": 1},
    "two receivers": {**HELLO, "receivers": 2},
    "no bounds": {**HELLO, "max_buffer_size": "none", "max_message_bytes": "none"},
}


def write(value: Any) -> None:
    print(json.dumps(value), flush=True)


def call(at: str = "receiver", **record: Any) -> None:
    write({"type": "called", "at": at, "record": record})


def close_output() -> None:
    os.close(1)
    time.sleep(60)


def answer(command: dict[str, Any]) -> None:
    steps = command.get("move", {}).get("steps", [])
    results: dict[str, Any] = {"type": "results", "id": command["id"], "results": [{}] * len(steps), "state": STATE}
    if "begin" in command:
        if WRONG == "no connection":
            results["results"] = [{"error": "nobody there"}]
        if WRONG == "one end":
            results["state"] = {"ports": {"opener": {"p": PORT}}}
    if "move" in command:
        if WRONG in DOES:
            DOES[WRONG]()
        results |= CHANGES.get(WRONG, {})
    write(results)
    if WRONG == "late" and "move" in command:
        for step in steps:
            if step["do"] == "post":
                time.sleep(0.02)
                there = {"opener": "receiver", "receiver": "opener"}[command["move"]["at"]]
                call(there, port="p", event="on_message", listener="message", message=step["message"])


DOES: dict[str, Any] = {
    "exits": lambda: os._exit(0),
    "last words": lambda: sys.exit("no more\n  +---"),
    "a signal": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "closes its output": close_output,
    "hangs": lambda: time.sleep(60),
    "prints": lambda: print("hello", flush=True),
    "a long line": lambda: print("x" * 100_000, flush=True),
    "a record without an event": lambda: call(port="p"),
    "a record without a message": lambda: call(port="p", event="on_message", listener="message"),
    "a context that is not there": lambda: write({"type": "called", "at": "x", "record": {
        "port": "p", "event": "raised", "call": "post", "error": "closed"}}),
    "greets again": lambda: write(HELLO),
}  # fmt: skip
CHANGES: dict[str, Any] = {
    "another number": {"id": 0},
    "too few results": {"results": []},
    "no state": {"state": None},
    "a port that is not there": {"state": {"ports": {"x": {}}}},
    "a mistake": {"results": [{"mistake": "there is no port p"}]},
}

if __name__ == "__main__":
    if WRONG == "does not greet":
        time.sleep(60)
    write(GREETINGS.get(WRONG, HELLO))
    for line in sys.stdin:
        answer(json.loads(line))
