"""A running application, reached by relays that are played by hand over real sockets."""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from native_support import CHROMIUM_ID, FIREFOX_ID, encode, files_in, open_descriptors
from support import ScriptedError, Witness, cancel_everywhere, settle
from trio.testing import assert_checkpoints

from trio_ports import (
    AlreadyListeningError,
    ApplicationNameError,
    Cause,
    FrameTooLargeError,
    MessageSender,
    MessageShapeError,
    MessageTooLargeError,
    Opened,
    Port,
)
from trio_ports._native.running import addresses
from trio_ports._native.running import listener as module
from trio_ports._native.running.greetings import GOODBYE, encode_handshake
from trio_ports.native import NativeListener, open_native_listener

FIREFOX = ["/somewhere/app.json", FIREFOX_ID]
CHROMIUM = [f"chrome-extension://{CHROMIUM_ID}/"]


@pytest.fixture
def folder(private_folder: Path) -> Path:
    return private_folder / "folder"


class Relay:
    """A relay, by hand."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream

    async def send(self, *messages: Any) -> None:
        await self.stream.send_all(b"".join(map(encode, messages)))

    async def receive(self) -> Any:
        (size,) = struct.unpack("=I", await self.take(4))
        return json.loads(await self.take(size))

    async def take(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = await self.stream.receive_some(size - len(data))
            assert piece
            data += piece
        return data

    async def leave(self) -> None:
        """Leave as a relay does whose browser has disconnected."""
        await self.stream.send_all(GOODBYE)
        await self.stream.send_eof()

    async def rest(self) -> bytes:
        """Return all that still comes."""
        data = b""
        while piece := await self.stream.receive_some():
            data += piece
        return data


@asynccontextmanager
async def open_relay(listener: NativeListener, arguments: list[str] | bytes = FIREFOX) -> AsyncGenerator[Relay]:
    stream = await trio.open_unix_socket(listener.address)
    async with stream:
        await stream.send_all(arguments if isinstance(arguments, bytes) else encode_handshake(arguments))
        yield Relay(stream)


@asynccontextmanager
async def open_relayed(listener: NativeListener, arguments: list[str] = FIREFOX) -> AsyncGenerator[tuple[Relay, Port]]:
    async with open_relay(listener, arguments) as relay:
        yield relay, await listener.accept()


# Taking connections -------------------------------------------------------------------------------------------------


async def test_each_connection_is_a_port_with_its_sender(folder: Path) -> None:
    """Who connects is told as a native application is told of it; the name is the application's."""
    async with (
        open_native_listener("com.example.app", folder=folder) as listener,
        open_relayed(listener, FIREFOX) as (_, first),
        open_relayed(listener, CHROMIUM) as (_, second),
        open_relayed(listener, []) as (_, third),
    ):
        assert [port.name for port in (first, second, third)] == ["com.example.app"] * 3
        assert first.sender is not None
        assert second.sender is not None
        assert (first.sender.id, first.sender.origin) == (FIREFOX_ID, None)
        assert (second.sender.id, second.sender.origin) == (CHROMIUM_ID, f"chrome-extension://{CHROMIUM_ID}")
        assert third.sender == MessageSender()
        assert repr(listener).startswith("<NativeListener 'com.example.app' (3 ports)")


async def test_answers_go_to_whoever_asked(folder: Path) -> None:
    """Several browsers at once, each of which counts from one, do not hear each other."""
    async with (
        open_native_listener("app", folder=folder) as listener,
        open_relayed(listener) as (left, to_left),
        open_relayed(listener) as (right, to_right),
    ):
        for relay, name in ((left, "left"), (right, "right")):
            await relay.send([1, name], [2, name])
        for port in (to_right, to_left):
            port.on_message.add_listener(lambda message, port: port.post_message([*message, "answered"]))
        assert [await left.receive(), await left.receive()] == [[1, "left", "answered"], [2, "left", "answered"]]
        assert [await right.receive(), await right.receive()] == [[1, "right", "answered"], [2, "right", "answered"]]


