"""How records are shown to people."""

from __future__ import annotations

from trio_ports.testing._conformance.compare.show import describe_record


def test_records_for_people() -> None:
    """Each kind has its words."""
    assert describe_record({"event": "raised", "call": "post", "error": "closed"}) == "post raised closed"
