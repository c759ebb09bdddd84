"""A player in `open_browser` that writes down texts and fields, as the player in a real browser does.

The kit's own players write down causes and words instead, for these are what the rules are about.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from os import PathLike
from typing import Any, Literal

import trio

import trio_ports
from trio_ports._laboratory.names import Names
from trio_ports.testing._conformance.history.moves import Step
from trio_ports.testing._conformance.players.actors import Actor
from trio_ports.testing._conformance.players.browser import BrowserPlayer
from trio_ports.testing._conformance.players.owner import Owner


class ForgetfulActor(Actor):
    """Forgets the events of a port that has ended, as Chromium does: no message and no end depends on it.

    ``hasListener`` says False then, and an event that nobody had asked for before can't be had at all.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._asked: set[tuple[Any, str]] = set()

    def perform(self, step: Step, port: Any = None, message: Any = None) -> Any:
        if step.get("event") in ("on_message", "on_disconnect"):
            real = port if step["port"] is None else self.ports.get(step["port"])
            if real is not None:
                asked = (real, step["event"]) in self._asked
                if real.statistics().state in ("ended", "closed"):
                    if not asked:
                        return "Chromium gives no event of a port that has ended, unless it gave it before"
                    if step["do"] == "has_listener":
                        return False
                self._asked.add((real, step["event"]))
        return super().perform(step, port, message)


def decline(message: Any, sender: Any, send_response: Any) -> None:
    """Have nothing to say."""


class LiteralPlayer(BrowserPlayer):
    """Plays in a browser of this package, and writes down texts and fields."""

    def __init__(
        self,
        nursery: trio.Nursery,
        browser: Any,
        owner: Owner,
        ids: Mapping[str, str],
        keys: Mapping[str, Any],
        *,
        forgetful: bool,
    ) -> None:
        self._ids, self._keys = ids, keys
        self._names = Names({identity: name for name, identity in ids.items()})
        self.actor_type = ForgetfulActor if forgetful else Actor  # type: ignore[misc] - One player is one test's.
        super().__init__(nursery, browser, owner, tuple(ids))

    def install(self, name: str, *, others: bool) -> Any:
        return self.browser.install(self._ids[name], externally_connectable=self._keys[name])

    def add_context(self, name: str, context: Any, place: str, document: str) -> None:
        super().add_context(name, context, place, document)
        tab, frame = (None, None) if context.frame is None else (context.frame.tab.id, context.frame.id)
        self._names.add(place, context.url, tab=tab, frame=frame, document=context.document_id)
        # As the real player's, these contexts answer what it flushes the browser with: they are never nobody.
        if context.kind in ("background", "content_script"):
            context.runtime.on_message.add_listener(decline)
        if context.kind == "background":
            context.runtime.on_message_external.add_listener(decline)

    def extension_id(self, name: str | None) -> str | None:
        return None if name is None else self._ids.get(name, name)

    def show_exception(self, error: Exception) -> str:
        if isinstance(error, KeyError):
            return f"there is no port {error.args[0]}"
        return f"{type(error).__name__}: {error}"

    def show_error(self, error: Any) -> str | None:
        return None if error is None else str(error)

    def show_sender(self, sender: Any) -> Any:
        """Return a sender with JavaScript's fields."""
        if sender is None:
            return None
        fields = {
            "id": sender.id,
            "url": sender.url,
            "origin": sender.origin,
            "tab": None if sender.tab is None else sender.tab.id,
            "frameId": sender.frame_id,
            "documentId": sender.document_id,
            "documentLifecycle": sender.document_lifecycle,
        }
        return self._names.note_sender({name: value for name, value in fields.items() if value is not None})


@asynccontextmanager
async def open_literal_player(
    dialect: Literal["trio", "firefox", "chrome"],
    ids: Mapping[str, str],
    keys: Mapping[str, Any],
    *,
    manifest_folders: Sequence[str | PathLike[str]],
    forgetful: bool,
) -> AsyncGenerator[LiteralPlayer]:
    """Open a browser of this package, for a block, with the extensions of a real laboratory.

    Args:
        dialect: the browser's.
        ids: the extensions' ids, by name.
        keys: their ``externally_connectable``, by name.
        manifest_folders: where native applications are found.
        forgetful: forget the events of ports that have ended.
    """
    async with trio.open_nursery() as nursery:
        owner = Owner(partial(trio_ports.open_browser, dialect=dialect, manifest_folders=manifest_folders))
        yield LiteralPlayer(nursery, await nursery.start(owner.run), owner, ids, keys, forgetful=forgetful)
        await owner.finish()
        nursery.cancel_scope.cancel()