async def test_connections_are_taken_in_a_loop(folder: Path) -> None:
    """``async for`` yields one port after the other, and ends as a closed listener does."""
    names: list[Any] = []
    async with open_native_listener("app", folder=folder) as listener, trio.open_nursery() as nursery:

        async def take() -> None:
            with pytest.raises(trio.ClosedResourceError):
                async for port in listener:
                    message = await port.receive()
                    names.append(message)

        nursery.start_soon(take)
        for number in range(3):
            async with open_relay(listener) as relay:
                await relay.send(number)
                await settle()
        await listener.aclose()
    assert names == [0, 1, 2]


async def test_connections_are_served(folder: Path) -> None:
    """Trio's own function serves each in a task, and ends its port with it."""
    async with open_native_listener("app", folder=folder) as listener, trio.open_nursery() as nursery:

        async def answer_once(port: Port) -> None:
            await port.send(["got", await port.receive()])

        nursery.start_soon(trio.serve_listeners, answer_once, [listener])
        for number in range(3):
            async with open_relay(listener) as relay:
                await relay.send(number)
                assert await relay.receive() == ["got", number]
                assert await relay.rest() == GOODBYE
        nursery.cancel_scope.cancel()


# How ports end ------------------------------------------------------------------------------------------------------


async def test_a_browser_that_leaves_is_an_orderly_end(folder: Path) -> None:
    """Everything before it arrives, the end comes once, and what is answered to the last message is written."""
    async with open_native_listener("app", folder=folder) as listener, open_relayed(listener) as (relay, port):
        witness = Witness(port)
        port.on_message.add_listener(lambda message, port: port.post_message(message))
        await relay.send(1, 2)
        await relay.leave()
        assert await relay.rest() == encode(1) + encode(2) + GOODBYE
        assert witness.seen == [1, 2, "end"]
        assert port.error is None


@pytest.mark.parametrize(
    ("last", "cause"),
    [(b"", Cause.WIRE_BROKEN), (encode("cut off")[:-1], Cause.TRUNCATED), (encode(1)[:2], Cause.TRUNCATED)],
    ids=["after a frame", "in a frame", "in a length"],
)
async def test_a_relay_that_is_killed_is_an_error(folder: Path, last: bytes, cause: Cause) -> None:
    """Its socket is closed without a goodbye; what it had brought before arrives."""
    async with open_native_listener("app", folder=folder) as listener, open_relayed(listener) as (relay, port):
        witness = Witness(port)
        await relay.send(1, 2)
        await relay.stream.send_all(last)
        await relay.stream.aclose()
        await port.wait_disconnected()
        assert witness.seen == [1, 2, "end"]
        assert port.error is not None
        assert port.error.cause is cause


async def test_leaving_the_block_ends_every_port(folder: Path) -> None:
    """In good order: what was posted arrives, then a goodbye; what a relay still says is of no interest."""
    async with trio.open_nursery() as nursery:
        relays: list[Relay] = []
        done = trio.Event()

        async def play(listener: NativeListener) -> None:
            async with open_relay(listener) as relay:
                await relay.send("not heard any more")
                relays.append(relay)
                await done.wait()
                assert await relay.rest() == encode("last") + GOODBYE

        async with open_native_listener("app", folder=folder) as listener:
            for _ in range(3):
                nursery.start_soon(play, listener)
            ports = [await listener.accept() for _ in range(3)]
            for port in ports:
                port.post_message("last")
            await settle()
            done.set()
        assert files_in(folder) == set()
        assert {port.statistics().state for port in ports} == {"closed"}
        assert repr(listener).startswith("<NativeListener 'app' (closed)")


