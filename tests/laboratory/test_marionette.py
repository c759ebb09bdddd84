"""The framing of Marionette, and a client against a pretended Firefox."""

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from trio_ports._laboratory.browsers import BrowserCommandError, BrowserGoneError
from trio_ports._laboratory.browsers.marionette import Marionette, MarionetteFrames, encode_frame

VALUES = st.lists(st.recursive(st.none() | st.integers(-9, 9) | st.text(), st.lists, max_leaves=5), max_size=4)


@given(values=VALUES, size=st.integers(1, 20))
def test_frames_arrive_whole_however_the_bytes_are_cut(values: list[object], size: int) -> None:
    """Any division of the bytes gives the same values."""
    frames, data = MarionetteFrames(), b"".join(map(encode_frame, values))
    received = [each for start in range(0, len(data), size) for each in frames.receive_data(data[start : start + size])]
    assert received == values


@pytest.mark.parametrize("data", [b"HTTP/1.1 200", b"x", b":1", b"12345678901:1", b"1234567890123"])
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    """Another program on that port is noticed at its first bytes."""
    with pytest.raises(ValueError, match="not a frame of Marionette"):
        MarionetteFrames().receive_data(data)


def pretend() -> tuple[Marionette, trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream]:
    ours, theirs = trio.testing.memory_stream_pair()
    return Marionette(ours), theirs.send_stream, theirs.receive_stream


async def test_a_session_begins_after_the_greeting() -> None:
    """start() gives what the browser says about itself."""
    client, out, _ = pretend()
    await out.send_all(encode_frame({"marionetteProtocol": 3}))
    await out.send_all(encode_frame([1, 1, None, {"capabilities": {"browserName": "firefox"}}]))
    assert await client.start() == {"browserName": "firefox"}


async def test_a_refusal_has_the_browsers_words() -> None:
    """An error answer raises at the command, and the next command works."""
    client, out, _ = pretend()
    await out.send_all(encode_frame([1, 1, {"error": "unknown command", "message": "Foo"}, None]))
    await out.send_all(encode_frame([1, 2, None, {"value": 1}]))
    with pytest.raises(BrowserCommandError, match="Foo: unknown command: Foo") as caught:
        await client.command("Foo")
    assert caught.value.command == "Foo"
    assert await client.command("Bar") == {"value": 1}


async def test_the_answer_to_a_cancelled_command_is_skipped() -> None:
    """A cancelled command leaves nothing behind that another would take for its own."""
    client, out, _ = pretend()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.command, "Slow")
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    await out.send_all(encode_frame([1, 1, None, "late"]) + encode_frame([1, 2, None, "right"]))
    assert await client.command("Quick") == "right"


async def test_a_firefox_that_goes_is_told() -> None:
    """Both ways: while a command waits, and before one is sent."""
    client, out, back = pretend()
    await out.aclose()
    with pytest.raises(BrowserGoneError):
        await client.command("Foo")
    await client.wait_gone()
    await back.aclose()
    with pytest.raises(BrowserGoneError):
        await client.command("Foo")


async def test_a_firefox_that_crashes_is_told() -> None:
    """A connection that breaks is an end too."""

    async def crash() -> None:
        raise trio.BrokenResourceError

    receiving = trio.testing.MemoryReceiveStream(receive_some_hook=crash)
    client = Marionette(trio.StapledStream(trio.testing.MemorySendStream(), receiving))
    with pytest.raises(BrowserGoneError):
        await client.command("Foo")
