"""Our client with native applications that others' libraries make, and the faults of those that we don't have.

The libraries come from `tests/native/foreign/fetch.py`; the recipe of the documentation needs none.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from native_support import FIREFOX_ID, PACKAGES, encode, write_manifest
from support import PATIENCE_SECONDS, lacking

from trio_ports.native import connect_native

HERE = Path(__file__).parent / "foreign"
FETCHED = Path(os.environ.get("TRIO_PORTS_FOREIGN", ""))
VALUES: list[Any] = [{"a": [1, 2.5, "ä😀"]}, [], {}, "x" * 100_000, True]
FALSY: list[Any] = [0, False, "", None]


def commands() -> dict[str, list[str]]:
    node = shutil.which("node") or "node"
    return {
        "recipe": [sys.executable, str(HERE / "recipe.py")],
        "nativemessaging-ng": [sys.executable, str(HERE / "nativemessaging_ng.py")],
        "chrome-native-messaging": [node, str(FETCHED / "chrome_native_messaging.cjs")],
        "web-ext-native-msg": [node, str(FETCHED / "web_ext_native_msg.mjs")],
    }


@pytest.fixture
def library(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name != "recipe" and "TRIO_PORTS_FOREIGN" not in os.environ:
        lacking("run tests/native/foreign/fetch.py FOLDER and set TRIO_PORTS_FOREIGN")
    return name


@pytest.mark.parametrize(
    ("library", "values"),
    [
        ("recipe", [*VALUES, *FALSY]),
        # None is its end of file.
        pytest.param("nativemessaging-ng", [*VALUES, 0, False, ""], marks=pytest.mark.repetition),
        # null ends its stream.
        pytest.param("chrome-native-messaging", [*VALUES, 0, False, ""], marks=pytest.mark.repetition),
        # It cannot send what is falsy.
        pytest.param("web-ext-native-msg", VALUES, marks=pytest.mark.repetition),
    ],
    indirect=["library"],
)
async def test_our_client_with_their_applications(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, values: list[Any]
) -> None:
    """Every value that they can carry comes back, one by one and all at once; they leave on end of file."""
    monkeypatch.setenv("PYTHONPATH", str(FETCHED / "python"))
    launcher = tmp_path / "launcher"
    launcher.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in commands()[library]) + "\n")
    launcher.chmod(0o755)
    write_manifest(tmp_path, launcher)
    async with connect_native("app", extension_id=FIREFOX_ID, manifest_folders=[tmp_path]) as port:
        for value in values:
            await port.send(value)
            assert await port.receive() == value
        for number in range(1000):
            await port.send({"n": number})
        assert [(await port.receive())["n"] for _ in range(1000)] == list(range(1000))
        begin = trio.current_time()
    assert trio.current_time() - begin < PATIENCE_SECONDS  # As long as that it may take to leave by itself.
    assert port.error is None


HOST = """
import trio
from trio_ports.native import open_native_port
async def main():
    async with open_native_port() as port:
        port.on_message.add_listener(lambda message, port: port.post_message(message))
        await port.wait_disconnected()
trio.run(main)
"""


def run_ours(data: bytes) -> list[Any]:
    """Give our echo some bytes and the end of file; return its answers."""
    run = subprocess.run(
        [sys.executable, "-c", HOST],
        input=data,
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": PACKAGES},
    )
    answers, rest = [], run.stdout
    while rest:
        size = int.from_bytes(rest[:4], sys.byteorder)
        answers.append(json.loads(rest[4 : 4 + size]))
        rest = rest[4 + size :]
    return answers


def test_null_is_a_message() -> None:
    """Not the end of the stream, as in two of theirs."""
    assert run_ours(encode(None) + encode(1)) == [None, 1]


def test_what_is_falsy_is_sent() -> None:
    """0, false, the empty text and null, which one of theirs drops."""
    assert run_ours(b"".join(map(encode, FALSY))) == FALSY


def test_twenty_thousand_frames_in_one_piece() -> None:
    """They overflow the stack of one of theirs."""
    assert run_ours(encode(1) * 20_000) == [1] * 20_000


def test_lengths_are_in_bytes() -> None:
    """Not in letters: a text outside ASCII comes back whole, and so does what follows."""
    assert run_ours(encode(json.dumps("ä😀", ensure_ascii=False).encode()) + encode(2)) == ["ä😀", 2]
