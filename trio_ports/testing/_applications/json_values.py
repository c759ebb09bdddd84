"""JSON values: those that applications stumble over, and whether two of them are the same."""

from __future__ import annotations

import json
import math
import random
from typing import Any, Final, TypeGuard

TRAPS: Final[tuple[str, ...]] = (
    "null", "false", "true", "0", "-0", "1", "0.5", '""', '"text"', "[]", "{}", "[null]", '{"":null}',
    "9007199254740991", "-9007199254740991", "1e300", "5e-324", '"\\u0000"', '"\\u2028"', '"\\ufeff"', '"\\\\"',
    '"é"', '"名前"', '"😀"', '"\\ud83d\\ude00"', '"\\ud800"', '{"é":"😀"}', '{"type":"exit"}', '"null"',
)  # fmt: skip
"""Values that one application or another gets wrong, encoded."""


def random_texts(number: int) -> list[str]:
    """Return so many encoded JSON values, the same ones each time."""
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


def same_json(one: Any, other: Any) -> bool:
    """Return whether two values are the same in JSON, where 1.0 is 1, but true is not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or math.isclose(one, other, rel_tol=1e-15)
    if _is_list(one) and _is_list(other):
        return len(one) == len(other) and all(map(same_json, one, other))
    if _is_object(one) and _is_object(other):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    return type(one) is type(other) and one == other


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)
