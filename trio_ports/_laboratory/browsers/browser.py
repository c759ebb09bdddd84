"""A browser that runs, as the program that started it sees it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import final

import attrs

from .find import BrowserKind


@final
@attrs.frozen
class Browser:
    """A running browser with its extensions loaded."""

    kind: BrowserKind
    name: str
    """What it calls itself, such as ``firefox`` or ``Chrome``."""
    version: str
    home: Path
    """What the browser takes for the user's home."""
    manifest_folder: Path
    """Where it looks for manifests of native applications, each time that one is started; it exists."""
    extension_ids: Mapping[Path, str]
    """The id of each extension that was loaded, by the folder it came from."""
