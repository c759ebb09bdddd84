"""Frames: whether the content of an answer is JSON."""

from __future__ import annotations

import pytest

from trio_ports.testing._applications.causes import Trouble
from trio_ports.testing._applications.frames import Answer


def test_answers() -> None:
    """Strict JSON is accepted; NaN, and bytes that are not UTF-8, are not."""
    assert Answer(b"1").value() == 1
    assert Answer(b"1").is_same(1.0)
    for data in (b"NaN", b"\xff", b"x" * 100):
        assert not Answer(data).is_same(1)
        with pytest.raises(Trouble, match="not JSON"):
            Answer(data).value()
