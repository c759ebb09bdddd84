"""How records are shown to people."""

from __future__ import annotations

from trio_ports.testing._conformance.compare.show import describe_record


def test_records_for_people() -> None:
    """Each kind has its words."""
    assert describe_record({"event": "raised", "call": "post", "error": "closed"}) == "post raised closed"
    listened = {"event": "on_one_shot", "listener": "one", "message": [1], "sender": {}}
    assert describe_record(listened) == "one(one-shot [1])"
    assert describe_record({"event": "answered", "message": None}) == "answered: null"
    assert describe_record({"event": "unanswered", "error": "no-receiver"}) == "unanswered: no-receiver"
