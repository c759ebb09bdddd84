"""Messages: what can be posted, what is refused and where, and what arrived bytes mean. Rules 12, 13, 16 and 36."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_ports import MalformedMessageError, MessageShapeError, MessageTooLargeError, NotSerializableError
from trio_ports._protocol.dialects import CHROME, FIREFOX, TRIO, Dialect
from trio_ports._protocol.messages import Decoder, Encoder, Reading

encode = Encoder(max_message_bytes=math.inf).encode
SURROGATE = "\ud800"
CHANCE_MARK = 196
"""A number whose MessagePack contains the byte that marks ``bytes``."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.characters().map(lambda letter: letter + SURROGATE),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


def decode(frame: bytes, message_type: Any = Any, **reading: Any) -> Any:
    """Decode as a port does: the quick way, then the other."""
    decoder = Decoder(message_type, Reading(**reading))
    try:
        return decoder.decode(frame)
    except Exception as refusal:  # noqa: BLE001 - as a port does
        return decoder.decode_unusual(frame, refusal)


def nested(depth: int, inner: Any) -> Any:
    for _ in range(depth):
        inner = [inner]
    return inner


# Encoding -----------------------------------------------------------------------------------------------------------


@given(json_values)
def test_every_json_value_arrives_as_it_was_posted(value: Any) -> None:
    """Rule 13: whatever JSON is, is a message."""
    assert decode(encode(value)) == value


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}, 0.0])
def test_falsy_values_are_messages(value: Any) -> None:
    """Rule 13: none of them is an end of file."""
    result = decode(encode(value))
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("neighbour", ["a", SURROGATE, CHANCE_MARK])
def test_nan_and_infinity_become_null(value: float, neighbour: Any) -> None:
    """Rule 12: as ``JSON.stringify`` has it, on every way through the encoder."""
    assert decode(encode([value, neighbour])) == [None, neighbour]


@pytest.mark.parametrize("value", [SURROGATE, "a\udfffb", {SURROGATE: [SURROGATE]}, ["\ud83d\ude00 apart"]])
def test_lone_surrogates_pass(value: Any) -> None:
    """Rule 12: JavaScript's strings may hold them, JSON escapes them."""
    frame = encode(value)
    frame.decode("utf-8")
    assert json.loads(frame) == json.loads(json.dumps(value))
    assert decode(frame) == json.loads(json.dumps(value))


class Colour(enum.Enum):
    RED = "red"


class Point(msgspec.Struct):
    x: Any
    y: Any = None


@dataclasses.dataclass
class Dot:
    x: Any
    y: Any = None


@attrs.define
class Spot:
    x: Any
    y: Any = None


@pytest.mark.parametrize("kind", [Point, Dot, Spot])
@pytest.mark.parametrize("x", [1, SURROGATE, CHANCE_MARK])
def test_records_are_messages(kind: Callable[..., Any], x: Any) -> None:
    """Rule 12: a Struct, a dataclass, an attrs class; with a surrogate inside as well."""
    assert decode(encode(kind(x))) == {"x": x, "y": None}


