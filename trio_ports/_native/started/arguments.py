"""Read from its arguments who started a native application. Source: rule 35."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..._protocol.senders import UNKNOWN_SENDER, MessageSender

_ORIGIN: Final = re.compile(r"chrome-extension://([^/]+)/?")
_WINDOW: Final = "--parent-window="


def read_arguments(arguments: Sequence[str]) -> tuple[str, MessageSender]:
    """Return the application's name and who started it.

    Firefox gives the path of the manifest, whose file has the application's name, and
    the extension's id. Chromium gives the extension's origin, sometimes followed by
    ``--parent-window=…``, and no name; the name is then empty. A browser's arguments
    are always the last, after those of a launcher: so only the last ones are looked at.

    Args:
        arguments: the program's arguments, without its own name.

    Returns:
        The name, and the sender; nothing is known of it if neither family of browsers
        starts programs like this.
    """
    *_, manifest, last = "", "", *arguments
    if found := _ORIGIN.fullmatch(manifest if last.startswith(_WINDOW) else last):
        return "", MessageSender(id=found[1], origin=f"chrome-extension://{found[1]}")
    if manifest.endswith(".json") and not last.startswith(_WINDOW):
        return Path(manifest).stem, MessageSender(id=last)
    return "", UNKNOWN_SENDER
