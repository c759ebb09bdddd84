"""Nesting: one limit for how deep a message may be, whatever the interpreter's own limit is."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, strategies

from trio_ports import MalformedMessageError, MessageTooLargeError, NotSerializableError
from trio_ports._protocol.messages import Decoder, Encoder
from trio_ports._protocol.nesting import LARGE_BYTES, MAX_LEVELS, MOST_IN_LARGE, decode_deep, encode_deep, is_too_deep
from trio_ports.testing.strategies import json_messages

encode = Encoder(max_message_bytes=2**30).encode
decode = Decoder().decode_any


def nested(levels: int, inner: Any, *, beside: Any = ()) -> Any:
    """Return a message with so many levels above ``inner``, which alternate between lists and dicts."""
    for level in range(levels):
        inner = {"more": inner, "a": beside} if level % 2 else [beside, inner]
    return inner


@contextmanager
def recursion_limit(limit: int) -> Generator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.parametrize("levels", [99, 100, 101, 900, 1100, 3000, MAX_LEVELS])
@pytest.mark.parametrize(
    ("inner", "plain"), [(1, 1), ("\ud800[", "\ud800["), ('\\"]', '\\"]'), ({1: float("nan")}, {"1": None})]
)
def test_a_deep_message_arrives_as_it_was_posted(levels: int, inner: Any, plain: Any) -> None:
    """As far as the limit, with things in it that need another way through the encoder or look like brackets."""
    levels -= isinstance(inner, dict)
    message = decode(encode(nested(levels, inner, beside='"[{\\')))
    for level in reversed(range(levels)):
        message, beside = (message["more"], message["a"]) if level % 2 else reversed(message)
        assert beside == '"[{\\'
    assert message == plain


@pytest.mark.parametrize("levels", [MAX_LEVELS + 1, 100_000])
@pytest.mark.parametrize("inner", [1, "\ud800", b"raw"])
def test_beyond_the_limit_the_call_raises(levels: int, inner: Any) -> None:
    """On every Python, and whatever else is wrong with the message."""
    with pytest.raises(NotSerializableError, match="10,000 levels"):
        encode(nested(levels, inner))


def test_beyond_the_limit_the_call_raises_even_if_it_could_be_encoded() -> None:
    """Some versions of Python let msgspec go deeper than the limit."""
    levels = MAX_LEVELS + 1
    with pytest.raises(NotSerializableError, match="10,000 levels"):
        encode(nested(levels, 1), b"[" * levels + b"]" * levels)


def test_a_mistake_deep_inside_is_refused() -> None:
    """Bytes, and keys that become the same text."""
    for inner in (b"raw", {1: "a", "1": "b"}):
        with pytest.raises(NotSerializableError):
            encode(nested(2000, inner))
    with pytest.raises(MessageTooLargeError):
        Encoder(max_message_bytes=100).encode(nested(2000, 1))


@pytest.mark.parametrize("message_type", [Any, list[Any]])
@pytest.mark.parametrize(
    "frame",
    [b"[" * 10**6 + b"]" * 10**6, b"[" * 10**6, b'{"":' * 10**5 + b"1" + b"}" * 10**5],
    ids=["wide", "cut off", "objects"],
)
def test_a_frame_beyond_the_limit_is_malformed(message_type: Any, frame: bytes) -> None:
    """It is refused by a count, not by a walk that would stop the loop for seconds."""
    with pytest.raises(MalformedMessageError, match="10,000 levels"):
        Decoder(message_type).decode_any(frame)


@pytest.mark.parametrize("size", [LARGE_BYTES, LARGE_BYTES + 1])
@pytest.mark.parametrize("levels", [MOST_IN_LARGE, MOST_IN_LARGE + 1])
@pytest.mark.parametrize("inner", ["x", "\ud800"])
def test_a_large_message_has_fewer_levels(size: int, levels: int, inner: str) -> None:
    """The sender is told on every Python; the levels are counted as the message is, and as its encoding is."""
    rest = size - len(encode(inner * 10)) - 2 * levels
    message: Any = inner * 10 + "x" * rest
    for _ in range(levels):
        message = [message]
    if size > LARGE_BYTES and levels > MOST_IN_LARGE:
        with pytest.raises(NotSerializableError, match="500 in a message of over 256 KiB"):
            encode(message)
    else:
        assert len(encode(message)) == size


def test_the_steps_end_at_the_limit() -> None:
    """Also where nobody has counted before."""
    text = "[" * (MAX_LEVELS + 1) + "]" * (MAX_LEVELS + 1)
    with pytest.raises(ValueError, match="10,000 levels"):
        decode_deep(text, lambda part, constant: json.loads(part, parse_constant=constant))


@pytest.mark.parametrize("inner", [b"", b"[]", b'"' + b"[" * MAX_LEVELS + b'\\""', b"[],{}," * MAX_LEVELS + b"1"])
@pytest.mark.parametrize("levels", [1, MAX_LEVELS - 1, MAX_LEVELS, MAX_LEVELS + 1])
def test_the_depth_of_a_frame(levels: int, inner: bytes) -> None:
    """Brackets in strings do not count, and brackets beside each other count once."""
    frame = b"[" * levels + inner + b"]" * levels
    assert is_too_deep(frame) == (levels + inner.startswith(b"[") > MAX_LEVELS)


@given(json_messages())
def test_step_by_step_is_no_other_encoding(value: Any) -> None:
    """The ways that take what is too deep for others give what these give."""
    frame = encode_deep(value, encode)
    assert decode(frame) == decode(encode(value))
    assert decode_deep(frame.decode(), lambda text, constant: json.loads(text, parse_constant=constant)) == decode(
        frame
    )


@pytest.mark.parametrize(
    "inner",
    [b"NaN", b"Infinity", b"[1", b"1]", b'"', b'"' + b'\\"' * 1000, b"1,", b"]" * 5000, b"]" * 1990 + b"NaN"],
)
def test_nonsense_deep_inside_is_malformed(inner: bytes) -> None:
    """What stands for the parts that are decoded already cannot be sent."""
    frame = b"[" * 2000 + inner + b"]" * 2000
    with pytest.raises(MalformedMessageError):
        decode(frame)
    with pytest.raises(ValueError, match=r".*"):
        decode_deep(frame.decode(), lambda text, constant: json.loads(text, parse_constant=constant))


@given(strategies.text('[]{}",\\N1', max_size=30))
def test_whatever_the_text_is_it_is_json_or_refused(text: str) -> None:
    """Nothing but a ValueError comes out of it, also behind an opening of many levels."""
    for whole in (text, "[" * 150 + text + "]" * 150):
        try:
            expected = json.loads(whole, parse_constant=lambda name: pytest.fail("NaN"))
        except (ValueError, pytest.fail.Exception):
            expected = None
        try:
            value = decode_deep(whole, lambda text, constant: json.loads(text, parse_constant=constant))
        except ValueError:
            value = None
        assert value == expected


def test_the_limit_is_not_the_interpreters() -> None:
    """A program that lowers the recursion limit carries the same messages."""
    message = nested(1500, 1)
    with recursion_limit(400):
        frame = encode(message)
        assert encode(decode(frame)) == frame


@pytest.mark.parametrize("size", [LARGE_BYTES, LARGE_BYTES + 1])
@pytest.mark.parametrize("levels", [MOST_IN_LARGE, MOST_IN_LARGE + 1])
def test_large_messages_are_not_as_deep(size: int, levels: int) -> None:
    """To decode towers of levels, one beside the other, would stop the loop of whoever gets them."""
    towers = b"[" * levels + b"]" * levels
    frame = b"[" * levels + b'"' + b"x" * (size - 2 * levels - 2) + b'"' + b"]" * levels
    assert len(frame) == size
    assert is_too_deep(frame) == (size > LARGE_BYTES and levels > MOST_IN_LARGE)
    assert is_too_deep(b"[" + (towers + b",") * 400 + towers + b"]")
