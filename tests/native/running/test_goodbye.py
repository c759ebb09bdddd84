"""The goodbye: bytes that end in good order differ from bytes that just end."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import memory_stream_pair

from trio_ports._native.running.greetings import GOODBYE, FrameBoundary, GoodbyeStream
from trio_ports._protocol.frames import encode_frames

FRAMES = st.lists(st.binary(max_size=9), max_size=5)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(place, len(data)) for place in cuts})
    return [data[start:stop] for start, stop in zip([0, *places], [*places, len(data)], strict=True)]


@given(frames=FRAMES, cuts=st.lists(st.integers(0, 80)), goodbye=st.booleans(), rest=st.binary(max_size=3))
def test_what_passes_is_unchanged(frames: list[bytes], cuts: list[int], goodbye: bool, rest: bytes) -> None:
    """However the bytes are cut, all of them but a goodbye pass; and only after a whole frame is there a goodbye."""
    data = encode_frames(frames) + (GOODBYE if goodbye else rest)
    boundary = FrameBoundary()
    passed = b"".join(map(boundary.receive_data, cut(data, cuts)))
    assert boundary.has_goodbye is goodbye
    assert boundary.is_between is (not goodbye and not rest)
    assert passed + boundary.receive_end() == encode_frames(frames) + (b"" if goodbye else rest)
    assert boundary.has_goodbye is goodbye
    assert boundary.is_between is (not goodbye and not rest)


@given(cuts=st.lists(st.integers(0, 20)))
def test_the_largest_frame_is_no_goodbye(cuts: list[int]) -> None:
    """The length of a goodbye with something behind it is the length of a frame."""
    boundary = FrameBoundary()
    data = GOODBYE + b"something"
    assert b"".join(map(boundary.receive_data, cut(data, cuts))) == data
    assert (boundary.has_goodbye, boundary.is_between) == (False, False)
    assert boundary.receive_end() == b""


@given(frame=st.binary(min_size=1, max_size=9), missing=st.integers(1, 9), cuts=st.lists(st.integers(0, 20)))
def test_a_frame_may_hold_a_goodbye(frame: bytes, missing: int, cuts: list[int]) -> None:
    """Inside a frame nothing is looked at; one that is cut off has no goodbye."""
    data = encode_frames([frame + GOODBYE])[: -min(missing, len(frame))]
    boundary = FrameBoundary()
    assert b"".join(map(boundary.receive_data, cut(data, cuts))) == data
    assert (boundary.has_goodbye, boundary.is_between) == (False, False)


def open_streams() -> tuple[GoodbyeStream, Any, Any]:
    """Return one side's frames, and both sides' bytes, that side's first."""
    left, right = memory_stream_pair()
    return GoodbyeStream(left), left, right


async def received(stream: Any) -> bytes:
    data = b""
    while piece := await stream.receive_some():
        data += piece
    return data


async def test_a_goodbye_is_heard() -> None:
    """It ends the bytes, is no part of them, and is said once."""
    left, own, right = open_streams()
    other = GoodbyeStream(right)
    await left.send_all(encode_frames([b"1", b"22"]))
    await left.say_goodbye()
    await left.say_goodbye()
    await own.send_eof()
    assert await received(other) == encode_frames([b"1", b"22"])
    assert other.received_goodbye
    assert await received(other) == b""


async def test_an_end_without_a_goodbye_is_an_error() -> None:
    """After whole frames, or none, somebody who just goes was lost; and stays lost."""
    for frames in ([], [b"1"]):
        stream, _, other = open_streams()
        await other.send_all(encode_frames(frames))
        await other.aclose()
        if frames:
            assert await stream.receive_some() == encode_frames(frames)
        for _ in range(2):
            with pytest.raises(trio.BrokenResourceError, match="without a goodbye"):
                await stream.receive_some()
        assert not stream.received_goodbye


@pytest.mark.parametrize("size", range(1, 6))
async def test_an_end_inside_a_frame_is_left_to_whoever_decodes(size: int) -> None:
    """What there is of the frame passes, and then the bytes end."""
    stream, _, other = open_streams()
    beginning = encode_frames([b"12"])[:size]
    await other.send_all(beginning)
    await other.aclose()
    assert await received(stream) == beginning
    assert not stream.received_goodbye


async def test_nobody_says_goodbye_inside_a_frame() -> None:
    """What follows the beginning of a frame would be part of it."""
    stream, own, other = open_streams()
    await stream.send_all(encode_frames([b"12"])[:-1])
    await stream.say_goodbye()
    await own.send_eof()
    assert await received(other) == encode_frames([b"12"])[:-1]


async def test_nobody_says_goodbye_after_a_write_that_was_cancelled() -> None:
    """Who knows how much of it was written?"""
    stream, own, other = open_streams()
    with trio.move_on_after(0):
        await stream.send_all(encode_frames([b"12"]))
    await stream.say_goodbye()
    await own.send_eof()
    assert await received(other) == b""
