"""JSON values that applications stumble over, and whether a native application takes them."""

from __future__ import annotations

import json
import random
from typing import Any, Final

from .answers import frame_of, frame_of_text, same_json
from .examinations import Examination, Status
from .hosts import MOMENT_SECONDS, Host

MOST_WRONG: Final = 12
_TRAPS: Final[tuple[str, ...]] = (
    "null", "false", "true", "0", "-0", "1", "0.5", '""', '"text"', "[]", "{}", "[null]", '{"":null}',
    "9007199254740991", "-9007199254740991", "1e300", "5e-324", '"\\u0000"', '"\\u2028"', '"\\ufeff"', '"\\\\"',
    '"é"', '"名前"', '"😀"', '"\\ud83d\\ude00"', '"\\ud800"', '{"é":"😀"}', '{"type":"exit"}', '"null"',
)  # fmt: skip
_SHOWN: Final = 60


async def check_values(examination: Examination) -> tuple[Status, str]:
    """It takes every JSON value, and gives it back as it was."""
    texts = list(dict.fromkeys([*_TRAPS, *_random_texts(60)]))
    if examination.manner.kind == "silent":
        return await _first_too_much(examination, texts)
    in_one_piece = examination.manner.kind == "echo" and await _takes_two(examination)
    wrong: list[str] = []
    while texts and len(wrong) < MOST_WRONG:
        async with examination.converse() as host:
            while texts and len(wrong) < MOST_WRONG:
                text = texts.pop(0)
                found = await _value(host, examination, text, in_one_piece=in_one_piece)
                if found:
                    wrong.append(f"{text[:_SHOWN]} {found}")
                    break
    return ("fail", "; ".join(wrong)) if wrong else ("pass", "")


async def _first_too_much(examination: Examination, texts: list[str]) -> tuple[Status, str]:
    """Find the first of some values that one which says nothing does not survive."""
    survived, most = 0, len(texts) + 1
    found = ""
    while survived + 1 < most:
        number = (survived + most) // 2 if found else len(texts)
        async with examination.start() as host:
            host.write(b"".join(map(frame_of_text, texts[:number])))
            if await host.is_well(examination.manner):
                survived = number
            else:
                most, found = number, f"{texts[number - 1][:_SHOWN]} is too much: {host.fate()}"
    return ("fail", found) if found else ("pass", "")


async def _takes_two(examination: Examination) -> bool:
    """Say whether an echo answers two frames that come in one piece; what else it cannot do is then seen faster."""
    async with examination.converse() as host:
        host.write(frame_of(examination.manner.marker) * 2)
        return not any([await host.expect(examination.manner.marker) for _ in range(2)])


async def _value(host: Host, examination: Examination, text: str, *, in_one_piece: bool) -> str:
    """Post a value, and the marker with it or after it; say what was wrong."""
    manner = examination.manner
    host.write(frame_of_text(text) + (frame_of(manner.marker) if in_one_piece else b""))
    if manner.kind != "echo":
        return "" if await host.is_well(manner) else f"is too much: {host.fate()}"
    answer = await host.next_answer(None if in_one_piece else min(examination.patience, MOMENT_SECONDS))
    if answer is None:
        return f"is not answered: {host.fate()}"
    if not same_json(answer.value(), json.loads(text)):
        skipped = in_one_piece and same_json(answer.value(), manner.marker)
        return "is swallowed" if skipped else f"comes back as {answer.shown()}"
    return await host.expect(manner.marker) if in_one_piece else ""


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
