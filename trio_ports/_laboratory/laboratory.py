"""A laboratory: a real browser with player extensions in it, whose contexts do what they are asked to.

Two player extensions, ``a`` and ``b``, are in every page of the laboratory's own web server, and in their own
background and extension pages. A player does what it is asked to, listens to nothing otherwise, and reports every call
of a listener. Histories are played by `LaboratoryPlayer`, which is opened in a laboratory.

No browser reports that it has nothing more to deliver. So every context that was used sends a message through the
browser's main process and back, on the way that the messages of ports take: when all have returned, all that was
on its way before has arrived in the main process and, one round later, where it was going. What it sets off there is
a record or another message, so rounds are repeated until nothing happens in some of them. No time is waited.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, final

import attrs
import trio

from .browsers.errors import BrowserGoneError
from .browsers.find import BrowserKind, find_browser
from .browsers.openers import OPENERS
from .browsers.process import Browser, open_process, watch
from .contexts import WAIT_SECONDS, Context, Contexts, Frame
from .extensions import EXTENSIONS, PlayerExtension, write_extension
from .protocol import Result
from .server import Server

QUIET_ROUNDS: Final = 2
LEAVE_SECONDS: Final = 1.0
"""How long a page that the browser has left may take to say so; it takes some milliseconds."""


@final
@attrs.define(eq=False)
class Laboratory:
    """A running browser with its players; from :func:`open_laboratory`."""

    browser: Browser
    contexts: Contexts
    _origin: str
    extensions: Sequence[str]
    """Their names in the laboratory."""
    _pages: int = attrs.field(default=0, init=False)
    _open: list[Frame] = attrs.field(factory=list[Frame], init=False)
    _changed: list[Frame] = attrs.field(factory=list[Frame], init=False)
    """The tabs whose addresses have changed."""
    _spare: dict[tuple[str, ...], list[Frame]] = attrs.field(factory=dict[tuple[str, ...], list[Frame]], init=False)
    """The tabs that earlier histories left open, by the names of their contexts."""

    def background(self, extension: str) -> Context:
        """Return an extension's background page or service worker."""
        return self.contexts.backgrounds[extension]

    def extension_id(self, extension: str) -> str:
        """Return the browser's id of an extension."""
        return str(self.background(extension).id)

    async def open_tab(self, *, web: bool = False) -> Frame:
        """Open a tab with a page of its own, and return its top frame; ``web``: with a player in the page itself.

        A tab that a history left open is used again by a later one.
        """
        return await self._open_tab(self._make_url(web=web), self._names(web=web), self._conductor)

    async def open_page(self, extension: str) -> Frame:
        """Open a tab that shows the extension's own page, and return its top frame."""
        background = self.background(extension)
        self._pages += 1
        return await self._open_tab(f"{background.page}?{self._pages}", [extension], background)

    async def close(self, frame: Frame) -> None:
        """Close a tab by its top frame, or remove another frame, and return when all contexts in it have ended."""
        if frame.parent is None:
            self._open.remove(frame)
            await self._conductor.stage("close_tab", tab=frame.tab)
        else:
            await self._parent_script(frame.parent).stage("close_frame", old=frame.url)
            frame.parent.frames.remove(frame)
        await self._wait_gone(frame)

    async def navigate(self, frame: Frame) -> None:
        """Lead a tab or a frame to another page of the laboratory, and return when that is there and the old one gone.

        The frame stays and has new contexts.
        """
        web = "web" in frame.contexts
        url = self._make_url(web=web)
        if frame.parent is None:
            await self._conductor.stage("navigate_tab", tab=frame.tab, url=url)
        else:
            await self._parent_script(frame.parent).stage("navigate_frame", url=url, old=frame.url)
        contexts = await self._wait_contexts(url, self._names(web=web))
        await self._wait_gone(frame)
        frame.url, frame.contexts, frame.frames = url, contexts, []
        (found,) = await self._find_frames(frame.tab, url)
        frame.document = found.get("document")

    async def push_state(self, frame: Frame) -> None:
        """Change the address of a page, which stays. Its tab is not used again."""
        self._pages += 1
        await self._parent_script(frame).stage("push_state", url=f"{frame.url}?{self._pages}")
        if frame.parent is None and frame not in self._changed:
            self._changed.append(frame)

    async def discard(self, frame: Frame) -> None:
        """Free the memory of a tab, by its top frame, and return when all contexts in it have ended."""
        frame.tab = await self._conductor.stage("discard_tab", tab=frame.tab)
        await self._wait_gone(frame)

    async def load_again(self, frame: Frame) -> None:
        """Load the page of a tab that was discarded; its top frame has new contexts."""
        await self._conductor.stage("reload_tab", tab=frame.tab)
        frame.contexts = await self._wait_contexts(frame.url, self._names(web="web" in frame.contexts))
        (found,) = await self._find_frames(frame.tab, frame.url)
        frame.document, frame.frames = found.get("document"), []

    async def open_frame(self, parent: Frame) -> Frame:
        """Open a frame with a page of its own in another frame."""
        url = self._make_url()
        await self._parent_script(parent).stage("open_frame", url=url)
        contexts = await self._wait_contexts(url, self._names())
        (found,) = await self._find_frames(parent.tab, url)
        frame = Frame(parent.tab, found["frame"], url, found.get("document"), contexts, parent)
        parent.frames.append(frame)
        return frame

    async def stop_background(self, extension: str) -> None:
        """Stop the background of an extension, if it runs, and return when it has gone."""
        await self.browser.stop_background(self.extension_id(extension))
        await self.background(extension).gone.wait()

    async def wait_background(self, extension: str) -> Context:
        """Return an extension's background, which somebody has called, once it runs."""
        await self.contexts.wait_until(lambda: not self.background(extension).gone.is_set())
        background = self.background(extension)
        background.used = True
        return background

    async def perform(self, context: Context, *steps: Mapping[str, Any]) -> tuple[Result, ...]:
        """Have the steps carried out in the context, all in one turn, and return what came of each."""
        context.used = True
        return await context.ask({"steps": steps})

    async def settle(self, *, quiet_seconds: float = 0.0) -> None:
        """Return when all that was done has had its effects.

        Args:
            quiet_seconds: wait until nothing has happened for so long. Only what another process decides needs it: a
                native application, and the browser that looks for one, can't be flushed.

        Raises:
            trio.TooSlowError: things went on happening, as between two ports that echo each other.
        """
        with trio.fail_after(WAIT_SECONDS):
            while True:
                await self._flush()
                if not (quiet_seconds and await self.contexts.happens_within(quiet_seconds)):
                    return

    async def reset(self) -> None:
        """End all ports, forget all listeners and records, and put open tabs aside for the next history.

        What is still on its way then is dropped.
        """
        await self._every("reset")
        for top in self._changed:
            await self.close(top)
        self._changed = []
        for top in self._open:
            if top.frames:
                # After all players in them have answered: Firefox may swallow the farewell of one that was just asked.
                await self._parent_script(top).stage("close_frames")
            for frame in top.frames:
                await self._wait_gone(frame)
            top.frames.clear()
            self._spare.setdefault((*top.contexts,), []).append(top)
        self._open = []
        await self._flush()
        self.contexts.forget()

    @property
    def _conductor(self) -> Context:
        return self.background(self.extensions[0])

    def _names(self, *, web: bool = False) -> list[str]:
        return [*self.extensions, *(["web"] if web else [])]

    def _make_url(self, *, web: bool = False) -> str:
        self._pages += 1
        return f"{self._origin}/{'web' if web else 'page'}/{self._pages}"

    def _parent_script(self, frame: Frame) -> Context:
        """Return the content script that opens and closes the frames in this one: the first extension's."""
        return frame.contexts[self.extensions[0]]

    async def _open_tab(self, url: str, names: Sequence[str], opener: Context) -> Frame:
        if spare := self._spare.get((*names,)):
            top = spare.pop()
        else:
            tab = await opener.stage("create_tab", url=url, active=False)
            contexts = await self._wait_contexts(url, names)
            # Chromium's list has no extension pages.
            frames = await self._find_frames(tab, url)
            top = Frame(tab, 0, url, frames[0].get("document") if frames else None, contexts)
        self._open.append(top)
        return top

    async def _find_frames(self, tab: int, url: str) -> list[Mapping[str, Any]]:
        """Return what the browser says about the tab's frames with that address."""
        return [each for each in await self._conductor.stage("frames", tab=tab) if each["url"] == url]

    async def _wait_contexts(self, url: str, names: Sequence[str]) -> dict[str, Context]:
        present = self.contexts.present
        await self.contexts.wait_until(lambda: all((name, url) in present for name in names))
        return {name: present[name, url] for name in names}

    async def _wait_gone(self, frame: Frame) -> None:
        """Wait until the contexts of a frame that is no longer there have taken their leave."""
        contexts = [context for each in frame.family() for context in each.contexts.values()]
        with trio.move_on_after(LEAVE_SECONDS):
            for context in contexts:
                await context.gone.wait()
        for context in contexts:
            # Firefox may tear a page down before its farewell is sent.
            context.end()

    async def _flush(self) -> None:
        quiet = 0
        while quiet < QUIET_ROUNDS:
            seen = self.contexts.records
            await self._every("flush")
            quiet = quiet + 1 if seen == self.contexts.records else 0

    async def _every(self, do: str) -> None:
        """Have every context that was used, and is still there, do that."""

        async def stage(context: Context) -> None:
            with suppress(BrowserGoneError):
                await context.stage(do)

        async with trio.open_nursery() as nursery:
            for each in [each for each in self.contexts.all if each.used and not each.gone.is_set()]:
                nursery.start_soon(stage, each)