@pytest.mark.parametrize("neighbour", ["a", SURROGATE, CHANCE_MARK])
@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (frozenset({4}), [4]),
        (Colour.RED, "red"),
        (dt.date(2026, 11, 22), "2026-11-22"),
        (dt.datetime(2026, 11, 22, 8, 30, tzinfo=dt.UTC), "2026-11-22T08:30:00Z"),
        (decimal.Decimal("1.5"), "1.5"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ({1: "one"}, {"1": "one"}),
        ({1: "one", 1.5: "more", "x": ["x" * 20_000]}, {"1": "one", "1.5": "more", "x": ["x" * 20_000]}),
        ({Colour.RED: 1}, {"red": 1}),
    ],
)
def test_what_msgspec_encodes_is_a_message(value: Any, arrives: Any, neighbour: Any) -> None:
    """Rule 12: and a neighbour that takes the other way through the encoder does not change how it is written."""
    assert decode(encode([value, neighbour])) == [arrives, neighbour]


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (b"raw", "$"),
        ({"photo": b"raw"}, "$.photo"),
        ({"users": [{}, {"photo": bytearray(b"raw")}]}, "$.users[1].photo"),
        ([1, (2, memoryview(b"raw"))], "$[1][1]"),
        ({"big": b"r" * 1000}, "$.big"),
        ({"huge": b"r" * 100_000}, "$.huge"),
        (Point(1, b"raw"), "$.y"),
        (Dot(Spot(b"raw")), "$.x.x"),
        (Dot(Spot(Point(object()))), "$.x.x.x"),
        ([dt.date(2026, 11, 22), {Colour.RED: 1, 2: 3}, object()], "$[2]"),
        ({b"key": 1}, "$.b'key'"),
        ({"a": {(1, 2): 3}}, "$.a.(1, 2)"),
        ({"f": print}, "$.f"),
        ([object()], "$[0]"),
        ({"n": 1j}, "$.n"),
        ({SURROGATE: {"x": object()}}, "$.'\\ud800'.x"),
        ({"line\nbreak": object()}, "$.'line\\nbreak'"),
        ({1: "a", "1": "b"}, "$.1"),
        ([{"users": {Colour.RED: 1, "red": 2}}], "$[0].users.red"),
        (Dot([{1.5: CHANCE_MARK, "1.5": SURROGATE}]), "$.x[0].1.5"),
        ({"large": ["x" * 20_000, {2: 1, "2": 1}]}, "$.large[1].2"),
    ],
)
def test_what_is_not_json_is_named_by_its_path(message: Any, path: str) -> None:
    """Rule 12: the error is the sender's, says where the culprit is, and can be printed."""
    with pytest.raises(NotSerializableError) as caught:
        encode(message)
    assert caught.value.path == path
    assert str(caught.value).endswith(f" - at `{path}`")
    str(caught.value).encode()
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("number", [CHANCE_MARK, 0xC5, 0xC6, 0xC4C6])
@pytest.mark.parametrize("padding", [0, 300])
def test_numbers_that_look_like_bytes_pass(number: int, padding: int) -> None:
    """The mark by which bytes are found may be chance: in a number, in a letter, in a small and in a large message."""
    message = {"n": number, "letter": chr(number), "padding": "x" * padding}
    assert decode(encode(message)) == message


def test_a_message_may_hold_one_thing_twice_but_not_itself() -> None:
    """Sharing is no cycle; a cycle is found wherever it closes."""
    shared = {"n": CHANCE_MARK}
    assert decode(encode([shared, shared])) == [shared, shared]
    cycle: list[Any] = []
    cycle.append({"again": cycle})
    with pytest.raises(NotSerializableError):
        encode(cycle)
    loop: dict[str, Any] = {"mark": SURROGATE}
    loop["self"] = [loop]
    with pytest.raises(NotSerializableError, match="contains itself"):
        encode(loop)


@pytest.mark.parametrize("inner", ["a", CHANCE_MARK])
def test_deep_messages_pass_as_far_as_msgspec_goes(inner: Any) -> None:
    """What is inside does not change how deep a message may be."""
    assert json.loads(encode(nested(800, inner))) == nested(800, inner)


@pytest.mark.parametrize("inner", ["a", CHANCE_MARK, SURROGATE, b"raw"])
def test_too_deep_is_not_serializable(inner: Any) -> None:
    """A message that is nested without end is the sender's mistake, never a RecursionError."""
    with pytest.raises(NotSerializableError):
        encode(nested(100_000, inner))


def test_a_record_that_cannot_be_read_is_refused() -> None:
    """A field that is not there, next to something that needs the second way through the encoder."""
    spot = Spot(1)
    del spot.y
    with pytest.raises(NotSerializableError, match="cannot be encoded"):
        encode([spot, object()])


def test_a_field_that_is_not_there_is_left_out() -> None:
    """Beside a key that is no text, too."""
    spot = Spot(1)
    del spot.y
    assert decode(encode([spot, {1: 2}])) == [{"x": 1}, {"1": 2}]


def test_a_deep_message_of_records_is_no_recursion_error() -> None:
    """Where the walk through it goes less deep than msgspec, the message is refused as too deep."""
    message: Any = CHANCE_MARK
    for _ in range(900):
        message = Dot(message)
    with pytest.raises(NotSerializableError, match="too deeply"):
        encode(message)


def test_what_json_cannot_write_either_is_refused() -> None:
    """A number of five thousand digits is JSON in principle, and neither encoder writes it."""
    with pytest.raises(NotSerializableError, match="cannot be encoded"):
        encode(10**5000)


def test_a_large_message_of_plain_values_passes() -> None:
    """It is looked through once, and not encoded a second time."""
    message = [{"text": "x" * 20_000, "more": [1, None, {"deep": True}]}] * 2
    assert decode(encode(message)) == message


def test_large_whole_numbers_pass() -> None:
    """JSON has no largest number, and neither have we."""
    assert decode(encode({"n": 2**70})) == {"n": 2**70}


