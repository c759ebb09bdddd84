"""The framing of CDP's pipe, and a client against a pretended Chromium."""

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from trio_ports._laboratory.browsers import BrowserCommandError, BrowserGoneError
from trio_ports._laboratory.browsers.cdp import Cdp, CdpFrames, encode_frame

VALUES = st.lists(st.dictionaries(st.text(), st.none() | st.integers(-9, 9) | st.text(), max_size=3), max_size=4)


@given(values=VALUES, size=st.integers(1, 20))
def test_frames_arrive_whole_however_the_bytes_are_cut(values: list[object], size: int) -> None:
    """Any division of the bytes gives the same values."""
    frames, data = CdpFrames(), b"".join(map(encode_frame, values))
    received = [each for start in range(0, len(data), size) for each in frames.receive_data(data[start : start + size])]
    assert received == values


def pretend() -> tuple[Cdp, trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream]:
    ours, theirs = trio.testing.memory_stream_pair()
    return Cdp(ours), theirs.send_stream, theirs.receive_stream


async def test_an_answer_is_found_between_events() -> None:
    """Events are skipped; so is the answer to a command that was cancelled."""
    client, out, _ = pretend()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.command, "Slow")
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    for value in {"method": "Target.created"}, {"id": 1, "result": {}}, {"id": 2, "result": {"product": "Chrome/1"}}:
        await out.send_all(encode_frame(value))
    assert await client.command("Browser.getVersion") == {"product": "Chrome/1"}


async def test_a_refusal_has_the_browsers_words() -> None:
    """An error answer raises at the command."""
    client, out, _ = pretend()
    await out.send_all(encode_frame({"id": 1, "error": {"code": -32601, "message": "'Foo' wasn't found"}}))
    with pytest.raises(BrowserCommandError, match="Foo: 'Foo' wasn't found"):
        await client.command("Foo")


async def test_a_chromium_that_goes_is_told() -> None:
    """Both ways: while a command waits, and before one is sent."""
    client, out, back = pretend()
    await out.aclose()
    with pytest.raises(BrowserGoneError):
        await client.command("Foo")
    await client.wait_gone()
    await back.aclose()
    with pytest.raises(BrowserGoneError):
        await client.command("Foo")
