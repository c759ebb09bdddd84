"""The example application is found and starts, wherever the package is."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID, PACKAGES

from trio_ports._native.ping_pong import answer, install_ping_pong
from trio_ports.native import connect_native, send_native_message

pytestmark = pytest.mark.usefixtures("nothing_left")


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


async def test_ping_pong_is_installed_and_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example application, by its launcher, as both families start it."""
    monkeypatch.setenv("PYTHONPATH", PACKAGES)
    manifest = install_ping_pong(
        tmp_path, allowed_extensions=[FIREFOX_ID], allowed_origins=[f"chrome-extension://{CHROMIUM_ID}/"]
    )
    assert manifest == tmp_path / "ping_pong.json"
    for extension_id in (FIREFOX_ID, CHROMIUM_ID):
        async with connect_native("ping_pong", extension_id=extension_id, manifest_folders=[tmp_path]) as port:
            await port.send("ping")
            assert await port.receive() == "pong"
            await port.send({"a": 1})
            assert await port.receive() == {"a": 1}
            await port.send("x" * 1_048_575)
            assert "carries 1048576 at most" in (await port.receive())["error"]


def test_ping_pong_runs_as_a_module() -> None:
    """As its documentation says."""
    run = subprocess.run(
        [sys.executable, "-m", "trio_ports._native.ping_pong"],
        input=b'\6\0\0\0"ping"',
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": PACKAGES},
    )
    assert (run.stdout, run.stderr) == (b'\6\0\0\0"pong"', b"")
    assert callable(answer)
