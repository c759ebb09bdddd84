"""The player's extension: its folder for one browser, ready to be loaded."""

from __future__ import annotations

import hashlib
import json
import shutil
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, final

import attrs

from ..testing._conformance.history.moves import Step
from .browsers.find import BrowserKind

SOURCE: Final = Path(__file__).with_name("extension")


@final
@attrs.frozen
class PlayerExtension:
    """How one player extension differs from another."""

    name: str
    """The laboratory's name for it, such as ``"a"``."""
    manifest: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    """Added to its manifest, such as ``externally_connectable``."""
    start: Sequence[Step] = ()
    """What its background does first each time that it starts. If there is something, the background may sleep."""


CONNECTABLE: Final = {"externally_connectable": {"ids": ["*"], "matches": ["http://127.0.0.1/*"]}}
EXTENSIONS: Final = (PlayerExtension("a"), PlayerExtension("b", CONNECTABLE))
"""The extensions of every history: only the second one lets web pages connect."""


def write_extension(folder: Path, kind: BrowserKind, extension: PlayerExtension, settings: str) -> None:
    """Write an extension's folder; its id depends on nothing but its name."""
    folder.mkdir(parents=True)
    for name in ("player.js", "page.html"):
        shutil.copyfile(SOURCE / name, folder / name)
    manifest: dict[str, Any] = json.loads((SOURCE / f"manifest.{kind}.json").read_text(encoding="utf-8"))
    if extension.name != "a":
        if kind == "firefox":
            manifest["browser_specific_settings"]["gecko"]["id"] = f"player-{extension.name}@trio-ports.invalid"
        else:
            manifest["key"] = b64encode(hashlib.sha512(extension.name.encode()).digest()).decode()
    if extension.start and kind == "firefox":
        manifest["background"]["persistent"] = False
    (folder / "manifest.json").write_text(json.dumps({**manifest, **extension.manifest}), encoding="utf-8")
    (folder / "settings.js").write_text(settings, encoding="utf-8")
