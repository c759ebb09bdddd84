"""What the tests of native messaging share: small applications, and how to start, install and watch them."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
import types
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from support import PATIENCE_SECONDS, Witness

import trio_ports
from trio_ports import Port
from trio_ports._native.browser_side.start import run_application
from trio_ports._native.installing.files import MARK
from trio_ports._ports.connection import open_connection
from trio_ports._ports.options import make_options
from trio_ports._ports.scopes import Scope
from trio_ports._protocol.errors import PortError
from trio_ports._protocol.manifests import NativeManifest

FIREFOX_ID = "notes@example.org"
CHROMIUM_ID = "abcdefghijklmnopabcdefghijklmnop"
IDS = {"trio": FIREFOX_ID, "firefox": FIREFOX_ID, "chrome": CHROMIUM_ID}
PROGRAM = "/bin/sh"
"""A program that exists, to be installed."""
FOR_FIREFOX: dict[str, Any] = {"allowed_extensions": [FIREFOX_ID]}
FOR_BOTH: dict[str, Any] = {**FOR_FIREFOX, "allowed_origins": [f"chrome-extension://{CHROMIUM_ID}/"]}
"""For whom it is installed."""
PACKAGES = str(Path(trio_ports.__file__).parent.parent)
"""Where a child process finds the package, wherever it was started."""
PYTHON = ("/usr/bin/env", f"PYTHONPATH={PACKAGES}", sys.executable)
"""The same for a command that is installed: a launcher is deaf to the variable."""

WIRE = """\
import json, os, struct, sys
def write(data):
    while data:
        data = data[os.write(1, data):]
def send(message):
    body = json.dumps(message).encode()
    write(struct.pack("=I", len(body)) + body)
def take(size):
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            sys.exit(0)
        data += piece
    return data
def receive():
    (size,) = struct.unpack("=I", take(4))
    return json.loads(take(size))
"""


def encode(message: Any) -> bytes:
    """Return the frame of a message, by hand."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return struct.pack("=I", len(body)) + body


def write_program(file: Path, body: str, *, interpreter: str = sys.executable) -> Path:
    """Write a program that knows the wire; ``body`` says what it does."""
    # Isolated: nothing of the test run's environment slows its start or gets in its way.
    file.write_text(f"#!{interpreter} -IS\n{WIRE}{body}", encoding="utf-8")
    file.chmod(0o755)
    return file


def write_manifest(folder: Path, program: Path | str, application: str = "app", **changes: Any) -> Path:
    """Write a manifest that allows the two extensions of the tests."""
    manifest = NativeManifest(
        name=application,
        description="A test",
        path=str(program),
        allowed_extensions=[FIREFOX_ID],
        allowed_origins=[f"chrome-extension://{CHROMIUM_ID}/"],
    )
    fields = {**json.loads(manifest.encode()), **changes}
    file = folder / f"{application}.json"
    file.write_text(json.dumps({key: value for key, value in fields.items() if value is not ...}), encoding="utf-8")
    return file


def write_application(folder: Path, body: str, name: str = "app") -> Path:
    """Write a native application and its manifest; return the folder to search."""
    write_manifest(folder, write_program(folder / f"{name}.py", body), name)
    return folder


@asynccontextmanager
async def open_application(
    folder: Path, dialect: Any = "trio", name: str = "app", **options: Any
) -> AsyncGenerator[tuple[Port, Witness], None]:
    """Run an application as a browser of the dialect does; the block ends when it is gone."""
    options = make_options(dialect=dialect, **options)
    async with trio.open_nursery() as nursery:
        near, (far,) = open_connection(max_buffer_size=options.max_buffer_size)
        port: Port = Port(near, Scope(nursery), options, options.decoder(Any))

        async def run() -> None:
            await run_application(
                far, name, extension_id=IDS[dialect], dialect=options.dialect, manifest_folders=[folder]
            )

        nursery.start_soon(run)
        yield port, Witness(port)
        port.disconnect()


async def converse(folder: Path, dialect: str, *posts: Any) -> tuple[list[Any], PortError | None]:
    """Post to the application of ``folder``, wait for the end, and return what was seen and why it ended."""
    async with open_application(folder, dialect) as (port, witness):
        for message in posts:
            port.post_message(message)
        with trio.fail_after(PATIENCE_SECONDS):
            await port.wait_disconnected()
        error = port._delivery.error
    return witness.seen, error


async def wait_heard(port: Port, witness: Witness, count: int = 1) -> None:
    """Wait until the witness has heard so many messages."""
    enough = trio.Event()

    def check(message: Any = None, port: Any = None) -> None:
        if len(witness.seen) >= count:
            enough.set()

    port.on_message.add_listener(check)
    check()
    await enough.wait()
    port.on_message.remove_listener(check)


def open_descriptors() -> set[tuple[str, str]]:
    """Return the descriptors that are open and what each stands for: afterwards there may be fewer, but no others.

    What another test has left, the one that failed before this one above all, is closed whenever nobody refers to it
    any more.
    """
    found = set[tuple[str, str]]()
    for descriptor in Path("/dev/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # The one that the folder was read with.
            found.add((descriptor.name, str(descriptor.readlink())))
    return found


def files_in(folder: Path) -> set[str]:
    """Return the names of what is in a folder, except for what `install` notes; nothing is in one that is not there."""
    return {file.name for file in folder.iterdir() if not file.name.endswith(MARK)} if folder.exists() else set()


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the files somewhere in a folder, except for what `install` notes."""
    every = (file for file in folder.rglob("*") if file.is_file() and not file.name.endswith(MARK))
    return {str(file.relative_to(folder)): file.read_bytes() for file in every}


def children(of: int | None = None) -> set[int]:
    """Return the processes that are children of this one or that one, running or not waited for."""
    found = set[int]()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It has gone meanwhile.
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == (of or os.getpid()):
                found.add(int(process.name))
    return found


class Registry(types.ModuleType):
    """As much of `winreg` as is used, in memory."""

    HKEY_CURRENT_USER = "HKCU"
    HKEY_LOCAL_MACHINE = "HKLM"
    REG_SZ = 1

    def __init__(self) -> None:
        super().__init__("winreg")
        self.values: dict[tuple[str, str], str] = {}

    def QueryValue(self, root: str, key: str) -> str:  # noqa: N802
        if not self.values.get((root, key)):  # A key need not have a value.
            raise FileNotFoundError(key)
        return self.values[root, key]

    def OpenKey(self, root: str, key: str) -> Any:  # noqa: N802
        if not any(known.startswith(key) for its, known in self.values if its == root):
            raise FileNotFoundError(key)
        return contextlib.nullcontext((root, key))

    def QueryInfoKey(self, opened: tuple[str, str]) -> tuple[int, int, int]:  # noqa: N802
        return (len(self._below(opened)), 0, 0)

    def EnumKey(self, opened: tuple[str, str], index: int) -> str:  # noqa: N802
        return self._below(opened)[index]

    def _below(self, opened: tuple[str, str]) -> list[str]:
        root, key = opened
        names = [known.removeprefix(f"{key}\\") for its, known in self.values if its == root]
        return [name for name in names if "\\" not in name]

    def CreateKey(self, root: str, key: str) -> Any:  # noqa: N802
        return contextlib.nullcontext((root, key))

    def SetValue(self, key: tuple[str, str], sub_key: str, kind: int, value: str) -> None:  # noqa: N802
        self.values[key] = value

    def DeleteKey(self, root: str, key: str) -> None:  # noqa: N802
        try:
            del self.values[root, key]
        except KeyError:
            raise FileNotFoundError(key) from None