@asynccontextmanager
async def open_laboratory(
    kind: BrowserKind, *, extensions: Sequence[PlayerExtension] = EXTENSIONS, headless: bool = True
) -> AsyncGenerator[Laboratory]:
    """Start a browser with the player extensions for as long as the block runs; nothing is left of it afterwards.

    Args:
        kind: which browser.
        extensions: the players; the first one also opens and closes the tabs.
        headless: without a window.

    Raises:
        BrowserNotFoundError: it is not installed.
        BrowserStartError: it did not start.
        BrowserGoneError: it ended before the block did.
    """
    names = [each.name for each in extensions]
    contexts = Contexts()
    server = Server(contexts.serve)
    find_browser(kind)
    async with open_process() as process, trio.open_nursery() as nursery:
        await nursery.start(server.run)
        folders = [process.folder / "extensions" / name for name in names]
        for path, extension in zip(folders, extensions, strict=True):
            write_extension(path, kind, extension, server.write_settings(extension.name, extension.start))
        async with OPENERS[kind](process, *folders, headless=headless) as browser, trio.open_nursery() as watched:
            watched.start_soon(watch, process)
            await contexts.wait_until(lambda: set(names) <= set(contexts.backgrounds))
            yield Laboratory(browser, contexts, server.origin, names)
            watched.cancel_scope.cancel()
        nursery.cancel_scope.cancel()
