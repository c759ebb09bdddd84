"""Who started this program, by its arguments. Source: rule 35."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .._protocol.senders import MessageSender

_ORIGIN: Final = re.compile(r"chrome-extension://([^/]+)/?")
_WINDOW: Final = "--parent-window="


def read_arguments(arguments: Sequence[str]) -> tuple[str, MessageSender | None]:
    """Return the application's name and who started it.

    Firefox gives the manifest, whose file is called after the application, and the extension's id. Chromium gives the
    extension's origin and no name; the name is then empty. Browsers put theirs last, after what a launcher gave: so
    nothing further ahead is looked at, be it ever so like theirs. Chromium's origin may have ``--parent-window=``
    behind it.

    Args:
        arguments: as the program got them, without its own name.

    Returns:
        The name, and the sender: None if neither family of browsers starts programs like this.
    """
    *_, manifest, last = "", "", *arguments
    if found := _ORIGIN.fullmatch(manifest if last.startswith(_WINDOW) else last):
        return "", MessageSender(id=found[1], origin=f"chrome-extension://{found[1]}")
    if manifest.endswith(".json") and not last.startswith(_WINDOW):
        return Path(manifest).stem, MessageSender(id=last)
    return "", None
