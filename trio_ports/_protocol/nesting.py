"""Nesting: messages that are nested more deeply than msgspec and ``json`` go.

How deep these two go depends on the version of Python, on its recursion limit and on the
caller. Here nothing recurses, so that there is one limit for all: `MAX_LEVELS`.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

MAX_LEVELS: Final = 10_000
"""How many arrays and objects of a message may be inside each other. Ours: JSON itself has no limit."""
LARGE_BYTES: Final = 256 * 1024
MOST_IN_LARGE: Final = 500
"""The same for a message of more than `LARGE_BYTES`. Every Python decodes so many levels in C; what is deeper takes a
second for each MiB, and whoever sends such a message would stop the other side's loop."""
TOO_DEEP_TEXT: Final = (
    f"nested too deeply, in more than {MAX_LEVELS:,} levels, or {MOST_IN_LARGE} in a message of over "
    f"{LARGE_BYTES // 1024} KiB"
)

_LEVELS_AT_ONCE: Final = 100
_PART: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}N]', re.DOTALL)
"""A string, which may lack its end, or an opening or closing bracket, or the beginning of ``NaN``."""
_OTHERS: Final = bytes(set(range(256)) - set(b'"[]{}'))
_ALIKE: Final = bytes.maketrans(b"{}", b"[]")
_INNERMOST: Final = 8


def most_levels(size: int) -> int:
    """Return how many levels a message of so many bytes may have."""
    return MAX_LEVELS if size <= LARGE_BYTES else MOST_IN_LARGE


def is_too_deep(frame: bytes) -> bool:
    """Return whether an encoded message has more levels than a message of its size may have.

    This takes as long as decoding does. It is for messages that are rare anyway.
    """
    levels = most_levels(len(frame))
    if len(frame) <= 2 * levels or frame.count(b"[") + frame.count(b"{") <= levels:
        return False
    # What is left are brackets and strings, which have nothing but brackets in them. Most are empty.
    left = frame.replace(b"\\\\", b"").replace(b'\\"', b"").translate(_ALIKE, _OTHERS).replace(b'""', b"")
    brackets = b"".join(left.split(b'"')[::2])
    for _ in range(_INNERMOST):  # Each turn takes one level away, and nearly everything of a message that is wide.
        brackets = brackets.replace(b"[]", b"")
    runs = re.findall(rb"\[+|\]+", brackets)
    steps = itertools.accumulate(len(run) if run[0] == ord("[") else -len(run) for run in runs)
    return max(steps, default=0) > levels - _INNERMOST


def encode_deep(message: Any, encode: Callable[[Any], bytes]) -> bytes:
    """Encode dicts, lists and tuples step by step, and everything else, keys included, with ``encode``.

    Raises:
        RecursionError: the message is too deep, or contains itself.
        ValueError: two keys become the same text.
    """
    parts: list[bytes] = []
    todo: list[tuple[Any, int]] = [(message, 1)]  # The last one comes next; at level 0 are parts.
    while todo:
        value, level = todo.pop()
        if level == 0:
            parts.append(value)
            continue
        if isinstance(value, dict):
            # As in {"key":null}, of which the beginning and the end are cut off.
            items = [(encode({key: None})[1:-5], item) for key, item in cast("Mapping[Any, Any]", value).items()]
            if len({key for key, _ in items}) < len(items):
                raise ValueError("two keys become the same text")
            opening, closing = b"{", b"}"
        elif isinstance(value, (list, tuple)):
            items = [(b"", item) for item in cast("list[Any]", value)]
            opening, closing = b"[", b"]"
        else:
            parts.append(encode(value))
            continue
        if level > MAX_LEVELS:
            raise RecursionError(TOO_DEEP_TEXT)
        parts.append(opening)
        todo.append((closing, 0))
        for index, (key, item) in reversed(tuple(enumerate(items))):
            todo += [(item, level + 1), (b"," + key if index else key, 0)]
    return b"".join(parts)


def decode_deep(text: str, decode: Callable[[str, Callable[[str], Any]], Any]) -> Any:
    """Decode a message some levels at once, beginning with the innermost.

    Args:
        text: the message.
        decode: decodes a text, and calls its second argument for ``NaN`` and the other
            constants, which are not JSON. Here, a ``NaN`` stands for what is decoded
            already.

    Raises:
        ValueError: this is not JSON, or it is too deep.
    """
    outer: list[_Levels] = []
    levels = _Levels()
    depth = start = 0
    for part in _PART.finditer(text):
        mark = part[0][0]
        if mark in "[{":
            if depth > 0 and depth % _LEVELS_AT_ONCE == 0:
                levels.pieces.append(text[start : part.start()])
                start = part.start()
                outer.append(levels)
                levels = _Levels()
            depth += 1
            if depth > MAX_LEVELS:
                raise ValueError(TOO_DEEP_TEXT)
        elif mark in "]}":
            depth -= 1
            if depth > 0 and depth % _LEVELS_AT_ONCE == 0:
                levels.pieces.append(text[start : part.end()])
                start = part.end()
                value = decode("".join(levels.pieces), levels.take)
                levels = outer.pop()
                levels.pieces.append("NaN")
                levels.inside.append(value)
        elif mark == "N":
            raise ValueError("NaN is not JSON")
    if outer:
        raise ValueError("the message is cut off")
    return decode("".join([*levels.pieces, text[start:]]), levels.take)


class _Levels:
    """Some levels of a message: their text, and the values that stand in it as ``NaN``."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.inside: deque[Any] = deque()

    def take(self, name: str) -> Any:
        if name != "NaN":
            raise ValueError(f"{name} is not JSON")
        return self.inside.popleft()