async def test_a_block_that_crashes_says_no_goodbye(folder: Path) -> None:
    """The exception leaves as it is; the relays hear an end that is none in good order."""
    async with trio.open_nursery() as nursery:
        ends: list[bytes] = []

        async def play(listener: NativeListener) -> None:
            async with open_relay(listener) as relay:
                ends.append(await relay.rest())

        with pytest.raises(ScriptedError):
            async with open_native_listener("app", folder=folder) as listener:
                nursery.start_soon(play, listener)
                (await listener.accept()).post_message("last")
                raise ScriptedError
    assert ends == [encode("last")]
    assert files_in(folder) == set()


async def test_a_cancelled_block_is_an_orderly_end(folder: Path) -> None:
    """Whatever cancels it."""
    async with trio.open_nursery() as nursery:
        ends: list[bytes] = []

        async def play(listener: NativeListener) -> None:
            async with open_relay(listener) as relay:
                ends.append(await relay.rest())

        with trio.CancelScope() as scope:
            async with open_native_listener("app", folder=folder) as listener:
                nursery.start_soon(play, listener)
                (await listener.accept()).post_message("last")
                scope.cancel()
                await trio.sleep_forever()
    assert ends == [encode("last") + GOODBYE]


async def test_one_port_may_fail_alone(folder: Path) -> None:
    """``async with port`` takes what its listeners raise, and its crash; the other connections go on."""
    async with (
        open_native_listener("app", folder=folder) as listener,
        open_relayed(listener) as (first, to_first),
        open_relayed(listener) as (second, to_second),
    ):

        def fail(message: Any, port: Port) -> None:
            raise ScriptedError

        with pytest.raises(BaseExceptionGroup) as caught:
            async with to_first:
                to_first.on_message.add_listener(fail)
                await first.send(1)
                await trio.sleep_forever()
        assert caught.group_contains(ScriptedError)
        assert await first.rest() == b""
        await second.send(2)
        assert await to_second.receive() == 2


async def test_a_listener_that_raises_ends_the_block(folder: Path) -> None:
    """It leaves through the block; its own connection crashed, the others ended in good order."""
    async with trio.open_nursery() as nursery:
        ends: dict[str, bytes] = {}

        async def play(listener: NativeListener, name: str) -> None:
            async with open_relay(listener, [*FIREFOX[:1], name]) as relay:
                if name == "fails":
                    await settle()
                    await relay.send(1)
                ends[name] = await relay.rest()

        def fail(message: Any, port: Port) -> None:
            raise ScriptedError

        with pytest.raises(BaseExceptionGroup) as caught:
            async with open_native_listener("app", folder=folder) as listener:
                for name in ("fails", "other"):
                    nursery.start_soon(play, listener, name)
                for _ in range(2):
                    port = await listener.accept()
                    assert port.sender is not None
                    if port.sender.id == "fails":
                        port.on_message.add_listener(fail)
                await trio.sleep_forever()
        assert caught.group_contains(ScriptedError)
    assert ends == {"fails": b"", "other": GOODBYE}


# Strangers ----------------------------------------------------------------------------------------------------------


NONSENSE: dict[str, bytes] = {
    "a port scanner": b"",
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a long one": b"\xff\xff\xff\xff" + b"x" * 100,
    "JSON": encode({"hello": 1}),
    "another version": encode_handshake([]).replace(b"1", b"2"),
    "cut off": encode_handshake(FIREFOX)[:-1],
}


@pytest.mark.parametrize("data", NONSENSE.values(), ids=list(NONSENSE))
async def test_who_is_no_relay_is_turned_away(folder: Path, data: bytes) -> None:
    """Nobody accepts it, and the listener goes on."""
    async with open_native_listener("app", folder=folder) as listener:
        async with open_relay(listener, data) as stranger:
            await stranger.stream.send_eof()
            with contextlib.suppress(trio.BrokenResourceError):  # It was not even read to its end.
                assert await stranger.rest() == b""
        async with open_relayed(listener) as (relay, port):
            await relay.send(1)
            assert await port.receive() == 1


