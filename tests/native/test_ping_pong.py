"""The example application is found and starts, wherever the package is."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest
from native_support import FIREFOX_ID, PACKAGES

from trio_ports._native.ping_pong import install_ping_pong
from trio_ports.native import send_native_message


async def test_it_starts_from_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser's environment has no PYTHONPATH: the launcher has the package's folder."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: "/somewhere/else")
    install_ping_pong(tmp_path, allowed_extensions=[FIREFOX_ID])
    assert PACKAGES in (tmp_path / "ping_pong").read_text()
    answer = await send_native_message("ping_pong", "ping", extension_id=FIREFOX_ID, manifest_folders=[tmp_path])
    assert answer == "pong"


def test_an_installed_one_is_found_by_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder stands before the others that need not."""
    monkeypatch.setattr(sysconfig, "get_path", lambda name: PACKAGES)
    install_ping_pong(tmp_path, allowed_extensions=[FIREFOX_ID])
    command = (tmp_path / "ping_pong").read_text().splitlines()[-1]
    assert command == f'exec {sys.executable} -P -m trio_ports._native.ping_pong "$@"'
