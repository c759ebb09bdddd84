"""Frames: whatever the cuts, the same frames; whatever the nonsense, the same error."""

from __future__ import annotations

import contextlib
import itertools
import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_ports import Cause, FrameTooLargeError, RemoteProtocolError, TruncatedError
from trio_ports._protocol.frames import (
    LENGTH_BYTES,
    TO_APPLICATION_BYTES,
    FrameDecoder,
    encode_frames,
    encode_length,
    spelled_text,
)

LIMIT = 300
bodies = st.lists(st.binary(max_size=40) | st.binary(min_size=LIMIT - 3, max_size=LIMIT), max_size=12)


def encode(*frames: bytes) -> bytes:
    data = b"".join(encode_length(len(frame)) + frame for frame in frames)
    assert encode_frames(frames) == data
    return data


def decode(pieces: list[bytes], **options: Any) -> tuple[list[bytes], RemoteProtocolError | None]:
    """Feed the pieces and the end of file; return the frames, and the error that ended them."""
    decoder = FrameDecoder(max_frame_bytes=LIMIT, **options)
    frames: list[bytes] = []
    with contextlib.suppress(RemoteProtocolError):
        for piece in [*filter(None, pieces), b""]:
            frames += decoder.receive_data(piece)
    return frames, decoder.error


def cut(data: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(borders)]


cuts = st.lists(st.integers(0, 4000), max_size=40)


@given(bodies, cuts)
@example([b"", b"", b"1"], [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_any_cut_gives_the_same_frames(frames: list[bytes], places: list[int]) -> None:
    """However the bytes arrive, one by one or all at once, the frames are those that were sent."""
    assert decode(cut(encode(*frames), places)) == (frames, None)


@given(bodies, st.data())
def test_an_end_inside_a_frame_is_told_after_the_whole_frames(frames: list[bytes], data: st.DataObject) -> None:
    """Everything whole is delivered; the error says how far the last one got."""
    missing = data.draw(st.integers(1, LENGTH_BYTES + 9))
    pieces = cut(encode(*frames, b"x" * 10)[:-missing], data.draw(cuts))
    found, error = decode(pieces)
    assert found == frames
    received = LENGTH_BYTES + 10 - missing
    if not received:
        assert error is None
        return
    assert isinstance(error, TruncatedError)
    assert error.cause is Cause.TRUNCATED
    assert (error.received, error.expected) == (received, None if received < LENGTH_BYTES else LENGTH_BYTES + 10)


@given(bodies, st.integers(LIMIT + 1, 2**32 - 1), st.binary(max_size=20), cuts)
def test_a_frame_over_the_limit_is_refused_by_its_length(
    frames: list[bytes], size: int, rest: bytes, places: list[int]
) -> None:
    """What came before is delivered; the error has size and limit, and the same wherever the bytes were cut."""
    found, error = decode(cut(encode(*frames) + encode_length(size) + rest, places))
    assert found == frames
    assert isinstance(error, FrameTooLargeError)
    assert (error.size, error.limit, error.cause) == (size, LIMIT, Cause.TOO_LARGE)


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_any_bytes_give_frames_or_an_error(pieces: list[bytes]) -> None:
    """Fuzzed: nothing but the two errors of the protocol ever comes out, and what came out encodes to what went in."""
    frames, error = decode(pieces)
    data = b"".join(pieces)
    assert data.startswith(encode(*frames))
    assert (error is None) == (data == encode(*frames))


def test_frames_before_the_nonsense_are_returned_first() -> None:
    """One read may hold both: the frames come out, `error` is set at once, and every later call raises it."""
    decoder = FrameDecoder(max_frame_bytes=10)
    assert decoder.receive_data(encode(b"1") + encode_length(11)) == [b"1"]
    error = decoder.error
    assert isinstance(error, FrameTooLargeError)
    for data in (encode(b"2"), b""):
        with pytest.raises(FrameTooLargeError) as caught:
            decoder.receive_data(data)
        assert caught.value is error


def test_the_length_is_in_native_byte_order() -> None:
    """Rule 33: as a C program writes a uint32."""
    assert encode_length(258) == struct.pack("@I", 258)
    assert FrameDecoder().receive_data(struct.pack("@I", 2) + b"17") == [b"17"]


def test_the_limit_itself_passes() -> None:
    """Rule 34: one MiB exactly is fine, one byte more is an error; the other direction carries more."""
    whole = b"x" * 1048576
    assert FrameDecoder().receive_data(encode(whole)) == [whole]
    with pytest.raises(FrameTooLargeError, match="1048577 bytes"):
        FrameDecoder().receive_data(encode_length(1048577))
    assert TO_APPLICATION_BYTES == {"firefox": 2**32 - 1, "chromium": 64 * 2**20}


def test_what_is_only_announced_is_not_allocated() -> None:
    """A length of 4 GiB, where that is allowed, costs nothing until the bytes come."""
    decoder = FrameDecoder(max_frame_bytes=2**32)
    tracemalloc.start()
    try:
        assert decoder.receive_data(encode_length(2**32 - 1) + b"x") == []
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()


def test_a_large_frame_in_small_pieces_takes_linear_time() -> None:
    """Ten megabytes in pieces of ten bytes: with a copy for every piece, this would move five terabytes."""
    decoder = FrameDecoder(max_frame_bytes=10_000_000)
    assert decoder.receive_data(encode_length(10_000_000)) == []
    for _ in range(999_999):
        decoder.receive_data(b"0123456789")
    (frame,) = decoder.receive_data(b"0123456789")
    assert frame == b"0123456789" * 1_000_000


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (b"/home/user/app.py:1: Warning\n", "/home/user/app.py:1: Warning\n"),
        (b"\r\nC:\\app>", "\r\nC:\\app>"),
        (b"data: 5", "data: 5"),
        ("naïve".encode(), "naïve"),
        ("日本語".encode(), "日本語"),
        ("日本語".encode()[:4], "日"),
        (b"hello\x00\x01", "hello"),
        (b"hello\xff", "hello"),
    ],
)
def test_a_length_that_is_text_names_the_text(printed: bytes, text: str) -> None:
    """The impossible lengths of bug reports are prints: 1836017711 is ``/hom``."""
    with pytest.raises(FrameTooLargeError) as caught:
        FrameDecoder().receive_data(printed)
    assert caught.value.printed == text
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("data", [b"\x01\x00\x10\x00", b"\xff\xff\xff\xff", b"abc\x01", b"\xe6\xe6ab"])
def test_a_length_that_is_no_text_names_none(data: bytes) -> None:
    """Binary nonsense is not taken for a print."""
    assert spelled_text(data) is None


def test_a_dialect_has_its_own_words() -> None:
    """A browser's text is given as it is, without ours about what was printed; the attribute has it all the same."""
    _, error = decode([b"hello\n"], too_large_text="{size} is more than {limit}", names_printed_text=False)
    assert isinstance(error, FrameTooLargeError)
    assert str(error) == "1819043176 is more than 300"
    assert error.printed == "hello\n"
