"""What passes between a player and the laboratory."""

import pytest

from trio_ports import MessageShapeError
from trio_ports._laboratory.protocol import COMMAND_ENCODER, REPORT_DECODER, Called


def test_half_of_a_surrogate_pair_passes_both_ways() -> None:
    """JavaScript has such strings."""
    assert COMMAND_ENCODER.encode({"message": "\ud800"}) == rb'{"message":"\ud800"}'
    report = REPORT_DECODER.decode_any(rb'{"type": "called", "record": {"message": "\ud800"}}')
    assert report == Called({"message": "\ud800"})


def test_an_unknown_report_is_refused() -> None:
    """A player and a laboratory that disagree are a fault, not an event."""
    with pytest.raises(MessageShapeError):
        REPORT_DECODER.decode_any(b'{"type": "foo", "record": {}}')
