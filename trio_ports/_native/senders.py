"""Who started this program, by its arguments. Source: rule 35."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .._protocol.senders import MessageSender

_ORIGIN: Final = re.compile(r"chrome-extension://([^/]+)/?")


def read_arguments(arguments: Sequence[str]) -> tuple[str, MessageSender | None]:
    """Return the application's name and who started it.

    Firefox gives the manifest, whose file is called after the application, and the extension's id. Chromium gives the
    extension's origin and no name; the name is then empty.

    Args:
        arguments: as the program got them, without its own name.

    Returns:
        The name, and the sender: None if neither family of browsers starts programs like this.
    """
    for argument in arguments:
        if found := _ORIGIN.fullmatch(argument):
            return "", MessageSender(id=found[1], origin=f"chrome-extension://{found[1]}")
    for manifest, extension_id in itertools.pairwise(arguments):
        if manifest.endswith(".json"):
            return Path(manifest).stem, MessageSender(id=extension_id)
    return "", None
