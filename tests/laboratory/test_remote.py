"""The two protocols of browsers, and a client against a pretended browser."""

from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from trio_ports._laboratory.browsers.errors import BrowserCommandError, BrowserGoneError
from trio_ports._laboratory.browsers.remote import Answer, Cdp, Client, Marionette

RESULTS = st.lists(st.recursive(st.none() | st.integers(-9, 9) | st.text(), st.lists, max_leaves=5), max_size=4)
PROTOCOLS = pytest.mark.parametrize("protocol", [Marionette, Cdp])


def frame(protocol: type[Marionette | Cdp], value: Any) -> bytes:
    """Frame a value as a browser does."""
    body = msgspec.json.encode(value)
    return b"%d:%b" % (len(body), body) if protocol is Marionette else body + b"\0"


def answer(protocol: type[Marionette | Cdp], number: int, result: Any) -> bytes:
    return frame(protocol, [1, number, None, result] if protocol is Marionette else {"id": number, "result": result})


@PROTOCOLS
@given(results=RESULTS, size=st.integers(1, 20))
def test_answers_arrive_whole_however_the_bytes_are_cut(
    protocol: type[Marionette | Cdp], results: list[object], size: int
) -> None:
    """Any division of the bytes gives the same answers."""
    speaks, data = protocol(), b"".join(answer(protocol, *each) for each in enumerate(results))
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    received = [each for piece in pieces for each in speaks.receive_data(piece)]
    assert received == [Answer(number, None, result) for number, result in enumerate(results)]


@pytest.mark.parametrize("data", [b"HTTP/1.1 200", b"x", b":1", b"12345678901:1", b"1234567890123"])
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    """Another program on that port is noticed at its first bytes."""
    with pytest.raises(ValueError, match="not a frame of Marionette"):
        Marionette().receive_data(data)


def test_a_command_is_a_frame() -> None:
    """With its number, its name and its parameters, in each protocol's own form."""
    assert Marionette().encode_command(1, "Foo", {"bar": 2}) == b'21:[0,1,"Foo",{"bar":2}]'
    assert Cdp().encode_command(1, "Foo", {"bar": 2}) == b'{"id":1,"method":"Foo","params":{"bar":2}}\0'


def pretend(
    protocol: type[Marionette | Cdp],
) -> tuple[Client, trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream]:
    ours, theirs = trio.testing.memory_stream_pair()
    return Client(ours, protocol()), theirs.send_stream, theirs.receive_stream


@pytest.mark.parametrize(
    ("protocol", "other"), [(Marionette, {"marionetteProtocol": 3}), (Cdp, {"method": "Target.created"})]
)
async def test_an_answer_is_found_among_other_things(protocol: type[Marionette | Cdp], other: Any) -> None:
    """Greetings and events are skipped; so is the answer to a command that was cancelled."""
    client, out, _ = pretend(protocol)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.command, "Slow")
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    await out.send_all(frame(protocol, other) + answer(protocol, 1, "late") + answer(protocol, 2, "right"))
    assert await client.command("Quick") == "right"


@pytest.mark.parametrize(
    ("protocol", "refusal", "words"),
    [
        (Marionette, [1, 1, {"error": "unknown command", "message": "Foo"}, None], "unknown command: Foo"),
        (Cdp, {"id": 1, "error": {"code": -32601, "message": "'Foo' wasn't found"}}, "'Foo' wasn't found"),
    ],
)
async def test_a_refusal_has_the_browsers_words(protocol: type[Marionette | Cdp], refusal: Any, words: str) -> None:
    """An error answer raises at the command, and the next command works."""
    client, out, _ = pretend(protocol)
    await out.send_all(frame(protocol, refusal) + answer(protocol, 2, {"value": 1}))
    with pytest.raises(BrowserCommandError, match=f"^Foo: {words}$") as caught:
        await client.command("Foo")
    assert caught.value.command == "Foo"
    assert await client.command("Bar") == {"value": 1}


@PROTOCOLS
async def test_a_browser_that_goes_is_told(protocol: type[Marionette | Cdp]) -> None:
    """Both ways: while a command waits, and before one is sent."""
    client, out, back = pretend(protocol)
    await out.aclose()
    with pytest.raises(BrowserGoneError, match=protocol.end):
        await client.command("Foo")
    await back.aclose()
    with pytest.raises(BrowserGoneError, match=protocol.end):
        await client.command("Foo")


@PROTOCOLS
async def test_a_browser_that_quits(protocol: type[Marionette | Cdp]) -> None:
    """Quitting waits until the connection has ended, which is no error; nor is it one if it had ended before."""
    client, out, back = pretend(protocol)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.quit, "Quit")
        await trio.testing.wait_all_tasks_blocked()
        assert b"Quit" in await back.receive_some()
        await out.send_all(answer(protocol, 1, None))
        await trio.testing.wait_all_tasks_blocked()
        assert nursery.child_tasks
        await out.aclose()
    await client.quit("Quit")


@PROTOCOLS
async def test_a_browser_that_crashes_is_told(protocol: type[Marionette | Cdp]) -> None:
    """A connection that breaks is an end too."""

    async def crash() -> None:
        raise trio.BrokenResourceError

    receiving = trio.testing.MemoryReceiveStream(receive_some_hook=crash)
    client = Client(trio.StapledStream(trio.testing.MemorySendStream(), receiving), protocol())
    with pytest.raises(BrowserGoneError):
        await client.command("Foo")