@pytest.mark.parametrize("names", [["app.socket"], ["app.lock"], ["app.lock", "app.socket"]])
async def test_files_that_somebody_removes(folder: Path, autojump_clock: object, names: list[str]) -> None:
    """A minute later relays find the application again; who was connected, or just waited, notices nothing."""
    async with (
        open_native_listener("app", folder=folder) as listener,
        open_relayed(listener) as (before, port),
        open_relay(listener, CHROMIUM) as waiting,
    ):
        for name in names:
            (folder / name).unlink()
        await trio.sleep(61)
        assert files_in(folder) == {"app.lock", "app.socket"}
        assert (await listener.accept()).sender != port.sender
        async with open_relayed(listener) as (after, again):
            for relay, its_port in ((before, port), (after, again)):
                await its_port.send(1)
                assert await relay.receive() == 1
        await waiting.leave()
    assert files_in(folder) == set()


async def test_who_says_nothing_is_turned_away(folder: Path, autojump_clock: object) -> None:
    """After five seconds; it keeps nobody waiting until then."""
    async with open_native_listener("app", folder=folder) as listener, open_relay(listener, b"\x05") as silent:
        async with open_relayed(listener) as (relay, port):
            await relay.send(1)
            assert await port.receive() == 1
        assert trio.current_time() < 5
        assert await silent.rest() == b""
        assert trio.current_time() == 5


async def test_leaving_waits_for_no_stranger(folder: Path, autojump_clock: object) -> None:
    """Neither for one that says nothing, nor for a relay that nobody has accepted."""
    async with trio.open_nursery() as nursery:
        ends: list[bytes] = []

        async def play(listener: NativeListener, data: bytes) -> None:
            async with open_relay(listener, data) as relay:
                ends.append(await relay.rest())

        async with open_native_listener("app", folder=folder) as listener:
            for data in (b"\x05", encode_handshake(FIREFOX)):
                nursery.start_soon(play, listener, data)
            await settle()
        assert trio.current_time() == 0
    assert ends == [b"", b""]


async def test_no_room_for_another_connection(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, autojump_clock: object
) -> None:
    """It waits until there is some, and says so once a minute, not at every try. Another failure is one."""
    tries: list[float] = []
    accept = trio.SocketListener.accept

    async def refuse(self: trio.SocketListener) -> trio.SocketStream:
        tries.append(trio.current_time())
        if trio.current_time() - tries[0] > 100:
            return await accept(self)
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(trio.SocketListener, "accept", refuse)
    async with open_native_listener("app", folder=folder) as listener, open_relayed(listener) as (relay, port):
        await relay.send(1)
        assert await port.receive() == 1
    assert 100 < len(tries) < 250
    texts = [record.getMessage() for record in caplog.records]
    assert [text.partition(": ")[2] for text in texts] == ["[Errno 24] Too many open files"] * 2

    async def fail(self: trio.SocketListener) -> trio.SocketStream:
        raise OSError(errno.EBADF, "Bad file")

    monkeypatch.setattr(trio.SocketListener, "accept", fail)
    with pytest.RaisesGroup(pytest.RaisesExc(OSError, match="Bad file"), flatten_subgroups=True):
        async with open_native_listener("app", folder=folder):
            await trio.sleep_forever()


