"""Who started this program, by its arguments."""

from __future__ import annotations

import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID

from trio_ports import MessageSender
from trio_ports._native.started.port import read_arguments
from trio_ports._protocol.senders import UNKNOWN_SENDER

CHROMIUM = MessageSender(id=CHROMIUM_ID, origin=f"chrome-extension://{CHROMIUM_ID}")
OTHER = f"chrome-extension://{'p' * 32}/"
"""What a program was told by its launcher."""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ("", UNKNOWN_SENDER)),
        (("one",), ("", UNKNOWN_SENDER)),
        (("one", "two"), ("", UNKNOWN_SENDER)),
        (("/a/b/ping_pong.json", FIREFOX_ID), ("ping_pong", MessageSender(id=FIREFOX_ID))),
        (("--log", "x", "/a/org.example.app.json", "{0}"), ("org.example.app", MessageSender(id="{0}"))),
        (("/a/ping_pong.json",), ("", UNKNOWN_SENDER)),
        ((f"chrome-extension://{CHROMIUM_ID}/",), ("", CHROMIUM)),
        (("--log", f"chrome-extension://{CHROMIUM_ID}/", "--parent-window=5"), ("", CHROMIUM)),
        (("--parent-window=5", f"chrome-extension://{CHROMIUM_ID}/"), ("", CHROMIUM)),
        (("settings.json", f"chrome-extension://{CHROMIUM_ID}/", "--parent-window=0"), ("", CHROMIUM)),
        (("settings.json", "x", f"chrome-extension://{CHROMIUM_ID}/"), ("", CHROMIUM)),
        ((OTHER, "x.json", "y", "/a/app.json", FIREFOX_ID), ("app", MessageSender(id=FIREFOX_ID))),
        ((OTHER, f"chrome-extension://{CHROMIUM_ID}/"), ("", CHROMIUM)),
        ((OTHER, "--verbose"), ("", UNKNOWN_SENDER)),
        (("x.json", "y", "--verbose"), ("", UNKNOWN_SENDER)),
        (("--parent-window=5",), ("", UNKNOWN_SENDER)),
        (("x.json", "--parent-window=5"), ("", UNKNOWN_SENDER)),
    ],
)
def test_arguments(arguments: tuple[str, ...], expected: tuple[str, MessageSender]) -> None:
    """Each family's own, which come last, whatever a launcher put before them; nobody for anything else."""
    assert read_arguments(arguments) == expected
