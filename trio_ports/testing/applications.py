"""Native applications: whether a program in any language speaks the wire as browsers do.

The program is started, spoken to in frames, and looked at from outside. An echo can be asked everything; of a program
that answers something else, or nothing, it can still be seen whether it takes every message, keeps its output clean,
and leaves when it should.
"""

from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final, Literal, final

import attrs
import trio

from .._protocol.frames import FROM_APPLICATION_BYTES, TO_APPLICATION_BYTES
from .hosts import Host, Manner, NotAFrameError, frame_of, open_host, same_json
from .rules import RULES

Status = Literal["pass", "warn", "fail", "skip"]

PATIENCE_SECONDS: Final = 5.0
"""How long an answer may take. A start may take twice as long."""
LEAVE_SECONDS: Final = 2.0
"""Chromium kills what is still there two seconds after the end of its input."""
FLOOD: Final = 20_000

_TRAPS: Final[tuple[str, ...]] = (
    "null", "false", "true", "0", "-0", "1", "0.5", '""', '"text"', "[]", "{}", "[null]", '{"":null}',
    "9007199254740991", "-9007199254740991", "1e300", "5e-324", '"\\u0000"', '"\\u2028"', '"\\ufeff"', '"\\\\"',
    '"é"', '"名前"', '"😀"', '"\\ud83d\\ude00"', '"\\ud800"', '{"é":"😀"}', '{"type":"exit"}', '"null"',
)  # fmt: skip
_SHOWN: Final = 60


@final
@attrs.frozen
class Finding:
    """What came of one check."""

    rule: int
    """The rule that it is about."""
    check: str
    """What was checked."""
    status: Status
    detail: str = ""
    """What was found, where that is not what should be."""
    seconds: float = 0.0

    @property
    def sentence(self) -> str:
        """The rule, in a sentence."""
        return RULES[self.rule].sentence


@final
@attrs.frozen
class ApplicationReport:
    """What was found, check by check."""

    command: tuple[str, ...]
    manner: str
    """``"echo"``, ``"answers"`` or ``"silent"``: what it does when it is spoken to."""
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing failed. There may be warnings."""
        return not any(finding.status == "fail" for finding in self.findings)

    @property
    def broken_rules(self) -> tuple[int, ...]:
        """The rules that something failed about."""
        return tuple(sorted({finding.rule for finding in self.findings if finding.status == "fail"}))


@final
class ApplicationBrokenError(AssertionError):
    """A native application breaks rules.

    Args:
        report: what was found.
    """

    def __init__(self, report: ApplicationReport) -> None:
        failed = [finding for finding in report.findings if finding.status == "fail"]
        lines = [f"rule {f.rule}, {f.check}: {f.detail}\n  ({f.sentence})" for f in failed]
        super().__init__("\n".join([f"{' '.join(report.command)} breaks {len(failed)} rules", *lines]))
        self.report = report


@final
class UnwellError(Exception):
    """It does not answer what it answered before."""


@final
@attrs.frozen
class Examination:
    """What every check is given."""

    command: tuple[str, ...]
    patience: float
    manner: Manner

    def start(self, *arguments: str) -> AbstractAsyncContextManager[Host]:
        """Start the application, with a browser's arguments."""
        given = arguments or ("/manifests/check.json", "check@trio-ports.invalid")
        return open_host((*self.command, *given), patience=self.patience)

    @asynccontextmanager
    async def converse(self) -> AsyncGenerator[Host]:
        """Start the application and, if it answers at all, hear it: what is judged then is not its start."""
        async with self.start() as host:
            if self.manner.kind != "silent" and not await host.is_well(self.manner):
                raise UnwellError(host.fate())
            yield host


Check = Callable[[Examination], Awaitable[tuple[Status, str]]]


