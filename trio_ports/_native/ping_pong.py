"""The example of MDN's page on native messaging: it answers ``"ping"`` with ``"pong"``, and echoes everything else.

A browser finds it once `install_ping_pong` has written its manifest. Without a browser,
run it with ``python -m trio_ports._native.ping_pong``.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import trio

from .._ports.port import Port
from .._protocol.errors import MessageTooLargeError
from .arguments import Folder
from .started.port import open_native_port

NAME: Final = "ping_pong"
_MODULE: Final = "trio_ports._native.ping_pong"


def answer(message: Any, port: Port[Any, Any]) -> None:
    """Answer one message; with an error if the echo is larger than a browser accepts."""
    try:
        port.post_message("pong" if message == "ping" else message)
    except MessageTooLargeError as error:
        port.post_message({"error": str(error)})


async def main() -> None:
    """Answer until the browser disconnects."""
    async with open_native_port() as port:
        port.on_message.add_listener(answer)
        await port.wait_disconnected()


def install_ping_pong(
    folder: Folder, *, allowed_extensions: Sequence[str] = (), allowed_origins: Sequence[str] = ()
) -> Path:
    """Write a launcher and a manifest for this application into ``folder``, and return the manifest."""
    from .installing.install import install

    *_, manifest = install(
        NAME,
        [sys.executable, "-P", *_options()],
        description="Answers ping with pong",
        allowed_extensions=allowed_extensions,
        allowed_origins=allowed_origins,
        manifest_folders=[folder],
        launcher_folder=folder,
    )
    return manifest.file


def _options() -> list[str]:
    """Return the options with which Python runs this module, also from a checkout, where it has to add the folder."""
    home = str(Path(__file__).parents[2])
    if home in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        return ["-m", _MODULE]
    run = f"import runpy; runpy.run_module({_MODULE!r}, run_name='__main__', alter_sys=True)"
    return ["-c", f"import sys; sys.path.insert(0, {home!r}); {run}"]


if __name__ == "__main__":
    trio.run(main)
