"""What passes between a driver and its players."""

import msgspec
import pytest

from trio_ports._drivers.reports import Event, decode_report, encode_command


def test_half_of_a_surrogate_pair_passes_both_ways() -> None:
    """JavaScript has such strings."""
    assert encode_command({"message": "\ud800"}) == rb'{"message": "\ud800"}'
    report = decode_report(rb'{"type": "event", "event": "on_message", "message": "\ud800"}')
    assert report == Event("on_message", message="\ud800")


def test_an_unknown_report_is_refused() -> None:
    """A player and its driver that disagree are a fault, not an event."""
    with pytest.raises(msgspec.ValidationError):
        decode_report(b'{"type": "event", "event": "on_foo"}')