def check_application(
    command: Sequence[str],
    *,
    rules: Collection[int] | None = None,
    patience: float = PATIENCE_SECONDS,
    strict: bool = True,
) -> ApplicationReport:
    """Check that a native application speaks the wire as browsers do. Call it outside Trio.

    ::

        def test_my_host():
            check_application(["./my-host"])

    Args:
        command: the program and its arguments; a browser's arguments are added.
        rules: only these, by number.
        patience: how long an answer may take, in seconds.
        strict: raise if something fails; otherwise look at the report.

    Raises:
        ApplicationBrokenError: something failed.
        FileNotFoundError, PermissionError: there is no such program.
    """
    report = trio.run(partial(examine_application, tuple(command), rules=rules, patience=patience))
    if strict and not report.ok:
        raise ApplicationBrokenError(report)
    return report


async def examine_application(
    command: tuple[str, ...],
    *,
    rules: Collection[int] | None = None,
    patience: float = PATIENCE_SECONDS,
    on_finding: Callable[[Finding, int, int], object] = lambda _finding, _done, _all: None,
) -> ApplicationReport:
    """Do what `check_application` does, and tell each finding when it is made.

    Args:
        command: the program and its arguments.
        rules: only these, by number.
        patience: how long an answer may take, in seconds.
        on_finding: called with the finding, how many there are now, and how many there will be.
    """
    manner = await _find_manner(command, patience)
    examination = Examination(command, patience, manner)
    findings: list[Finding] = []
    chosen = [check for check in CHECKS if rules is None or check[0] in rules]
    for rule, name, needs_echo, check in chosen:
        began = time.perf_counter()
        status: Status
        if findings and findings[0].rule == 35 and findings[0].status == "fail" and manner.kind == "silent":
            status, detail = "skip", "it does not come as far as that"
        elif needs_echo and manner.kind != "echo":
            status, detail = (
                "skip",
                f"it is no echo: it {'is silent' if manner.kind == 'silent' else 'answers otherwise'}",
            )
        else:
            status, detail = await _carry_out(check, examination)
        finding = Finding(rule, name, status, detail, round(time.perf_counter() - began, 3))
        findings.append(finding)
        on_finding(finding, len(findings), len(chosen))
    return ApplicationReport(command, manner.kind, tuple(findings))


async def _carry_out(check: Check, examination: Examination) -> tuple[Status, str]:
    try:
        return await check(examination)
    except (NotAFrameError, UnwellError) as error:
        return "fail", str(error)


async def _find_manner(command: tuple[str, ...], patience: float) -> Manner:
    """Find out what the application does when it is spoken to."""
    for probe in (["trio-ports", 1], "ping"):
        async with Examination(command, patience, Manner("silent", probe)).start() as host:
            host.post(probe)
            try:
                answer = await host.next_answer(patience * 2)
            except NotAFrameError:
                answer = None
            if answer is not None:
                same = probe != "ping" and same_json(answer.value(), probe)
                return Manner("echo", ["trio-ports", 1]) if same else Manner("answers", probe)
    return Manner("silent", "ping")


# What is checked ----------------------------------------------------------------------------------------------------


async def _arguments(examination: Examination) -> tuple[Status, str]:
    """It starts with either browser's arguments, and says nothing by itself that is no frame."""
    for arguments in (
        ("/manifests/check.json", "check@trio-ports.invalid"),
        ("chrome-extension://abcdefghijklmnopabcdefghijklmnop/",),
        ("chrome-extension://abcdefghijklmnopabcdefghijklmnop/", "--parent-window=0"),
    ):
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
    async with examination.start() as host:
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


async def _values(examination: Examination) -> tuple[Status, str]:
    """It takes every JSON value, and gives it back as it was."""
    texts = [*_TRAPS, *_random_texts(60)]
    if examination.manner.kind == "silent":
        return await _first_too_much(examination, texts)
    wrong: list[str] = []
    while texts:
        async with examination.start() as host:
            while texts:
                text = texts.pop(0)
                found = await _value(host, examination.manner, text)
                if found:
                    wrong.append(f"{text[:_SHOWN]} {found}")
                    break
        if len(wrong) >= 12:
            break
    return ("fail", "; ".join(wrong)) if wrong else ("pass", "")


