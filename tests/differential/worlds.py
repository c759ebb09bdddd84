"""A real browser and this package's imitation of it, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Literal

import attrs
import trio
from differential.applications import installed
from differential.literal import open_literal_player
from differential.stories import Story
from differential.traces import Trace, play_history
from laboratory.shared import SharedLaboratory, start_laboratory
from support import PATIENCE_SECONDS

from trio_ports._laboratory.browsers.find import BrowserKind
from trio_ports._laboratory.extensions import EXTENSIONS as KIT_EXTENSIONS
from trio_ports._laboratory.extensions import PlayerExtension
from trio_ports._laboratory.player import LaboratoryPlayer
from trio_ports.testing._conformance.history.moves import Move, listen

DIALECTS: Final[Mapping[BrowserKind, Literal["firefox", "chrome"]]] = {"firefox": "firefox", "chromium": "chrome"}
ONLY_PAGES: Final = {"externally_connectable": {"matches": ["http://127.0.0.1/*"]}}
EXTENSIONS: Final = (
    *KIT_EXTENSIONS,
    PlayerExtension("c", ONLY_PAGES),
    PlayerExtension("s", start=[listen(), listen(event="on_connect_external")]),
)
"""The kit's two, one whose key names web pages only, and one whose background sleeps."""


@attrs.frozen
class World:
    """A real browser that runs, and what its imitation has to know of it."""

    laboratory: SharedLaboratory
    version: str
    extension_ids: Mapping[str, str]
    manifest_folder: str

    @property
    def kind(self) -> BrowserKind:
        return self.laboratory.kind

    @property
    def dialect(self) -> Literal["firefox", "chrome"]:
        return DIALECTS[self.kind]

    def play(self, history: Sequence[Move], *, as_is: bool = False) -> Trace:
        """Play a history in the real browser; ``as_is``: without taking out the differences that are known."""

        async def play(player: LaboratoryPlayer) -> Trace:
            return await play_history(player, history, hasty_ends=as_is or self.kind != "firefox")

        return self.laboratory.play(play)

    def imitate(
        self,
        history: Sequence[Move],
        *,
        dialect: Literal["trio", "firefox", "chrome"] | None = None,
        as_is: bool = False,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> Trace:
        """Play a history in `open_browser`; ``as_is``: without putting in the differences that are known."""
        dialect = dialect or self.dialect

        async def play() -> Trace:
            keys = {each.name: each.manifest.get("externally_connectable") for each in EXTENSIONS}
            with trio.fail_after(patience_seconds):
                async with open_literal_player(
                    dialect,
                    self.extension_ids,
                    keys,
                    manifest_folders=[self.manifest_folder],
                    forgetful=dialect == "chrome" and not as_is,
                ) as player:
                    return await play_history(player, history)
            raise AssertionError("unreachable")

        return trio.run(play, strict_exception_groups=True)


def start_world(kind: BrowserKind) -> World:
    """Start a browser with the three player extensions, and describe it."""
    laboratory = start_laboratory(kind, EXTENSIONS)

    async def describe(player: LaboratoryPlayer) -> World:
        lab = player.laboratory
        ids = {each.name: lab.extension_id(each.name) for each in EXTENSIONS}
        return World(laboratory, lab.browser.version, ids, str(lab.browser.manifest_folder))

    return laboratory.play(describe)


def play_story(world: World, story: Story, *, real: bool, patience_seconds: float = PATIENCE_SECONDS) -> Trace:
    """Play a story with its native application installed."""
    with ExitStack() as stack:
        if story.plan is not None:
            folder = Path(world.manifest_folder)
            stack.enter_context(installed(folder, world.extension_ids["a"], story.plan, story.how))
        if real:
            return world.play(story.history)
        return world.imitate(story.history, patience_seconds=patience_seconds)
