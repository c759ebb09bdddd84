"""The checks of a native application, in the order in which they are carried out, each with its rule."""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias, final

import attrs
import trio

from ..._protocol.frames import FROM_APPLICATION_BYTES, TO_APPLICATION_BYTES
from .candidate import Candidate
from .causes import Trouble
from .frames import frame_of, frame_of_bytes, frame_of_text
from .json_values import TRAPS, random_texts, same_json
from .probe import find_misreading
from .program import LEAVE_SECONDS, MOMENT_SECONDS, WATCH_SECONDS, Program
from .stderr import find_uncaught_error, last_line

Status: TypeAlias = Literal["pass", "warn", "fail", "skip", "expected"]
"""``"fail"`` breaks in a browser, ``"warn"`` differs from the letter of a rule only, ``"skip"`` could not be seen, and
``"expected"`` fails as a baseline says."""
CarryOut: TypeAlias = Callable[[Candidate], Awaitable[None]]
"""Returns if the application passes, and raises a verdict otherwise."""

RULE_SENTENCES: Final = {
    12: "It writes valid JSON whatever number it was sent: Infinity and NaN are not JSON.",
    13: "It takes every JSON value: null, false, 0 and the empty text are messages too, not the end of its input.",
    17: "However many messages come at once, and however slowly its answers are read, it loses none and keeps their "
    "order.",
    21: "What it was asked before the end of its input it answers before it leaves.",
    33: "It reads a length of four bytes in native byte order and then that many bytes of UTF-8 JSON, however the "
    "bytes are cut, and it takes an empty frame too.",
    34: "It sends at most 1 MiB in a frame, and takes up to 64 MiB.",
    35: "It starts with the arguments of either browser, reads its standard input, and writes nothing but frames to "
    "its standard output, without delay.",
    36: "After nonsense, or an end of its input inside a frame, it leaves in good order: it neither hangs, nor dies of "
    "an uncaught error, nor writes anything that is not a frame.",
    38: "It leaves by itself within two seconds of the end of its input.",
}
"""The rules as they concern an application, by number."""

_MDN: Final = "https://developer.mozilla.org/en-US/docs/Mozilla/Add-ons/WebExtensions/Native_messaging"
_CHROME: Final = "https://developer.chrome.com/docs/extensions/develop/concepts/native-messaging"
RULE_LINKS: Final = {
    12: "https://www.rfc-editor.org/rfc/rfc8259#section-6",
    13: "https://www.rfc-editor.org/rfc/rfc8259#section-3",
    17: f"{_MDN}#exchanging_messages",
    21: f"{_MDN}#closing_the_native_app",
    33: f"{_MDN}#app_side",
    34: f"{_CHROME}#native-messaging-host-protocol",
    35: f"{_MDN}#app_side",
    36: f"{_CHROME}#native-messaging-host-protocol",
    38: f"{_MDN}#closing_the_native_app",
}
"""Where the browsers' vendors, or JSON's specification, say so."""

MAX_WRONG_VALUES: Final = 12
"""After so many wrong values, no more are tried."""
# A read takes 64 KiB, so the smallest frames that there are come first, more than that; then different ones.
_FLOOD: Final[tuple[int, ...]] = (*(number % 10 for number in range(13_200)), *range(6_800))
_END_IS_NAMED: Final = re.compile(
    r"inside a frame|truncated|incomplete|premature|unexpected(ly)? e|EOF|end of (file|input|stream)|cut (off|short)",
    re.IGNORECASE,
)
"""How an error says that the input has ended too early. What a JSON parser says of half a text does not count."""
_SHOWN_LETTERS: Final = 60