async def test_another_users_program_is_turned_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should it have found a way into the folder."""
    monkeypatch.setattr(module, "is_own_peer", lambda _: False)
    async with open_native_listener("app", folder=folder) as listener, open_relay(listener) as relay:
        with pytest.raises(trio.BrokenResourceError):  # Its handshake was not read.
            await relay.rest()


# Closing the listener -----------------------------------------------------------------------------------------------


async def test_a_closed_listener_lets_go_of_the_name(folder: Path) -> None:
    """What was accepted lives on, what was not is refused, and somebody else may listen."""
    async with (
        open_native_listener("app", folder=folder) as listener,
        open_relayed(listener) as (relay, port),
        open_relay(listener) as late,
        trio.open_nursery() as nursery,
    ):
        await settle()

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                while True:
                    await listener.accept()

        with assert_checkpoints():
            await listener.aclose()
        assert await late.rest() == b""
        nursery.start_soon(wait)
        assert files_in(folder) == set()
        async with open_native_listener("app", folder=folder) as heir:
            await listener.aclose()
            async with open_relayed(heir) as (_, inherited):
                assert inherited.name == "app"
        await relay.send(1)
        assert await port.receive() == 1


async def test_closing_wakes_who_waits(folder: Path) -> None:
    """A task that waits for a connection learns that none will come; ``async with`` closes too."""
    async with open_native_listener("app", folder=folder) as listener, trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await listener.accept()

        async with listener:
            nursery.start_soon(wait)
            await settle()


async def test_a_cancelled_accept_takes_nothing(folder: Path) -> None:
    """The connection is there for the next one."""
    async with open_native_listener("app", folder=folder) as listener:
        with trio.move_on_after(0):
            await listener.accept()
        async with open_relay(listener) as relay:
            await relay.send(1)
            await settle()
            with trio.move_on_after(0):
                await listener.accept()
            with assert_checkpoints():
                port = await listener.accept()
            assert await port.receive() == 1


async def test_a_connection_that_comes_as_the_block_ends(folder: Path) -> None:
    """Who was about to accept it finds the listener closed, and the relay is told goodbye."""
    async with trio.open_nursery() as nursery:
        refused = trio.Event()
        ends: list[bytes] = []

        async def wait(listener: NativeListener) -> None:
            with pytest.raises(trio.ClosedResourceError):
                await listener.accept()
            refused.set()

        async def play(listener: NativeListener) -> None:
            async with open_relay(listener) as relay:
                ends.append(await relay.rest())

        async with open_native_listener("app", folder=folder) as listener:
            nursery.start_soon(play, listener)
            await settle()
            nursery.start_soon(wait, listener)
            # In the very moment in which the connection is handed over, the block ends.
            hand_over = listener._waiting.receive

            async def receive() -> Any:
                arrival = await hand_over()
                listener._close()
                listener._scope.close()
                return arrival

            object.__setattr__(listener, "_waiting", _Receiving(receive, listener._waiting.close))
            await refused.wait()
    assert ends == [GOODBYE]


class _Receiving:
    def __init__(self, receive: Callable[[], Any], close: Callable[[], None]) -> None:
        self.receive = receive
        self.close = close


# Limits and options -------------------------------------------------------------------------------------------------


async def test_a_message_that_is_too_large_is_refused_on_the_senders_line(folder: Path) -> None:
    """Browsers take 1 MiB, and exactly so much goes through; the limit can be moved."""
    async with open_native_listener("app", folder=folder) as listener, open_relayed(listener) as (relay, port):
        with pytest.raises(MessageTooLargeError) as refusal:
            port.post_message("x" * (2**20 - 1))
        assert refusal.value.limit == 2**20
        port.post_message("x" * (2**20 - 2))
        assert len(await relay.receive()) == 2**20 - 2
    async with (
        open_native_listener("app", folder=folder, max_message_bytes=10) as listener,
        open_relayed(listener) as (relay, port),
    ):
        with pytest.raises(MessageTooLargeError):
            port.post_message("x" * 9)


async def test_a_browsers_message_that_is_too_large_ends_the_connection(folder: Path) -> None:
    """Nothing is allocated for it, and the relay hears no goodbye."""
    async with (
        open_native_listener("app", folder=folder, max_incoming_bytes=10) as listener,
        open_relayed(listener) as (relay, port),
    ):
        await relay.send("x" * 8)
        assert await port.receive() == "x" * 8
        await relay.send("x" * 9)
        with pytest.raises(trio.BrokenResourceError):
            await port.receive()
        assert isinstance(port.error, FrameTooLargeError)
        assert await relay.rest() == b""


async def test_the_options_are_those_of_other_openers(folder: Path) -> None:
    """Types are checked, an empty frame is None, observers see every port, and errors can be logged."""
    seen: list[Any] = []
    async with (
        open_native_listener(
            "app",
            folder=folder,
            message_type=int | None,
            observer=seen.append,
            listener_errors="log",
            max_buffer_size=2,
        ) as listener,
        open_relayed(listener) as (relay, port),
    ):
        await relay.send(1, b"", "text")
        assert [await port.receive(), await port.receive()] == [1, None]
        with pytest.raises(MessageShapeError):
            await port.receive()
        assert port.statistics().max_buffer_size == 2
        assert isinstance(seen[0], Opened)
        port.on_message.add_listener(lambda message, port: 1 // 0)
        await relay.send(1)
        await relay.leave()
        await port.wait_disconnected()
        assert port.error is None


async def test_a_reader_that_stops_holds_the_browser_back(folder: Path) -> None:
    """What is neither read nor bounded would grow: the socket fills up, and everything arrives in the end."""
    body = "x" * 10_000
    async with (
        open_native_listener("app", folder=folder, max_buffer_size=3) as listener,
        open_relayed(listener) as (relay, port),
        trio.open_nursery() as nursery,
    ):
        sent = 0

        async def flood() -> None:
            nonlocal sent
            for _ in range(1000):
                await relay.send(body)
                sent += 1

        nursery.start_soon(flood)
        await settle()
        assert 3 < sent < 200
        assert port.statistics().messages_waiting == 3
        for _ in range(1000):
            assert await port.receive() == body


async def test_a_browser_that_stops_reading_holds_the_application_back(folder: Path) -> None:
    """``send`` waits, and nothing is lost."""
    body = "x" * 10_000
    async with (
        open_native_listener("app", folder=folder, max_buffer_size=3) as listener,
        open_relayed(listener) as (relay, port),
        trio.open_nursery() as nursery,
    ):
        sent = 0

        async def flood() -> None:
            nonlocal sent
            for _ in range(1000):
                await port.send(body)
                sent += 1

        nursery.start_soon(flood)
        await settle()
        assert 3 < sent < 200
        for _ in range(1000):
            assert await relay.receive() == body


async def test_a_browser_that_never_reads_keeps_nobody(folder: Path, autojump_clock: object) -> None:
    """Leaving gives it a second and a half to take something of what was posted; then there is no goodbye."""
    async with open_native_listener("app", folder=folder) as listener, open_relay(listener) as relay:
        async with listener, await listener.accept() as port:
            for _ in range(1000):
                port.post_message("x" * 10_000)
        begun = trio.current_time()
        await port.wait_disconnected()
        await settle()
        await trio.sleep(1.6)
        data = await relay.rest()
        assert trio.current_time() < begun + 3
        assert not data.endswith(GOODBYE)


async def test_leaving_takes_one_grace(folder: Path, autojump_clock: object) -> None:
    """Writing, the goodbye and the wait for the browser's own end are a second and a half together."""
    async with AsyncExitStack() as relays:
        async with open_native_listener("app", folder=folder) as listener:
            await relays.enter_async_context(open_relay(listener))
            port = await listener.accept()
            for _ in range(1000):
                port.post_message("x" * 10_000)
            await settle()
            begun = trio.current_time()
        assert trio.current_time() - begun == 1.5