async def _first_too_much(examination: Examination, texts: list[str]) -> tuple[Status, str]:
    """Find the first of some values that one which says nothing does not survive."""
    survived, most = 0, len(texts) + 1
    found = ""
    while survived + 1 < most:
        number = len(texts) if not found else (survived + most) // 2
        async with examination.start() as host:
            host.write(b"".join(map(frame_of_text, texts[:number])))
            if await host.is_well(examination.manner):
                survived = number
            else:
                most, found = number, f"{texts[number - 1][:_SHOWN]} is too much: {host.fate()}"
    return ("fail", found) if found else ("pass", "")


async def _value(host: Host, manner: Manner, text: str) -> str:
    """Post a value and then the marker; say what was wrong."""
    host.write(frame_of_text(text))
    if manner.kind == "echo":
        host.post(manner.marker)
        answer = await host.next_answer()
        if answer is None:
            return f"is not answered: {host.fate()}"
        if not same_json(answer.value(), json.loads(text)):
            skipped = same_json(answer.value(), manner.marker)
            return "is swallowed" if skipped else f"comes back as {answer.shown()}"
        return await host.expect(manner.marker)
    return "" if await host.is_well(manner) else f"is too much: {host.fate()}"


def frame_of_text(text: str) -> bytes:
    """Return the frame of a message that is written already."""
    data = text.encode()
    return struct.pack("=I", len(data)) + data


def _random_texts(number: int) -> list[str]:
    generator = random.Random(13)

    def value(depth: int) -> Any:
        kind = generator.randrange(7 if depth else 5)
        if kind == 0:
            return generator.choice([None, True, False])
        if kind == 1:
            return generator.randint(-(2**53) + 1, 2**53 - 1)
        if kind == 2:
            return generator.uniform(-1e6, 1e6)
        if kind < 5:
            return "".join(chr(generator.choice([65, 233, 0x540D, 0x1F600, 9, 34])) for _ in range(5))
        inner = [value(depth - 1) for _ in range(generator.randrange(4))]
        return inner if kind == 5 else {f"k{index}": each for index, each in enumerate(inner)}

    return [json.dumps(value(3), ensure_ascii=generator.random() < 0.5) for _ in range(number)]


async def _beyond(examination: Examination) -> tuple[Status, str]:
    """Of a number that no double holds it makes no Infinity, which is no JSON."""
    async with examination.start() as host:
        host.write(frame_of_text("[1e999, -1e999]"))
        host.post(examination.manner.marker)
        answer = await host.next_answer()
        if answer is not None and answer.text() is not None and any(w in str(answer.text()) for w in ("Inf", "NaN")):
            return "fail", f"1e999, which is JSON, is answered with {answer.shown()}, which is not"
    return "pass", ""


async def _sizes(examination: Examination) -> tuple[Status, str]:
    """Messages of all sizes up to what a browser takes come back."""
    async with examination.start() as host:
        for size in (126, 127, 255, 256, 65534, 65535, 65536, 65537, 500_000, FROM_APPLICATION_BYTES):
            message = "x" * (size - 2)
            host.post(message)
            wrong = await host.expect(message)
            if wrong:
                return "fail", f"a message of {size} bytes: {wrong}"
    return "pass", ""


async def _over_the_limit(examination: Examination) -> tuple[Status, str]:
    """It sends no frame that is larger than a browser takes, whatever it was asked."""
    async with examination.start() as host:
        host.post("x" * FROM_APPLICATION_BYTES)
        host.post(examination.manner.marker)
        while True:
            answer = await host.next_answer()
            if answer is None:
                return "fail", f"a message that is too large to be sent back: {host.fate()}"
            if len(answer.data) > FROM_APPLICATION_BYTES:
                return "fail", f"it sends a frame of {len(answer.data)} bytes; browsers end the connection over it"
            if answer.is_json() and same_json(answer.value(), examination.manner.marker):
                return "pass", ""


async def _large(examination: Examination) -> tuple[Status, str]:
    """It takes the largest message that Chromium sends."""
    async with examination.start() as host:
        limit = TO_APPLICATION_BYTES["chromium"]
        host.write(struct.pack("=I", limit) + b'"' + b"x" * (limit - 2) + b'"')
        if not await host.is_well(examination.manner, seconds=examination.patience * 2):
            return "warn", f"a message of 64 MiB: {host.fate()}"
    return "pass", ""