@final
class Verdict(Exception):
    """The application does not pass a check, with the detail for a reader."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.status: Status = status


@final
@attrs.frozen
class Check:
    """Something that is checked about a native application."""

    rule: int
    name: str
    """What is tried, for the report."""
    sentence: str
    """What a correct application does."""
    needs_echo: bool
    """It can only be asked of an application that sends back what it gets."""
    carry_out: CarryOut


_checks: list[Check] = []


def _check(rule: int, name: str, *, needs_echo: bool = False) -> Callable[[CarryOut], CarryOut]:
    """Add a function to the checks; its docstring is the sentence."""

    def add(function: CarryOut) -> CarryOut:
        _checks.append(Check(rule, name, function.__doc__ or "", needs_echo, function))
        return function

    return add


# Its start and its end ----------------------------------------------------------------------------------------------


@_check(35, "the arguments of either browser")
async def _arguments(candidate: Candidate) -> None:
    """It starts with the arguments of Firefox and of Chromium, answers at once, and writes nothing but frames."""
    async with candidate.start() as program:
        await candidate.require_response(program)
        program.end_input()
        await program.next_answer(LEAVE_SECONDS)  # Raises if it writes something that is not a frame.
    for arguments in candidate.callers[1:]:
        async with candidate.start(*arguments) as program:
            if not await program.is_responsive(candidate.manner):
                raise Verdict("fail", f"with the arguments {' '.join(arguments)}: {program.fate()}")


@_check(38, "the end of its input")
async def _end_of_input(candidate: Candidate) -> None:
    """It leaves within two seconds of the end of its input, with status 0, after a conversation and without one."""
    for when in ("after a conversation", "without a message"):
        async with candidate.converse() if when == "after a conversation" else candidate.start() as program:
            program.end_input()
            if not await program.wait_exited(LEAVE_SECONDS):
                candidate.never_leaves = True
                raise Verdict("fail", f"two seconds after the end of its input it is still there ({when})")
            if program.returncode:
                raise Verdict("warn", f"at the end of its input {program.fate()} ({when})")


@_check(38, "what it leaves behind")
async def _remains(candidate: Candidate) -> None:
    """When it has left, nothing that it started holds its output: a browser would not see that it has ended."""
    async with candidate.converse() as program:
        program.end_input()
        await _require_end(candidate, program, "fail", "after the end of its input")
        holders = await program.find_holders()
        if holders:
            raise Verdict("fail", f"it has left, and {' and '.join(holders)} holds its output: no browser sees its end")


async def _require_end(candidate: Candidate, program: Program, status: Status, when: str) -> None:
    """Raise unless the program leaves. One that never does is neither reported again nor waited for in full."""
    if not await program.wait_exited(WATCH_SECONDS if candidate.never_leaves else LEAVE_SECONDS):
        if candidate.never_leaves:
            raise Verdict("skip", "it does not leave at the end of its input, whatever came before")
        raise Verdict(status, f"{when} it is still there")


# Frames and values --------------------------------------------------------------------------------------------------


@_check(33, "frames in every cut", needs_echo=True)
async def _cuts(candidate: Candidate) -> None:
    """It reads the same frames whether their bytes come one by one, in one piece, or cut anywhere."""
    messages = ["cut here", {"é": "名前 😀"}, "x" * 300]  # Text mode changes the length of ten bytes.
    data = b"".join(map(frame_of, messages))
    cuts = [[data[at : at + 1] for at in range(len(data))], [data]]
    generator = random.Random(33)
    first = len(frame_of(messages[0]))
    cuts += [[data[:at], data[at:]] for at in (1, 2, 3, 4, 5, first, first + 2)]
    for _ in range(10):
        places = sorted(generator.sample(range(1, len(data)), 6))
        cuts.append([data[start:stop] for start, stop in zip([0, *places], [*places, len(data)], strict=True)])
    async with candidate.converse() as program:
        for pieces in cuts:
            await program.write_pieces(pieces)
            for message in messages:
                wrong = await program.expect(message)
                if wrong:
                    misreading = await find_misreading(candidate, "characters")
                    raise misreading or Verdict("fail", f"cut into {_lengths(pieces)} bytes: {wrong}")


async def _require_answer(program: Program, message: Any, where: str) -> None:
    """Raise unless the program's next frame is this message."""
    wrong = await program.expect(message)
    if wrong:
        raise Verdict("fail", f"{where}: {wrong}")


def _lengths(pieces: list[bytes]) -> str:
    lengths = list(map(len, pieces))
    return f"{lengths[:8]}…" if len(lengths) > 8 else str(lengths)