# Names, places, mistakes --------------------------------------------------------------------------------------------


async def test_two_listeners_of_one_name(folder: Path) -> None:
    """The second one is refused at its call, and the first goes on."""
    async with open_native_listener("app", folder=folder) as listener:
        with pytest.raises(AlreadyListeningError) as refusal:
            async with open_native_listener("app", folder=folder):
                pass
        assert refusal.value.address == str(listener.address)
        async with open_native_listener("other", folder=folder), open_relayed(listener) as (relay, port):
            await relay.send(1)
            assert await port.receive() == 1


async def test_serving_a_listener_that_is_closed(folder: Path) -> None:
    """It is refused at the call; a handler that is no function of a port, too."""
    async with open_native_listener("app", folder=folder) as listener:
        with pytest.raises(TypeError, match="handler"):
            await listener.serve(1)  # type: ignore[arg-type]
        await listener.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await listener.serve(trio.sleep)  # type: ignore[arg-type]


async def test_where_it_listens_unless_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the user's own place for sockets."""
    monkeypatch.setattr(addresses, "_runtime_folder", lambda: folder)
    monkeypatch.setattr(addresses, "_SHARED", folder)
    async with open_native_listener("app") as listener:
        assert listener.address == folder / "app.socket"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"application": "no-name"}, ApplicationNameError),
        ({"application": 1}, TypeError),
        ({"folder": 1}, TypeError),
        ({"folder": "/" + "x" * 200}, ValueError),
        ({"folder": os.devnull}, OSError),
        ({"max_incoming_bytes": 0}, ValueError),
        ({"max_message_bytes": None}, None),
        ({"max_message_bytes": "1"}, TypeError),
        ({"max_buffer_size": 0}, ValueError),
        ({"listener_errors": "hide"}, ValueError),
        ({"observer": 1}, TypeError),
        ({"message_type": 1}, TypeError),
    ],
)
async def test_a_mistake_raises_at_the_call(folder: Path, arguments: dict[str, Any], error: Any) -> None:
    """And nothing is made."""
    before = open_descriptors()
    options = {"application": "app", "folder": folder, **arguments}
    if error is None:
        async with open_native_listener(**options):
            pass
    else:
        with pytest.raises(error):
            async with open_native_listener(**options):
                pass
        assert files_in(folder) == set()
    gc.collect()
    assert open_descriptors() <= before


