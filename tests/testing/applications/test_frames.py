"""Frames: whether the content of an answer is JSON."""

from __future__ import annotations

import pytest

from trio_ports.testing._applications.frames import Answer, NotAFrameError


def test_answers() -> None:
    """Strict JSON is accepted; NaN, and bytes that are not UTF-8, are not."""
    assert Answer(b"1").is_json()
    assert not Answer(b"NaN").is_json()
    assert Answer(b"\xff").text() is None
    with pytest.raises(NotAFrameError, match="not JSON"):
        Answer(b"x" * 100).value()