@_check(13, "every JSON value")
async def _values(candidate: Candidate) -> None:
    """It takes some 90 different JSON values; an echo gives each of them back unchanged."""
    texts = list(dict.fromkeys([*TRAPS, *random_texts(60)]))
    if candidate.manner.kind == "silent":
        await _require_survival(candidate, texts)
        return
    in_one_piece = candidate.manner.kind == "echo" and await _takes_two(candidate)
    wrong: list[tuple[str, str]] = []
    misreading: Trouble | None = None
    while texts and len(wrong) < MAX_WRONG_VALUES:
        async with candidate.converse() as program:
            while texts:
                text = texts.pop(0)
                found = await _value(program, candidate, text, in_one_piece=in_one_piece)
                if found:
                    wrong.append((text, found))
                    break
        if [text.isascii() for text, _ in wrong].count(False) == 1 and misreading is None:
            misreading = await find_misreading(candidate, "characters")
        if misreading is not None:  # It explains all texts that are not ASCII.
            wrong = [each for each in wrong if each[0].isascii()]
            texts = [each for each in texts if each.isascii()]
    if wrong:
        raise Verdict("fail", "; ".join(f"{text[:_SHOWN_LETTERS]} {found}" for text, found in wrong))
    if misreading is not None:
        raise misreading


async def _require_survival(candidate: Candidate, texts: list[str]) -> None:
    """Raise with the first of these values that a silent application does not survive, if there is one."""
    survived, most = 0, len(texts) + 1
    found = ""
    while survived + 1 < most:
        number = (survived + most) // 2 if found else len(texts)
        async with candidate.start() as program:
            program.write(b"".join(map(frame_of_text, texts[:number])))
            responsive = await program.is_responsive(candidate.manner)
            program.end_input()
            if responsive and (candidate.never_leaves or await program.wait_exited(LEAVE_SECONDS)):
                survived = number
            else:
                most, found = number, f"{texts[number - 1][:_SHOWN_LETTERS]} is too much: {program.fate()}"
    if found:
        raise Verdict("fail", found)


async def _takes_two(candidate: Candidate) -> bool:
    """Return whether an echo answers two frames that come in one piece. If so, a lost value is noticed sooner."""
    async with candidate.converse() as program:
        program.write(frame_of(candidate.manner.marker) * 2)
        return not any([await program.expect(candidate.manner.marker) for _ in range(2)])


async def _value(program: Program, candidate: Candidate, text: str, *, in_one_piece: bool) -> str:
    """Post a value, and the marker with it or after it; return what is wrong."""
    manner = candidate.manner
    program.write(frame_of_text(text) + (frame_of(manner.marker) if in_one_piece else b""))
    if manner.kind != "echo":
        return "" if await program.is_responsive(manner) else f"is too much: {program.fate()}"
    answer = await program.next_answer(None if in_one_piece else min(candidate.patience, MOMENT_SECONDS))
    if answer is None:
        return f"is not answered: {program.fate()}"
    if not same_json(answer.value(), json.loads(text)):
        skipped = in_one_piece and same_json(answer.value(), manner.marker)
        return "is swallowed" if skipped else f"comes back as {answer.shown()}"
    return await program.expect(manner.marker) if in_one_piece else ""


@_check(12, "numbers that no double holds", needs_echo=True)
async def _beyond_doubles(candidate: Candidate) -> None:
    """It answers 1e999 without writing Infinity or NaN, which are not JSON."""
    async with candidate.converse() as program:
        program.write(frame_of_text("[1e999, -1e999]"))
        program.post(candidate.manner.marker)
        answer = await program.next_answer()
        if answer is None:
            raise Verdict("skip", f"it does not answer 1e999, which no browser sends: {program.fate()}")
        if any(word in answer.data for word in (b"Inf", b"NaN")):
            raise Verdict("warn", f"1e999, which is JSON, is answered with {answer.shown()}, which is not")


# Sizes and numbers --------------------------------------------------------------------------------------------------


@_check(34, "sizes up to the limit", needs_echo=True)
async def _sizes(candidate: Candidate) -> None:
    """It sends back messages of every size up to 1 MiB, which is the most that a browser takes."""
    async with candidate.converse() as program:
        for size in (126, 127, 255, 256, 65534, 65535, 65536, 65537, 500_000, FROM_APPLICATION_BYTES):
            message = "x" * (size - 2)
            program.post(message)
            await _require_answer(program, message, f"a message of {size} bytes")


@_check(34, "a message that is too large to be sent back", needs_echo=True)
async def _too_large(candidate: Candidate) -> None:
    """It never sends a frame of more than 1 MiB; it may answer something else, or nothing, or end and say why."""
    async with candidate.converse() as program:
        program.post("x" * FROM_APPLICATION_BYTES)
        program.post(candidate.manner.marker)
        answer = await program.next_answer()
        while answer is not None and not answer.is_same(candidate.manner.marker):
            size = len(answer.data)
            if size > FROM_APPLICATION_BYTES:
                raise Verdict("fail", f"it sends a frame of {size} bytes; browsers end the connection over it")
            answer = await program.next_answer()
        if answer is None:
            if not program.has_exited or (program.returncode or 0) < 0:
                raise Verdict("fail", program.fate())
            if not last_line(program.errors):
                raise Verdict("warn", f"{program.fate()}, and does not say why")