def test_it_needs_trio() -> None:
    """Outside of it the text says so."""
    opening = open_native_listener("app").__aenter__()
    with pytest.raises(RuntimeError, match="open_native_listener must be called from inside"):
        opening.send(None)  # type: ignore[attr-defined]


async def test_it_says_that_windows_lacks_sockets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the call, instead of an error from the depths."""
    monkeypatch.setattr(addresses, "_WINDOWS", True)
    with pytest.raises(NotImplementedError):
        async with open_native_listener("app", folder=folder):
            pass


# Cancelled anywhere -------------------------------------------------------------------------------------------------


def test_cancelled_anywhere_nothing_is_left(folder: Path) -> None:
    """Wherever a conversation is cancelled: no socket, no lock, no descriptor."""
    before: list[set[tuple[str, str]]] = []

    async def converse(scope: trio.CancelScope) -> None:
        before.append(open_descriptors())
        with scope:
            async with (
                open_native_listener("app", folder=folder) as listener,
                open_relayed(listener) as (relay, port),
                port,
            ):
                port.on_message.add_listener(lambda message, port: port.post_message(message))
                await relay.send(1)
                assert await relay.receive() == 1
                await relay.leave()
                await port.wait_disconnected()
                assert port.error is None
        await settle()
        assert files_in(folder) == set()
        assert open_descriptors() <= before[-1]

    assert cancel_everywhere(converse) > 20


def test_a_relay_hears_an_end_wherever_the_application_is_cancelled(folder: Path) -> None:
    """Once it was accepted a goodbye is what it hears, however soon after that the application is cancelled."""

    async def converse(scope: trio.CancelScope) -> None:
        accepted = False
        ended = trio.Event()

        async def play(listener: NativeListener) -> None:
            try:
                async with open_relay(listener) as relay:
                    rest = await relay.rest()
            except (OSError, trio.BrokenResourceError):
                rest = b""
            assert rest == GOODBYE or not accepted
            ended.set()

        async with trio.open_nursery() as nursery:
            with scope:
                async with open_native_listener("app", folder=folder) as listener:
                    nursery.start_soon(play, listener)
                    await listener.accept()
                    accepted = True
                    await settle()
            if nursery.child_tasks:
                await ended.wait()

    cancel_everywhere(converse)
