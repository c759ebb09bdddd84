"""The wire: what is checked about a native application, check by check."""

from __future__ import annotations

import random
import re
import struct
from typing import Final

import trio

from .._protocol.frames import FROM_APPLICATION_BYTES, TO_APPLICATION_BYTES
from .answers import frame_of, frame_of_bytes, frame_of_text
from .examinations import Check, Examination, Status
from .hosts import WATCH_SECONDS, Host
from .values import check_values

CHROMIUM: Final = ("chrome-extension://abcdefghijklmnopabcdefghijklmnop/",)
LEAVE_SECONDS: Final = 2.0
"""Chromium kills what is still there two seconds after the end of its input."""
FLOOD: Final[tuple[int, ...]] = (*(number % 10 for number in range(13_200)), *range(6_800))
"""Numbers, each a frame: first more than 64 KiB, which is what a read takes, of the smallest frames that there are."""

_END_IS_NAMED: Final = re.compile(
    r"inside a frame|truncated|incomplete|premature|unexpected(ly)? e|EOF|end of (file|input|stream)|cut (off|short)",
    re.IGNORECASE,
)
"""How an error says that the input has ended too early. What a parser of JSON says about half a text is not that."""


# What is checked ----------------------------------------------------------------------------------------------------


async def _arguments(examination: Examination) -> tuple[Status, str]:
    """It starts with either browser's arguments, reads, and says nothing by itself that is no frame."""
    if not examination.manner.reads:
        return "fail", "it does not read its input"
    async with examination.start() as host:
        await examination.require_well(host)
        host.end_input()
        late = await host.next_answer(LEAVE_SECONDS)  # Of what is no frame it says so.
        if late is not None and examination.manner.kind == "silent":
            return "fail", f"it writes only when its input has ended, as if it never flushed: {late.shown()}"
    for arguments in (CHROMIUM, (*CHROMIUM, "--parent-window=0")):
        async with examination.start(*arguments) as host:
            if not await host.is_well(examination.manner):
                return "fail", f"with the arguments {' '.join(arguments)}: {host.fate()}"
    return "pass", ""


async def _cuts(examination: Examination) -> tuple[Status, str]:
    """It takes frames however they are cut."""
    messages = [["cut", 1], {"é": "名前 😀"}, "x" * 300]
    data = b"".join(map(frame_of, messages))
    cuts = [[data[at : at + 1] for at in range(len(data))], [data]]
    generator = random.Random(33)
    first = len(frame_of(messages[0]))
    cuts += [[data[:at], data[at:]] for at in (1, 2, 3, 4, 5, first, first + 2)]
    for _ in range(10):
        places = sorted(generator.sample(range(1, len(data)), 6))
        cuts.append([data[start:stop] for start, stop in zip([0, *places], [*places, len(data)], strict=True)])
    async with examination.converse() as host:
        for pieces in cuts:
            await host.write_pieces(pieces)
            for message in messages:
                wrong = await host.expect(message)
                if wrong:
                    return "fail", f"cut into {_lengths(pieces)} bytes: {wrong}"
    return "pass", ""


def _lengths(pieces: list[bytes]) -> str:
    lengths = list(map(len, pieces))
    return f"{lengths[:8]}…" if len(lengths) > 8 else str(lengths)


async def _beyond(examination: Examination) -> tuple[Status, str]:
    """Of a number that no double holds it makes no Infinity, which is no JSON."""
    async with examination.converse() as host:
        host.write(frame_of_text("[1e999, -1e999]"))
        host.post(examination.manner.marker)
        answer = await host.next_answer()
        if answer is not None and answer.text() is not None and any(w in str(answer.text()) for w in ("Inf", "NaN")):
            return "fail", f"1e999, which is JSON, is answered with {answer.shown()}, which is not"
    return "pass", ""


async def _sizes(examination: Examination) -> tuple[Status, str]:
    """Messages of all sizes up to what a browser takes come back."""
    async with examination.converse() as host:
        for size in (126, 127, 255, 256, 65534, 65535, 65536, 65537, 500_000, FROM_APPLICATION_BYTES):
            message = "x" * (size - 2)
            host.post(message)
            wrong = await host.expect(message)
            if wrong:
                return "fail", f"a message of {size} bytes: {wrong}"
    return "pass", ""