def test_size_is_limited_in_encoded_bytes() -> None:
    """Rule 16: exactly the limit is fine, one byte more is not; the error says both."""
    limited = Encoder(max_message_bytes=10)
    assert limited.encode("x", b'"x"') == b'"x"'
    assert limited.encode("x" * 8) == b'"xxxxxxxx"'
    with pytest.raises(MessageTooLargeError) as caught:
        limited.encode("x" * 9)
    assert (caught.value.size, caught.value.limit) == (11, 10)
    with pytest.raises(MessageTooLargeError, match="words of a browser"):
        Encoder(max_message_bytes=1, too_large_text="words of a browser").encode("xx")
    with pytest.raises(MessageTooLargeError):
        limited.encode([SURROGATE] * 3)


# Decoding -----------------------------------------------------------------------------------------------------------


def test_numbers_beyond_a_double_are_json() -> None:
    """Msgspec refuses ``1e999``; JavaScript reads it as infinity."""
    assert decode(b'{"n": 1e999}') == {"n": math.inf}


def test_numbers_of_any_length_are_json() -> None:
    """Also those that have more digits than Python reads; with or without a type, and next to others."""
    digits = b"9" * 5000
    assert decode(b"[%b, -%b, 7]" % (digits, digits)) == [math.inf, -math.inf, 7]
    assert isinstance(decode(b"[1e999, 7]")[1], int)
    assert [decode(number, float) for number in (digits, b"1e999")] == [math.inf] * 2
    with pytest.raises(MessageShapeError):
        decode(digits, int)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b" ",
        b"{",
        b"1 2",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"'a'",
        b"[1,]",
        b'"\xff"',
        '"hello"'.encode("utf-16"),
        b"[" * 100_000,
    ],
)
def test_anything_else_is_malformed(frame: bytes) -> None:
    """Rule 12: one value, in UTF-8, without constants. Too deep is malformed and no crash."""
    with pytest.raises(MalformedMessageError) as caught:
        decode(frame)
    assert caught.value.raw == frame
    assert f"{len(frame)} bytes" in str(caught.value)
    assert len(str(caught.value)) < 400
    assert not isinstance(caught.value, MessageShapeError)


@pytest.mark.parametrize(
    ("dialect", "bom", "invalid"),
    [(TRIO, True, None), (FIREFOX, True, "\ufffd"), (CHROME, False, "\ufffd")],
    ids=lambda value: value.name if isinstance(value, Dialect) else None,
)
def test_dialects_let_pass_what_browsers_let_pass(dialect: Dialect, bom: bool, invalid: str | None) -> None:
    """Rule 36: a byte order mark, and bytes inside a string that are no UTF-8."""
    reading = attrs.asdict(Reading.of(dialect))
    for frame, expected in ((b"\xef\xbb\xbf1", 1 if bom else None), (b'"\xff"', invalid)):
        if expected is None:
            with pytest.raises(MalformedMessageError):
                decode(frame, **reading)
        else:
            assert decode(frame, **reading) == expected


@pytest.mark.parametrize(
    ("dialect", "text"), [(TRIO, "Not a JSON message: "), (FIREFOX, "An unexpected error occurred"), (CHROME, "Not a ")]
)
def test_malformed_is_said_in_the_browsers_words(dialect: Dialect, text: str) -> None:
    """Rule 36: where a browser has words for it."""
    with pytest.raises(MalformedMessageError) as caught:
        decode(b"{", **attrs.asdict(Reading.of(dialect)))
    assert str(caught.value).startswith(text)


def test_an_empty_frame_may_be_none() -> None:
    """Rule 33: where the reader is an application of Firefox."""
    assert decode(b"", empty_is_null=True) is None
    with pytest.raises(MalformedMessageError):
        decode(b" ", empty_is_null=True)


# Typed messages -----------------------------------------------------------------------------------------------------


class Move(msgspec.Struct, tag="move"):
    to: Point


class Stop(msgspec.Struct, tag="stop"):
    pass


class Note(TypedDict):
    text: str


@attrs.define
class Typed:
    n: int


@dataclasses.dataclass
class TypedDot:
    n: int


@pytest.mark.parametrize(
    ("message_type", "frame", "value"),
    [
        (Point, b'{"x": 1}', Point(1)),
        (TypedDot, b'{"n": 1}', TypedDot(1)),
        (Typed, b'{"n": 1}', Typed(1)),
        (Note, b'{"text": "a"}', {"text": "a"}),
        (Note, b'{"text": "\\ud800"}', {"text": SURROGATE}),
        (Move | Stop, b'{"type": "move", "to": {"x": 1}}', Move(Point(1))),
        (Move | Stop, b'{"type": "stop"}', Stop()),
        (int | str | None, b'"a"', "a"),
        (list[int], b"[1]", [1]),
    ],
)
def test_messages_are_decoded_into_types(message_type: Any, frame: bytes, value: Any) -> None:
    """Structs, dataclasses, attrs classes, TypedDicts and unions; rare JSON too."""
    assert decode(frame, message_type) == value