@_check(34, "64 MiB")
async def _largest(candidate: Candidate) -> None:
    """It takes the largest message that Chromium sends."""
    async with candidate.converse() as program:
        # Mostly blanks, so that the answer of an echo is small.
        program.write(frame_of_bytes(b'["large"' + b" " * (TO_APPLICATION_BYTES["chromium"] - 9) + b"]"))
        if not await program.is_responsive(candidate.manner, seconds=candidate.patience * 2):
            raise Verdict("warn", program.fate())


@_check(17, "a flood in one piece", needs_echo=True)
async def _flood(candidate: Candidate) -> None:
    """It answers 20,000 frames that come in one piece, all of them and in order."""
    async with candidate.converse() as program:
        await program.write_at_once(b"".join(map(frame_of, _FLOOD)))
        for index, number in enumerate(_FLOOD):
            await _require_answer(program, number, f"after {index} of {len(_FLOOD)} frames in one piece")


@_check(17, "a browser that does not read for a moment", needs_echo=True)
async def _slow_reader(candidate: Candidate) -> None:
    """It loses none of 1,000 answers while nobody reads them."""
    async with candidate.converse() as program:
        with program.not_reading():
            for number in range(1000):
                program.post([number, "x" * 1000])
            await trio.sleep(0.1)
        for number in range(1000):
            where = f"after {number} answers that nobody took for a moment"
            await _require_answer(program, [number, "x" * 1000], where)


# An end, or nonsense ------------------------------------------------------------------------------------------------


@_check(21, "questions just before the end of its input", needs_echo=True)
async def _last_questions(candidate: Candidate) -> None:
    """It answers 50 messages that come just before the end of its input."""
    async with candidate.converse() as program:
        for number in range(50):
            program.post([number, "x" * 2000])
        program.end_input()
        for number in range(50):
            where = f"of 50 messages before the end of its input it answers {number}"
            await _require_answer(program, [number, "x" * 2000], where)


@_check(36, "the end of its input inside a frame")
async def _truncated(candidate: Candidate) -> None:
    """It leaves when its input ends inside a length or a body, without an uncaught error that does not say so."""
    for data, where in (
        (b"\x0a", "in the length"),
        (struct.pack("=I", 10), "after the length"),
        (struct.pack("=I", 10) + b'"abc', "in the body"),
    ):
        async with candidate.converse() as program:
            program.write(data)
            program.end_input()
            await _require_end(candidate, program, "fail", f"its input ends {where}: two seconds later")
            error = find_uncaught_error(program.errors)
            if error and ("JSON" in error or not _END_IS_NAMED.search(error)):
                raise Verdict("warn", f"its input ends {where}: it dies of an error that nobody caught: {error}")


@_check(36, "frames that are not JSON")
async def _junk(candidate: Candidate) -> None:
    """After a frame that is not JSON it leaves at the end of its input, and writes nothing that is not a frame."""
    for body in (b"{", b"\xff\xfe", b"1 2", b"nul", b'"\xc3"'):
        async with candidate.converse() as program:
            program.write(frame_of_bytes(body))
            program.end_input()
            await _require_end(candidate, program, "warn", f"after a frame with {body!r} and the end of its input")
            while await program.next_answer() is not None:
                pass


@_check(36, "a length that no message has")
async def _huge_length(candidate: Candidate) -> None:
    """After a length of 4 GiB it leaves at the end of its input, instead of waiting for so much."""
    async with candidate.converse() as program:
        program.write(b"\xff\xff\xff\xff")
        program.end_input()
        await _require_end(candidate, program, "warn", "after a length of 4 GiB and the end of its input")


@_check(33, "an empty frame")
async def _empty_frame(candidate: Candidate) -> None:
    """It goes on after an empty frame, which is Firefox's postMessage(undefined)."""
    async with candidate.converse() as program:
        program.write(frame_of_bytes(b""))
        if not await program.is_responsive(candidate.manner):
            raise Verdict("warn", f"it is Firefox's postMessage(undefined): {program.fate()}")


CHECKS: Final = tuple(_checks)