async def _over_the_limit(examination: Examination) -> tuple[Status, str]:
    """It sends no frame that is larger than a browser takes, whatever it was asked.

    It may answer something else, or nothing, or end and say why: that is for whoever writes an application to choose.
    """
    async with examination.converse() as host:
        host.post("x" * FROM_APPLICATION_BYTES)
        host.post(examination.manner.marker)
        while True:
            answer = await host.next_answer()
            if answer is None:
                return _fate_of_refusal(host)
            if len(answer.data) > FROM_APPLICATION_BYTES:
                return "fail", f"it sends a frame of {len(answer.data)} bytes; browsers end the connection over it"
            if answer.is_same(examination.manner.marker):
                return "pass", ""


def _fate_of_refusal(host: Host) -> tuple[Status, str]:
    if not host.is_gone or (host.returncode or 0) < 0:
        return "fail", host.fate()
    return ("pass", "") if host.last_words() else ("warn", f"{host.fate()}, and does not say why")


async def _large(examination: Examination) -> tuple[Status, str]:
    """It takes the largest message that Chromium sends. It is mostly blank, so that the answer of an echo is not."""
    async with examination.converse() as host:
        host.write(frame_of_bytes(b'["large"' + b" " * (TO_APPLICATION_BYTES["chromium"] - 9) + b"]"))
        if not await host.is_well(examination.manner, seconds=examination.patience * 2):
            return "warn", host.fate()
    return "pass", ""


async def _flood(examination: Examination) -> tuple[Status, str]:
    """Many small frames in one piece are all answered, in order."""
    async with examination.converse() as host:
        await host.write_at_once(b"".join(map(frame_of, FLOOD)))
        for index, number in enumerate(FLOOD):
            wrong = await host.expect(number)
            if wrong:
                return "fail", f"after {index} of {len(FLOOD)} frames in one piece: {wrong}"
    return "pass", ""


async def _slow_reader(examination: Examination) -> tuple[Status, str]:
    """While nobody takes its answers it loses none."""
    async with examination.converse() as host:
        with host.not_reading():
            for number in range(1000):
                host.post([number, "x" * 1000])
            await trio.sleep(0.1)
        for number in range(1000):
            wrong = await host.expect([number, "x" * 1000])
            if wrong:
                return "fail", f"after {number} answers that nobody took for a moment: {wrong}"
    return "pass", ""


async def _end_of_file(examination: Examination) -> tuple[Status, str]:
    """It leaves when its input ends, whether or not it was spoken to."""
    for spoken_to in (True, False):
        async with examination.converse() if spoken_to else examination.start() as host:
            host.end_input()
            if not await host.wait_gone(LEAVE_SECONDS):
                examination.stays = True
                return "fail", f"two seconds after the end of its input it is still there ({_when(spoken_to)})"
            if host.returncode:
                return "warn", f"at the end of its input {host.fate()} ({_when(spoken_to)})"
    return "pass", ""


def _when(spoken_to: bool) -> str:
    return "after a conversation" if spoken_to else "without a message"


async def _is_still_there(examination: Examination, host: Host) -> bool:
    """Say whether it does not leave; one that never does is not waited for as long."""
    return not await host.wait_gone(WATCH_SECONDS if examination.stays else LEAVE_SECONDS)


def _lingering(examination: Examination, when: str) -> tuple[Status, str]:
    """Say that it does not leave, unless that has been said."""
    if examination.stays:
        return "skip", "it does not leave at the end of its input, whatever came before"
    return "fail", f"{when} it is still there"


async def _last_words(examination: Examination) -> tuple[Status, str]:
    """What it was asked before its input ended is answered."""
    async with examination.converse() as host:
        for number in range(50):
            host.post([number, "x" * 2000])
        host.end_input()
        for number in range(50):
            wrong = await host.expect([number, "x" * 2000])
            if wrong:
                return "fail", f"of 50 messages before the end of its input it answers {number}: {wrong}"
    return "pass", ""


