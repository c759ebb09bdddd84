"""Mutants of rules 10 to 17: what is delivered to whom, in which order, how large, and how many may wait."""

from __future__ import annotations

import contextlib
import json
import unicodedata
from functools import partial
from typing import Any

import msgspec
import trio
from testing import makers
from testing.mutants.mutant import (
    SMALL,
    TWO_RECEIVERS,
    Mutant,
    calling,
    converting,
    in_browser,
    in_ports,
    ports,
    take_frames,
)
from testing.proxies import ProxyPort

from trio_ports._browser import script
from trio_ports._ports import connection, lanes
from trio_ports._protocol.errors import MessageTooLargeError

FIREFOX = {"maker": makers.open_pair, "options": {"dialect": "firefox"}}


def made_with(**limits: Any) -> Any:
    """Return the maker of ports with other limits."""
    return partial(makers.open_pair, **{**SMALL, **limits})


# Order and number ---------------------------------------------------------------------------------------------------


class Reordering(ProxyPort):
    kept: Any = None

    def post_message(self, message: Any) -> None:
        if message == 2:
            self.kept = message
            return
        super().post_message(message)
        if self.kept is not None:
            kept, self.kept = self.kept, None
            super().post_message(kept)


def post_some_twice(port: ProxyPort, message: Any) -> None:
    for _ in range(2 if message == 4 else 1):
        port.real.post_message(message)


def post_to_other_receivers(port: ProxyPort, message: Any) -> None:
    port.real.post_message(message)
    if not port.is_opener:
        port.others[0].real.post_message(message)


# What a message is --------------------------------------------------------------------------------------------------


class Sharing(ProxyPort):
    shared: list[Any] = []

    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        self.on_message.call = self.call

    def post_message(self, message: Any) -> None:
        if isinstance(message, list):
            Sharing.shared.append(message)
            message = {"shared": len(Sharing.shared) - 1}
        super().post_message(message)

    def call(self, listener: Any, message: Any, port: Any) -> Any:
        shared = isinstance(message, dict) and "shared" in message
        return listener(Sharing.shared[message["shared"]] if shared else message, port)


def without_bytes(message: Any) -> Any:
    """Encode the bytes in a list as msgspec does."""
    if isinstance(message, list):
        with contextlib.suppress(TypeError, ValueError):
            return msgspec.json.decode(msgspec.json.encode(message))
    return message


def without_nulls(message: Any) -> Any:
    if isinstance(message, dict):
        return {key: value for key, value in message.items() if value is not None}
    return message


def post_what_is_json(port: ProxyPort, message: Any) -> None:
    with contextlib.suppress(TypeError):
        port.real.post_message(message)


def post_what_is_true(port: ProxyPort, message: Any) -> None:
    if message or isinstance(message, (list, dict)):
        port.real.post_message(message)


async def receive_more_than_an_empty_list(port: ProxyPort) -> Any:
    message = await port.real.receive()
    return await port.real.receive() if message == [] else message


async def receive_until_null(port: ProxyPort) -> Any:
    message = await port.real.receive()
    if message is None:
        raise trio.EndOfChannel
    return message


# Messages that nobody listens for -----------------------------------------------------------------------------------


class Dropping(ProxyPort):
    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        real.on_message.add_listener(ignore)


def ignore(message: Any, port: Any) -> None:
    pass


def post_over_what_waits(port: ProxyPort, message: Any) -> None:
    for other in port.others:
        if other is not port and not other.on_message.wrapped and other.real.statistics().state == "open":
            take_frames(other)
    port.real.post_message(message)


def release_when_returned(_: Any) -> Any:
    async def call(self: Any, listener: Any, port: Any) -> None:
        await listener
        port._delivery.release()

    return call


# Sizes and bounds ---------------------------------------------------------------------------------------------------


