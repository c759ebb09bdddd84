"""Who started this program, by its arguments."""

from __future__ import annotations

import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID

from trio_ports import MessageSender
from trio_ports._native.started.arguments import read_arguments

CHROMIUM = MessageSender(id=CHROMIUM_ID, origin=f"chrome-extension://{CHROMIUM_ID}")
OTHER = f"chrome-extension://{'p' * 32}/"
"""What a program was told by its launcher."""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ("", None)),
        (("one",), ("", None)),
        (("one", "two"), ("", None)),
        (("/a/b/ping_pong.json", FIREFOX_ID), ("ping_pong", MessageSender(id=FIREFOX_ID))),
        (("--log", "x", "/a/org.example.app.json", "{0}"), ("org.example.app", MessageSender(id="{0}"))),
        (("/a/ping_pong.json",), ("", None)),
        ((f"chrome-extension://{CHROMIUM_ID}/",), ("", CHROMIUM)),
        (("--log", f"chrome-extension://{CHROMIUM_ID}/", "--parent-window=5"), ("", CHROMIUM)),
        (("--parent-window=5", f"chrome-extension://{CHROMIUM_ID}/"), ("", CHROMIUM)),
        (("settings.json", f"chrome-extension://{CHROMIUM_ID}/", "--parent-window=0"), ("", CHROMIUM)),
        (("settings.json", "x", f"chrome-extension://{CHROMIUM_ID}/"), ("", CHROMIUM)),
        ((OTHER, "x.json", "y", "/a/app.json", FIREFOX_ID), ("app", MessageSender(id=FIREFOX_ID))),
        ((OTHER, f"chrome-extension://{CHROMIUM_ID}/"), ("", CHROMIUM)),
        ((OTHER, "--verbose"), ("", None)),
        (("x.json", "y", "--verbose"), ("", None)),
        (("--parent-window=5",), ("", None)),
        (("x.json", "--parent-window=5"), ("", None)),
    ],
)
def test_arguments(arguments: tuple[str, ...], expected: tuple[str, MessageSender | None]) -> None:
    """Each family's own, which come last, whatever a launcher put before them; nobody for anything else."""
    assert read_arguments(arguments) == expected
