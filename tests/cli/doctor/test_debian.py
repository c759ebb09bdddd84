"""Native applications that nobody here wrote, with the manifests of their Debian packages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import lacking

Child = Callable[..., Any]


@pytest.mark.parametrize("message", [None, '{"action": "echo", "echoResponse": 1}'])
def test_browserpass(child: Child, temporary_folder: Path, message: str | None) -> None:
    """Sound in both browsers; it answers one request and exits, and is not pleased with an end without one."""
    name = "com.github.browserpass.native"
    if not Path("/usr/lib/mozilla/native-messaging-hosts", f"{name}.json").exists():
        lacking("install Debian's package webext-browserpass")
    options = [] if message is None else ["--send", message]
    ran = child("doctor", "--json", "--browser", "firefox,chromium", *options, name, HOME=str(temporary_folder))
    assert ran.returncode == 0
    browsers = json.loads(ran.stdout)["browsers"]
    for each in browsers:
        assert [finding["id"] for finding in each["findings"] if finding["id"]] == ["exit-status"] * (message is None)
    seen = [each["seen"] for each in browsers]
    if message is None:
        assert seen == [{"event": "open", "text": None}] * 2
    else:
        assert [each["text"] for each in seen] == [None, "Native host has exited."]
