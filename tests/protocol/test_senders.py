"""Who opened a connection."""

import attrs

from trio_ports import MessageSender, SenderTab


def test_every_field_of_the_browsers_is_there_and_none_unless_known() -> None:
    """Rule 9 names the fields; what does not apply is None."""
    assert attrs.asdict(MessageSender()) == dict.fromkeys(
        [
            "id",
            "url",
            "origin",
            "tab",
            "frame_id",
            "document_id",
            "document_lifecycle",
            "tls_channel_id",
            "native_application",
            "user_script_world_id",
        ]
    )


def test_senders_are_values() -> None:
    """Two that say the same are equal, and neither can be changed."""
    tab = SenderTab(id=1, url="https://example.org/")
    sender = MessageSender(id="notes@example.org", tab=tab, frame_id=0)
    assert sender == MessageSender(id="notes@example.org", tab=SenderTab(1, "https://example.org/"), frame_id=0)
    assert len({sender, attrs.evolve(sender)}) == 1
    assert attrs.evolve(sender, frame_id=1) != sender