@pytest.mark.parametrize(
    ("message_type", "frame", "path"),
    [
        (int, b'"a"', "$"),
        (Typed, b'{"n": "1"}', "$.n"),
        (Note, b"{}", "$"),
        (dict[str, Note], b'{"a": {"text": 1}}', "$[...].text"),
        (Move | Stop, b'{"type": "jump"}', "$.type"),
        (Note, b'{"text": "\\ud800", "x": 1e999, "text": 5}', "$.text"),
        (list[int], b'["\\ud800"]', "$"),
        (int, b"1.5", "$"),
    ],
)
def test_another_shape_is_an_error_with_path_and_bytes(message_type: Any, frame: bytes, path: str) -> None:
    """It is JSON, so nobody broke the protocol; the reader is told where it differs, once."""
    with pytest.raises(MessageShapeError) as caught:
        decode(frame, message_type)
    assert (caught.value.path, caught.value.raw) == (path, frame)
    assert str(caught.value).count(" - at `") == 1


@pytest.mark.parametrize("frame", [b'{"1": "a"}', b'\xef\xbb\xbf{"1": "a"}', b'{"1": "a", "1": "a"}'])
@pytest.mark.parametrize("letter", ["a", "\\ud800"])
def test_keys_are_converted_on_both_ways(frame: bytes, letter: str) -> None:
    """JSON's keys are texts: whole numbers among them are read whatever else stands in the message."""
    assert decode(frame.replace(b"a", letter.encode()), dict[int, str]) == {1: json.loads(f'"{letter}"')}


def test_typed_readers_read_the_whole_frame() -> None:
    """Rule 36: what is no UTF-8 is malformed, or replaced, in a field that the type does not have too."""
    frame = b'{"x": "\xc3\xa4", "unknown": "\xff"}'
    with pytest.raises(MalformedMessageError):
        decode(frame, Point)
    assert decode(frame, Point, replaces_invalid_utf8=True) == Point("ä")
    assert decode('{"x": "ä", "unknown": "ä"}'.encode(), Point) == Point("ä")


def test_no_json_is_malformed_for_typed_readers_too() -> None:
    """A type does not make a wrong shape of what is no message at all."""
    with pytest.raises(MalformedMessageError) as caught:
        decode(b"{", Typed)
    assert not isinstance(caught.value, MessageShapeError)


class Plain:
    """A class that msgspec knows nothing of."""


@pytest.mark.parametrize("message_type", [Plain, Path])
def test_a_class_of_no_fields_is_refused(message_type: Any) -> None:
    """Whoever forgot @dataclass is told so at once."""
    with pytest.raises(TypeError, match="no message can become one; was @dataclass forgotten"):
        Decoder(message_type)


@dataclass
class Choosy:
    """A type whose own code raises what msgspec does not expect."""

    n: int
    made: ClassVar[int] = 0

    def __post_init__(self) -> None:
        Choosy.made += 1
        if self.n < 0:
            raise KeyError("no such number")


@pytest.mark.parametrize("frame", [b'{"n": -1}', b'{"n": -1, "x": "\\ud800"}'])
def test_a_type_whose_own_code_raises(frame: bytes) -> None:
    """Whatever it raises, the message is of another shape for it, and its code runs once."""
    Choosy.made = 0
    with pytest.raises(MessageShapeError, match="KeyError: 'no such number'") as caught:
        decode(frame, Choosy)
    assert isinstance(caught.value.__cause__, KeyError)
    assert Choosy.made == 1


def test_a_number_too_long_to_be_written_is_named() -> None:
    """Python writes no number of more than some thousand digits, unless it is asked to."""
    with pytest.raises(NotSerializableError) as caught:
        Encoder(max_message_bytes=math.inf).encode({"a": [0, {"b": 10**5000}]})
    assert caught.value.path == "$.a[1].b"


@pytest.mark.parametrize("message_type", [1, Point | Dot, "Missing"])
def test_what_cannot_be_decoded_into_is_refused(message_type: Any) -> None:
    """The mistake is at the call that names the type, not at the first message."""
    with pytest.raises(TypeError, match="message_type must be a type that msgspec decodes into"):
        Decoder(message_type)
