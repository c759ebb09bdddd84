"""What passes between a player and the laboratory."""

import msgspec
import pytest

from trio_ports._laboratory.protocol import Called, decode_report, encode_command


def test_half_of_a_surrogate_pair_passes_both_ways() -> None:
    """JavaScript has such strings."""
    assert encode_command({"message": "\ud800"}) == rb'{"message": "\ud800"}'
    report = decode_report(rb'{"type": "called", "record": {"message": "\ud800"}}')
    assert report == Called({"message": "\ud800"})


def test_an_unknown_report_is_refused() -> None:
    """A player and a laboratory that disagree are a fault, not an event."""
    with pytest.raises(msgspec.ValidationError):
        decode_report(b'{"type": "foo", "record": {}}')