async def _truncated(examination: Examination) -> tuple[Status, str]:
    """When its input ends inside a frame it leaves, and knows why."""
    for data, where in (
        (b"\x0a", "in the length"),
        (struct.pack("=I", 10), "after the length"),
        (struct.pack("=I", 10) + b'"abc', "in the body"),
    ):
        async with examination.converse() as host:
            host.write(data)
            host.end_input()
            if await _is_still_there(examination, host):
                return _lingering(examination, f"its input ends {where}: two seconds later")
            crash = host.crash()
            if crash and ("JSON" in crash or not _END_IS_NAMED.search(crash)):
                return "fail", f"its input ends {where}: it dies of an error that nobody caught: {crash}"
    return "pass", ""


async def _junk(examination: Examination) -> tuple[Status, str]:
    """Frames that are no JSON do not make it hang, nor write what is no frame."""
    for body in (b"{", b"\xff\xfe", b"1 2", b"nul", b'"\xc3"'):
        async with examination.converse() as host:
            host.write(frame_of_bytes(body))
            host.end_input()
            if await _is_still_there(examination, host):
                return _lingering(examination, f"after a frame with {body!r} and the end of its input")
            while await host.next_answer() is not None:
                pass
    return "pass", ""


async def _huge(examination: Examination) -> tuple[Status, str]:
    """A length that no message has is not waited for once its input has ended."""
    async with examination.converse() as host:
        host.write(b"\xff\xff\xff\xff")
        host.end_input()
        if await _is_still_there(examination, host):
            return _lingering(examination, "after a length of 4 GiB and the end of its input")
    return "pass", ""


async def _empty(examination: Examination) -> tuple[Status, str]:
    """An empty frame, Firefox's postMessage(undefined), does not end it."""
    async with examination.converse() as host:
        host.write(frame_of_bytes(b""))
        if not await host.is_well(examination.manner):
            return "warn", f"it is Firefox's postMessage(undefined): {host.fate()}"
    return "pass", ""


CHECKS: Final[tuple[tuple[int, str, bool, Check], ...]] = (
    (35, "the arguments of either browser", False, _arguments),
    (38, "the end of its input", False, _end_of_file),
    (33, "frames in every cut", True, _cuts),
    (13, "every JSON value", False, check_values),
    (12, "numbers that no double holds", True, _beyond),
    (34, "sizes up to the limit", True, _sizes),
    (34, "a message that is too large to be sent back", True, _over_the_limit),
    (34, "64 MiB", False, _large),
    (17, "a flood in one piece", True, _flood),
    (17, "a browser that does not read for a moment", True, _slow_reader),
    (21, "questions just before the end of its input", True, _last_words),
    (36, "the end of its input inside a frame", False, _truncated),
    (36, "frames that are no JSON", False, _junk),
    (36, "a length that no message has", False, _huge),
    (33, "an empty frame", False, _empty),
)
"""The rule, the check's name, whether only an echo can be asked, and how it is done."""

SENTENCES: Final = {
    12: "What it writes is JSON, whatever number it was sent: neither Infinity nor NaN is.",
    13: "It takes every JSON value: null, false, 0 and the empty text are messages too, and no end of its input.",
    17: "However many messages come at once, and however slowly its answers are taken, it loses none and keeps their "
    "order.",
    21: "What it was asked before the end of its input it answers before it leaves.",
    33: "It reads a length in four bytes of native order and then so many bytes of UTF-8 JSON, however the bytes were "
    "cut, and an empty frame too.",
    34: "It sends up to 1 MiB in a frame, never more, and takes up to 64 MiB.",
    35: "It starts with the arguments of either browser, reads its standard input, and writes frames to its standard "
    "output at once and nothing else.",
    36: "At nonsense, or an end of its input inside a frame, it leaves in good order: it neither hangs, nor dies of an "
    "error that nobody caught, nor writes what is no frame.",
    38: "It leaves by itself within two seconds of the end of its input.",
}
"""The rules as they concern an application, by number."""
