"""JSON values: whether two are the same."""

from __future__ import annotations

from trio_ports.testing._applications.json_values import same_json


def test_same_json() -> None:
    """1 and 1.0 are the same number, and true is not a number."""
    assert same_json({"a": [1, 2.0]}, {"a": [1.0, 2]})
    assert not same_json(True, 1)
    assert not same_json([1], [1, 2])
    assert not same_json({"a": 1}, {"b": 1})
    assert not same_json("1", 1)