async def _flood(examination: Examination) -> tuple[Status, str]:
    """Many small frames in one piece are all answered, in order."""
    async with examination.start() as host:
        host.write(b"".join(frame_of(number) for number in range(FLOOD)))
        for number in range(FLOOD):
            wrong = await host.expect(number)
            if wrong:
                return "fail", f"after {number} of {FLOOD} frames in one piece: {wrong}"
    return "pass", ""


async def _slow_reader(examination: Examination) -> tuple[Status, str]:
    """While nobody takes its answers it loses none."""
    async with examination.start() as host:
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
    for spoken_to in (False, True):
        async with examination.converse() if spoken_to else examination.start() as host:
            host.end_input()
            if not await host.wait_gone(LEAVE_SECONDS):
                return "fail", f"two seconds after the end of its input it is still there ({_when(spoken_to)})"
            if host.returncode:
                return "warn", f"at the end of its input {host.fate()} ({_when(spoken_to)})"
    return "pass", ""


def _when(spoken_to: bool) -> str:
    return "after a conversation" if spoken_to else "without a message"


async def _last_words(examination: Examination) -> tuple[Status, str]:
    """What it was asked before its input ended is answered."""
    async with examination.start() as host:
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
            if not await host.wait_gone(LEAVE_SECONDS):
                return "fail", f"its input ends {where}: two seconds later it is still there"
            crash = host.crash()
            if crash:
                return "fail", f"its input ends {where}: it dies of an error that nobody caught: {crash}"
    return "pass", ""


async def _junk(examination: Examination) -> tuple[Status, str]:
    """Frames that are no JSON do not make it hang, nor write what is no frame."""
    for body in (b"{", b"\xff\xfe", b"1 2", b"nul", b'"\xc3"'):
        async with examination.converse() as host:
            host.write(struct.pack("=I", len(body)) + body)
            host.end_input()
            while await host.next_answer(LEAVE_SECONDS) is not None:
                pass
            if not await host.wait_gone(LEAVE_SECONDS):
                return "fail", f"after a frame with {body!r} and the end of its input it is still there"
    return "pass", ""


async def _huge(examination: Examination) -> tuple[Status, str]:
    """A length that no message has is not waited for once its input has ended."""
    async with examination.converse() as host:
        host.write(b"\xff\xff\xff\xff")
        host.end_input()
        if not await host.wait_gone(LEAVE_SECONDS):
            return "fail", "after a length of 4 GiB and the end of its input it is still there"
    return "pass", ""


async def _empty(examination: Examination) -> tuple[Status, str]:
    """An empty frame, Firefox's postMessage(undefined), does not end it."""
    async with examination.start() as host:
        host.write(struct.pack("=I", 0))
        if not await host.is_well(examination.manner):
            return "warn", f"an empty frame, which is Firefox's postMessage(undefined): {host.fate()}"
    return "pass", ""


CHECKS: Final[tuple[tuple[int, str, bool, Check], ...]] = (
    (35, "the arguments of either browser", False, _arguments),
    (33, "frames in every cut", True, _cuts),
    (13, "every JSON value", False, _values),
    (12, "numbers that no double holds", True, _beyond),
    (34, "sizes up to the limit", True, _sizes),
    (34, "a message that is too large to be sent back", True, _over_the_limit),
    (34, "64 MiB", False, _large),
    (17, "a flood in one piece", True, _flood),
    (17, "a browser that does not read for a moment", True, _slow_reader),
    (21, "questions just before the end of its input", True, _last_words),
    (38, "the end of its input", False, _end_of_file),
    (36, "the end of its input inside a frame", False, _truncated),
    (36, "frames that are no JSON", False, _junk),
    (36, "a length that no message has", False, _huge),
    (33, "an empty frame", False, _empty),
)
"""The rule, the check's name, whether only an echo can be asked, and how it is done."""
