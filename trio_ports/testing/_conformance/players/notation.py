"""How messages, exceptions and errors are written down, in a history and in what comes of it.

Every player writes the same words as the model, so that what they write can be compared.
"""

from __future__ import annotations

from typing import Any, Final

import trio

from ...._protocol.errors import ContextInvalidatedError, MessageTooLargeError
from ..history.moves import LONG
from ..model.dialects import THROWN_TEXT, is_list, is_object, is_special
from .wire import OversizeError

_WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (trio.ClosedResourceError, "closed"),
    (trio.BrokenResourceError, "broken"),
    (ContextInvalidatedError, "broken"),  # The port of a script that outlives its extension has lost its other side.
    (trio.WouldBlock, "full"),
    (trio.BusyResourceError, "busy"),
    (trio.EndOfChannel, "end"),
    (StopAsyncIteration, "end"),
    (MessageTooLargeError, "too-large"),
    (OversizeError, "too-large"),
    (TypeError, "not-json"),
    (ValueError, "not-json"),
)
NO_RECEIVER_TEXT: Final = "Could not establish connection. Receiving end does not exist."
"""Rule 6, written down a second time: the package may be wrong."""
GONE: Final = "gone"
"""The result of a step in a context that has ended."""
STRANGER: Final = "?"
"""The label of a port object that the context has never seen."""
LAST_ERROR: Final = "last_error too"
"""Written before an error that both ``port.error`` and ``runtime.last_error`` show."""


class ScriptedError(Exception):
    """The exception that a history raises, in a listener or a block."""

    def __init__(self) -> None:
        super().__init__(THROWN_TEXT)


def word_for(error: BaseException) -> str:
    """Return the word for an exception."""
    for kind, word in _WORDS:
        if isinstance(error, kind):
            return word
    return f"{type(error).__name__}: {error}"


def cause_of(error: Any) -> str | None:
    """Return the cause of a ``port.error``; with its text, if the text is not what it should be.

    A player in another process has written it down already.
    """
    if error is None or isinstance(error, str):
        return error
    cause = getattr(error, "cause", None)
    cause = str(getattr(cause, "value", cause))
    text = str(error)
    if (cause == "no-receiver" and text != NO_RECEIVER_TEXT) or THROWN_TEXT in text:
        return f"{cause}: {text}"
    return cause


def make_message(value: Any) -> Any:
    """Return the message that a history's value stands for."""
    if is_special(value):
        cycle: list[Any] = []
        cycle.append(cycle)
        special: dict[str, Any] = {
            "long": "x" * int(value.get("length", 0)),
            "NaN": float("nan"),
            "Infinity": float("inf"),
            "function": make_message,
            "bytes": b"bytes" + bytes(value.get("length", 0)),
            "cycle": cycle,
        }
        return special[value["$"]]
    if is_list(value):
        return [make_message(item) for item in value]
    return {key: make_message(item) for key, item in value.items()} if is_object(value) else value


def show_message(value: Any) -> Any:
    """Return a received message as it is written down."""
    if isinstance(value, str) and len(value) >= LONG and value.count("x") == len(value):
        return {"$": "long", "length": len(value)}
    if is_list(value):
        return [show_message(item) for item in value]
    return {key: show_message(item) for key, item in value.items()} if is_object(value) else value