class CountingLetters(ProxyPort):
    def check(self, message: Any) -> None:
        with contextlib.suppress(TypeError, ValueError):
            size = len(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
            if size > SMALL["max_message_bytes"]:
                raise MessageTooLargeError(size=size, limit=SMALL["max_message_bytes"])

    def post_message(self, message: Any) -> None:
        self.check(message)
        super().post_message(message)

    async def send(self, message: Any) -> None:
        self.check(message)
        await super().send(message)


def post_what_fits(port: ProxyPort, message: Any) -> None:
    with contextlib.suppress(trio.WouldBlock):
        port.real.post_message(message)


async def send_at_once(port: ProxyPort, message: Any) -> None:
    await trio.lowlevel.checkpoint()
    port.real.post_message(message)


class Regretting(ProxyPort):
    async def send(self, message: Any) -> None:
        try:
            await super().send(message)
        except trio.Cancelled:
            trio.lowlevel.spawn_system_task(self.send_later, message)
            raise

    async def send_later(self, message: Any) -> None:
        with contextlib.suppress(trio.ClosedResourceError, trio.BrokenResourceError):
            await self.real.send(message)


def has_room_for_one(_: Any) -> Any:
    def holds(self: Any, most: float, frame: bytes | None = None) -> bool:
        return any(not lane.heard or lane.used <= most for lane in self.lanes)

    return holds


MUTANTS = [
    Mutant(10, "posts a message after the one that follows it", Reordering),
    Mutant(10, "posts a message twice", ports(post_message=post_some_twice)),
    Mutant(
        10,
        "loses one message of many",
        ports(post_message=lambda port, message: None if message == 3 else port.real.post_message(message)),
    ),
    Mutant(
        11,
        "delivers to a receiver what another one posts",
        ports(post_message=post_to_other_receivers),
        maker=TWO_RECEIVERS,
    ),
    Mutant(
        11,
        "delivers to the first receiver only",
        ports(
            message_event=calling(lambda port, listener, *args: None if port is port.others[-1] else listener(*args))
        ),
        maker=TWO_RECEIVERS,
    ),
    Mutant(12, "encodes late, so that what the sender changes afterwards is seen", Sharing),
    Mutant(
        12,
        "posts bytes as text",
        converting(lambda message: message.decode() if isinstance(message, bytes) else message),
    ),
    Mutant(12, "ignores a message that is not JSON instead of raising", ports(post_message=post_what_is_json)),
    Mutant(
        12,
        "posts NaN as text",
        converting(lambda message: message if message == message else "NaN"),  # noqa: PLR0124
    ),
    Mutant(12, "posts bytes inside a list as text", converting(without_bytes)),
    Mutant(
        13,
        "does not post null",
        ports(post_message=lambda port, message: None if message is None else port.real.post_message(message)),
    ),
    Mutant(13, "does not post false, 0 or an empty text", ports(post_message=post_what_is_true)),
    Mutant(13, "skips an empty list when it is received", ports(receive=receive_more_than_an_empty_list)),
    Mutant(13, "takes null for the end", ports(receive=receive_until_null)),
    Mutant(
        13,
        "posts composed letters instead of a letter and its accent",
        converting(lambda message: unicodedata.normalize("NFC", message) if isinstance(message, str) else message),
    ),
    Mutant(13, "leaves out the nulls in an object", converting(without_nulls)),
    Mutant(
        14,
        "calls listeners without the port",
        ports(message_event=calling(lambda port, listener, message, _: listener(message))),
    ),
    Mutant(15, "drops messages that nobody listens for", Dropping),
    Mutant(15, "keeps only the last message that nobody listens for", ports(post_message=post_over_what_waits)),
    Mutant(15, "keeps messages that nobody listens for, which browsers drop", **FIREFOX),
    in_browser(
        15,
        "delivers nothing until an async on_connect listener has returned",
        script.Script,
        "_run_listener",
        release_when_returned,
    ),
    Mutant(16, "has no limit of size", maker=partial(makers.open_pair, max_buffer_size=3)),
    Mutant(16, "refuses a message of exactly the limit", maker=made_with(max_message_bytes=499)),
    Mutant(16, "counts letters instead of bytes", CountingLetters, maker=made_with(max_message_bytes=2000)),
    Mutant(17, "has no bound", maker=partial(makers.open_pair, max_message_bytes=500)),
    Mutant(17, "has room for one message less", maker=made_with(max_buffer_size=2)),
    Mutant(17, "drops a message that does not fit instead of raising", ports(post_message=post_what_fits)),
    Mutant(17, "does not wait for room in send", ports(send=send_at_once)),
    Mutant(17, "delivers the message of a send that was cancelled while it waited", Regretting),
    in_ports(
        17,
        "posts as long as one of two receivers has room",
        lanes.Direction,
        "holds",
        has_room_for_one,
        maker=TWO_RECEIVERS,
    ),
    in_ports(
        17,
        "does not wake a send that waited for a receiver which has left",
        connection,
        "Consequences",
        lambda consequences: lambda *args, makes_room=False, **options: consequences(*args, **options),
        maker=TWO_RECEIVERS,
    ),
]
