"""A player that has a browser of this package, with tabs, frames, pages and extensions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import trio

from ..history.moves import EXTENSIONS, NOBODY, SITE, Move
from .actors import Actor
from .in_process import InProcessPlayer
from .owner import Owner


class BrowserPlayer(InProcessPlayer):
    """Plays in a browser of this package: see `open_browser_player`."""

    actor_type: ClassVar[type[Actor]] = Actor

    def __init__(self, nursery: trio.Nursery, browser: Any, owner: Owner, extensions: tuple[str, ...]) -> None:
        super().__init__(nursery, owner)
        self.browser = browser
        self.extensions: dict[str, Any] = {
            name: self.install(name, others=name != extensions[0]) for name in extensions
        }
        self._tabs: dict[str, Any] = {}
        self._frames: dict[str, Any] = {}
        self._sites: dict[str, str] = {}
        self._urls: dict[str, str] = {}
        self._documents: dict[str, str] = {}
        self._shown: dict[str, int] = {}
        self._pushed: dict[str, int] = {}
        self._sleeping: dict[str, Any] = {}
        for name, extension in self.extensions.items():
            self.add_context(name, extension.open_page("background.html"), name, name)

    def install(self, name: str, *, others: bool) -> Any:
        """Install an extension; ``others``: that other extensions and the web pages may connect to.

        Only such a one is let into private windows.
        """
        key = {"ids": ["*"], "matches": [f"{SITE}/*"]} if others else None
        return self.browser.install(name, externally_connectable=key, incognito_access=others)

    def add_context(self, name: str, context: Any, place: str, document: str) -> None:
        """Make an actor for a context. An earlier one of that name, which has ended, gets a number."""
        old = self.contexts.pop(name, None)
        if old is not None:
            number = sum(other.startswith(f"{name}#") for other in self.contexts)
            self.contexts[f"{name}#{number}"] = old
        self.contexts[name] = self.actor_type(self, name, context)
        self._urls[context.url] = place
        # A later document that keeps an earlier one's id gets the earlier one's name, so that the fault is seen.
        self._documents.setdefault(context.document_id, document)

    def _fill(self, frame: Any, name: str, *, web: bool = False) -> None:
        self._frames[name] = frame
        shown = self._shown[name] = self._shown.get(name, 0) + 1
        self._pushed[name] = 0
        document = f"{name}.{shown}"
        private = [key for key in EXTENSIONS[1:] if key in self.extensions]
        for key in private if frame.tab.incognito else self.extensions:
            extension = self.extensions[key]
            self.add_context(f"{name}/{key}", extension.inject(frame.tab, frame.id), name, document)
        if web:
            self.add_context(f"{name}/web", frame.tab.web_page_script(frame.id), name, document)

    def _url(self, name: str) -> str:
        return f"{self._sites.get(name, SITE)}/{name}/{self._shown.get(name, 0)}"

    def _play_open_tab(self, move: Move) -> None:
        self._sites[move["tab"]] = move.get("site", SITE)
        tab = self.browser.open_tab(self._url(move["tab"]), incognito=bool(move.get("incognito")))
        self._tabs[move["tab"]] = tab
        self._fill(tab.frames[0], move["tab"], web=move["web"])

    def _play_open_page(self, move: Move) -> None:
        page, extension = move["page"], move["extension"]
        tab = None if move["hidden"] else self.browser.open_tab()
        context = self.extensions[extension].open_page(f"{page}.html", tab=tab, view=move.get("view"))
        if tab is not None:
            self._tabs[page], self._frames[page] = tab, context.frame
        self.add_context(f"{page}/{extension}", context, page if tab else f"{page}/{extension}", page)

    def _play_open_frame(self, move: Move) -> None:
        frame = self._frames[move["tab"]].open_frame(self._url(move["frame"]))
        self._fill(frame, move["frame"])

    def _play_navigate(self, move: Move) -> None:
        name = move["frame"]
        frame = self._frames[name]
        page = self.contexts.get(f"{name}/web")
        web = page is not None and not page.context.closed
        frame.navigate(self._url(name))
        self._fill(frame, name, web=web)

    def _play_close(self, move: Move) -> None:
        self._frames[move["frame"]].close()

    def _play_install(self, move: Move) -> None:
        name = move["extension"]
        key = {"ids": [move["allows"]]}
        extension = self.extensions[name] = self.browser.install(name, externally_connectable=key)
        self.add_context(name, extension.open_page("background.html"), name, name)

    def _play_uninstall(self, move: Move) -> None:
        self.extensions.pop(move["extension"]).uninstall()

    def _play_disable(self, move: Move) -> None:
        self.extensions[move["extension"]].disable()

    def _play_enable(self, move: Move) -> None:
        name = move["extension"]
        extension = self.extensions[name]
        extension.enable()
        for place, frame in self._frames.items():
            old = self.contexts.get(f"{place}/{name}")
            # Where an orphan lives on, nothing is injected.
            if old is not None and old.context.kind == "content_script" and old.context.closed and not frame.closed:
                script = extension.inject(frame.tab, frame.id)
                self.add_context(f"{place}/{name}", script, place, f"{place}.{self._shown[place]}")

    def _play_register_background(self, move: Move) -> None:
        name, script = move["extension"], move["script"]
        if name not in self._sleeping:
            self.contexts[name].context.close()

        def start(context: Any) -> None:
            self.add_context(name, context, name, name)
            for step in script:
                self.contexts[name].perform(step)

        self._sleeping[name] = self.extensions[name].register_background(start, path="background.html")

    def _play_stop_background(self, move: Move) -> None:
        self._sleeping[move["extension"]].stop()

    def _play_push_state(self, move: Move) -> None:
        name = move["frame"]
        pushed = self._pushed[name] = self._pushed[name] + 1
        self._frames[name].push_state(f"{self._url(name)}/at/{pushed}")

    def _play_lose(self, move: Move) -> None:
        tab = self._tabs[move["tab"]]
        tab.discard() if move["how"] == "discard" else tab.crash()

    def _play_load_again(self, move: Move) -> None:
        tab = self._tabs[move["tab"]]
        tab.reload()
        self._fill(tab.frames[0], move["tab"])

    def tab_number(self, name: str) -> int:
        """Return a tab's number; for a tab that is not there, a number that no tab has."""
        return int(self._tabs[name].id) if name in self._tabs else 10**9

    def frame_number(self, name: str | None) -> int | None:
        """Return a frame's number."""
        return None if name is None else int(self._frames[name].id) if name in self._frames else 10**9

    def document_of(self, name: str | None) -> str | None:
        """Return the id of the document that a frame shows now."""
        return None if name is None else str(self._frames[name].document_id) if name in self._frames else NOBODY

    def show_sender(self, sender: Any) -> Any:
        """Return a sender as it is written down."""
        if sender is None:
            return None
        tabs = {tab.id: name for name, tab in self._tabs.items()}
        frames = {(frame.tab.id, frame.id): name for name, frame in self._frames.items()}
        tab = None if sender.tab is None else sender.tab.id
        url = str(sender.url)
        return {
            "id": sender.id,
            "url": self._urls.get(url, url),
            "origin": sender.origin == "/".join(url.split("/")[:3]),
            "tab": None if sender.tab is None else _name_of_tab(tabs.get(tab, tab), sender.tab),
            "frame": None if sender.frame_id is None else frames.get((tab or 0, sender.frame_id), sender.frame_id),
            "document": self._documents.get(sender.document_id, sender.document_id),
            "lifecycle": sender.document_lifecycle,
        }


def _name_of_tab(name: Any, tab: Any) -> str:
    """Return a tab's name, how often its page has changed its address, and whether it is private.

    If it is said to show another page, its address is there.
    """
    private = " (private)" * bool(tab.incognito)
    if str(name) not in tab.url:
        return f"{name} with {tab.url!r}{private}"
    pushed = tab.url.partition("/at/")[2]
    return f"{name} at {pushed}{private}" if pushed else f"{name}{private}"


@asynccontextmanager
async def open_browser_player(
    maker: Callable[[], Any], *, extensions: tuple[str, ...] = EXTENSIONS
) -> AsyncGenerator[BrowserPlayer]:
    """Open a browser and a player for it, for a block.

    Args:
        maker: opens the browser: `open_browser`, or a function that calls it with arguments.
        extensions: the extensions to install; all but the first let web pages connect.
    """
    async with trio.open_nursery() as nursery:
        owner = Owner(maker)
        yield BrowserPlayer(nursery, await nursery.start(owner.run), owner, extensions)
        await owner.finish()
        nursery.cancel_scope.cancel()
