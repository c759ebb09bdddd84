"""The registry: everything that is in one browser, and what opening and closing each of these means for the others."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import get_ident
from typing import Any, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._ports.failures import closed_scope_error
from .._ports.observers import joined
from .._ports.options import Options
from .._ports.scopes import Scope
from .._protocol.contexts import ContextState
from .._protocol.errors import ContextInvalidatedError, LocalProtocolError, PortError
from .._protocol.patterns import ExternallyConnectable
from .._protocol.urls import OPAQUE_ORIGIN, Url, parse_url
from .._util import require_trio
from .calls import Elsewhere
from .entries import (
    BLANK,
    BackgroundEntry,
    ContextEntry,
    ContextKind,
    ExtensionEntry,
    FrameEntry,
    Incognito,
    TabEntry,
    View,
)
from .idle import IdleClock
from .script import Script


@final
@attrs.define(eq=False, repr=False)
class Registry:
    """Everything that is in one browser."""

    options: Options
    """How its ports behave."""
    manifest_folders: tuple[Path, ...] | None
    """Where native manifests are looked for; None: where the browsers look."""
    first_number: int
    """Where it begins to count, up to 2 to the 32: browsers that share a bus must not give the same numbers."""
    back_forward_cache: bool = attrs.field(default=False, kw_only=True)
    """A page that its tab leaves is put aside, and not ended."""
    nursery: trio.Nursery = attrs.field(init=False)
    """Where its tasks run: in the block of `open_browser`."""
    face: Any = attrs.field(default=None, init=False)
    """The `Browser` that shows it."""
    extensions: dict[str, ExtensionEntry] = attrs.field(factory=dict[str, ExtensionEntry], init=False)
    """The installed extensions, by id."""
    tabs: dict[int, TabEntry] = attrs.field(factory=dict[int, TabEntry], init=False)
    """The open tabs, by id."""
    documents: dict[str, FrameEntry] = attrs.field(factory=dict[str, FrameEntry], init=False)
    """The frame that shows a document, by the document's id."""
    contexts: dict[ContextEntry, None] = attrs.field(factory=dict[ContextEntry, None], init=False)
    """The live contexts, in the order they were opened."""
    elsewhere: Elsewhere | None = attrs.field(default=None, init=False)
    """The other browsers on its bus, if it is on one."""
    leaving: bool = attrs.field(default=False, init=False)
    """Its block is being left: what listeners open meanwhile reaches nobody."""
    closed: bool = attrs.field(default=False, init=False)
    _thread: int = attrs.field(factory=get_ident, init=False)
    _document_ids: Iterator[int] = attrs.field(init=False)
    _tab_ids: Iterator[int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # JavaScript's numbers are exact up to 2 to the 53.
        self._document_ids = itertools.count((self.first_number << 64) + 1)
        self._tab_ids = itertools.count((self.first_number << 20) + 1)

    def require_here(self, what: str) -> None:
        """Raise RuntimeError unless ``what`` is called in the Trio run that this browser lives in."""
        require_trio(what, self._thread)

    def require_open(self) -> None:
        """Raise trio.ClosedResourceError after the end of the browser's block."""
        if self.closed:
            raise trio.ClosedResourceError("this browser is closed: the block of open_browser has ended")

    def require_live(self, context: ContextEntry, what: str) -> None:
        """Raise as `require_here`, or trio.ClosedResourceError in a context that is closed.

        An orphan raises ContextInvalidatedError instead, where there are any.
        """
        require_trio(what, self._thread)
        if context.script.scope.invalidated:
            raise ContextInvalidatedError
        if context.script.closed:
            raise closed_scope_error(f"{context!r} is closed")
        if context.script.state is ContextState.FROZEN:
            text = f"nothing runs in {context!r}: its page is in the back/forward cache; tab.go_back() brings it back"
            raise LocalProtocolError(text)

    def install(
        self,
        extension_id: str,
        key: ExternallyConnectable | None,
        incognito: Incognito = "spanning",
        *,
        incognito_access: bool = False,
    ) -> ExtensionEntry:
        """Add an extension. Each installation has an address of its own, where the dialect's addresses say so."""
        installation = uuid.uuid5(uuid.NAMESPACE_URL, f"{extension_id!r}#{self._new_document_id()}")
        url = self.options.dialect.extension_url.format(id=extension_id, uuid=installation)
        extension = ExtensionEntry(
            id=extension_id,
            base_url=url,
            externally_connectable=key,
            incognito=incognito,
            incognito_access=incognito_access,
        )
        self.extensions[extension_id] = extension
        return extension

    def open_tab(self, url: Url, *, incognito: bool = False) -> TabEntry:
        """Add a tab with its top frame."""
        tab = TabEntry(id=next(self._tab_ids), incognito=incognito)
        self.tabs[tab.id] = tab
        self.open_frame(tab, url)
        return tab

    def open_frame(
        self, tab: TabEntry, url: Url, *, parent: FrameEntry | None = None, sandboxed: bool = False
    ) -> FrameEntry:
        """Add a frame to another frame of a tab, or the top frame. A sandbox is round everything that is in it."""
        sandboxed = sandboxed or (parent is not None and parent.sandboxed)
        frame = FrameEntry(tab=tab, id=next(tab.frame_ids), parent=parent, sandboxed=sandboxed)
        tab.frames[frame.id] = frame
        self._show_document(frame, BLANK if url.scheme == "javascript" else url)
        return frame

    def load_document(self, frame: FrameEntry, url: Url) -> None:
        """Show another document in a frame. What ran there ends; the frames in it close."""
        self.unload_document(frame)
        self._show_document(frame, url)

    def unload_document(self, frame: FrameEntry) -> None:
        """End what runs in a frame's document, if that is still there; the frames in it close."""
        for other in tuple(frame.tab.frames.values())[1:] if frame.id == 0 else frame.frames_within():
            self._remove_frame(other)
        self._end_document(frame)

    def prerender(self, tab: TabEntry, url: Url) -> FrameEntry:
        """Add a frame that may become the tab's top frame."""
        frame = FrameEntry(tab=tab, id=next(tab.frame_ids), parent=None, sandboxed=False, prerendered=True)
        tab.frames[frame.id] = frame
        self._show_document(frame, url)
        return frame

    def activate(self, frame: FrameEntry) -> None:
        """Show what was prerendered: its frame is the top one now, and what the tab has shown ends."""
        tab = frame.tab
        within = frame.frames_within()
        for other in tuple(tab.frames.values()):
            if other is not frame and other not in within:
                self._remove_frame(other)
        del tab.frames[frame.id]
        frame.id, frame.prerendered = 0, False
        tab.frames = {0: frame, **tab.frames}

    def close_frame(self, frame: FrameEntry) -> None:
        """Remove a frame and those in it; with a top frame the tab closes. Idempotent."""
        if frame.id == 0:
            self.close_tab(frame.tab)
        elif not frame.closed:
            for each in (frame, *frame.frames_within()):
                self._remove_frame(each)

    def close_tab(self, tab: TabEntry) -> None:
        """Remove a tab and its frames. Idempotent."""
        self.tabs.pop(tab.id, None)
        for frame in tuple(tab.frames.values()):
            self._remove_frame(frame)
        for cached in tab.cache.values():
            for context in cached.all_contexts():
                self.close_context(context)
        tab.cache.clear()

    def _remove_frame(self, frame: FrameEntry) -> None:
        del frame.tab.frames[frame.id]
        self._end_document(frame)

    def renew_tab_id(self, tab: TabEntry) -> None:
        """Give a tab another number."""
        del self.tabs[tab.id]
        tab.id = next(self._tab_ids)
        self.tabs[tab.id] = tab

    def _show_document(self, frame: FrameEntry, url: Url) -> None:
        creator = OPAQUE_ORIGIN if frame.parent is None else frame.parent.origin
        frame.origin = OPAQUE_ORIGIN if frame.sandboxed else url.origin(creator)
        frame.address, frame.loaded_url, frame.document_id = url, str(url), self._new_document_id()
        self.documents[frame.document_id] = frame
        if frame.id == 0:
            visit = frame.tab.visits[frame.tab.position]
            visit.url, visit.document_id = url, frame.document_id

    def _end_document(self, frame: FrameEntry) -> None:
        self.documents.pop(frame.document_id, None)
        for context in (*frame.contexts, *frame.orphans):
            self.close_context(context)

    def _new_document_id(self) -> str:
        return f"{next(self._document_ids):032X}"

    def open_page(
        self,
        extension: ExtensionEntry,
        url: Url,
        tab: TabEntry | None,
        *,
        view: View | None = None,
        incognito: bool = False,
    ) -> ContextEntry:
        """Open one of an extension's pages, in a tab or in none.

        Without a tab, the first page that is not a view is the background. In a tab, the page takes the top frame if no
        script runs there, and otherwise gets a frame of its own.
        """
        if view is not None:
            return self._open_view(extension, url, view, incognito=incognito)
        if tab is None:
            kind: ContextKind = "page" if self.has_background(extension, incognito=incognito) else "background"
            return self._open_context(kind, str(url), url.origin(), extension, incognito=incognito)
        frame = tab.frames[0]
        if frame.contexts:
            frame = self.open_frame(tab, url, parent=frame)
        else:
            self.load_document(frame, url)
        return self._open_context("page", frame.url, frame.origin, extension, frame)

    def has_background(self, extension: ExtensionEntry, *, incognito: bool = False) -> bool:
        """Return whether an extension has a background, be it asleep; or one for private windows only."""
        return any(page.kind == "background" and page.incognito == incognito for page in extension.pages)

    def put_to_sleep(self, background: BackgroundEntry) -> None:
        """Give a background a context that is asleep. Source: rule 44."""
        idle = IdleClock(background.idle_seconds, self.options.dialect)
        observers = [idle.observe] if self.options.observer is None else [idle.observe, self.options.observer]
        script = Script(
            attrs.evolve(self.options, observer=joined(observers)),
            Scope(self.nursery, background.variables),
            state=ContextState.ASLEEP,
            first_turn=trio.Event(),
            idle=idle,
        )
        url = background.url
        background.context = self._open_context(
            "background", str(url), url.origin(), background.extension, script=script
        )

    def set_apart(self, context: ContextEntry) -> None:
        """Let nobody reach a content script whose extension has gone; a new one may run beside it."""
        assert context.frame is not None, "a content script has a frame"
        assert context.extension is not None, "and an extension"
        del context.frame.contexts[context]
        del context.extension.contexts[context]
        context.frame.orphans[context] = None

    def _open_view(self, extension: ExtensionEntry, url: Url, view: View, *, incognito: bool) -> ContextEntry:
        frame = None
        if view == "options" and self.options.dialect.options_in_tab:
            frame = self.open_tab(parse_url("about:addons"), incognito=incognito).frames[0]
        page = self._open_context("page", str(url), url.origin(), extension, frame, incognito=incognito)
        page.view = view
        return page

    def open_script(self, frame: FrameEntry, extension: ExtensionEntry | None) -> ContextEntry:
        """Return the context of an extension's content script, or of the web page itself, in a frame's document."""
        kind: ContextKind = "web_page" if extension is None else "content_script"
        for context in frame.contexts:
            if context.kind == kind and context.extension is extension:
                return context
        return self._open_context(kind, frame.loaded_url, frame.origin, extension, frame)

    def open_user_script(self, frame: FrameEntry, extension: ExtensionEntry, world_id: str) -> ContextEntry:
        """Return the context of an extension's user scripts of one world in a frame's document."""
        for context in frame.contexts:
            if context.kind == "user_script" and context.extension is extension and context.world_id == world_id:
                return context
        context = self._open_context("user_script", frame.url, frame.origin, extension, frame)
        context.world_id = world_id
        return context

    def _open_context(
        self,
        kind: ContextKind,
        url: str,
        origin: str,
        extension: ExtensionEntry | None,
        frame: FrameEntry | None = None,
        *,
        script: Script | None = None,
        incognito: bool = False,
    ) -> ContextEntry:
        document_id = self._new_document_id() if frame is None else frame.document_id
        context = ContextEntry(
            kind=kind,
            url=url,
            origin=origin,
            document_id=document_id,
            script=script or Script(self.options, Scope(self.nursery)),
            extension=extension,
            frame=frame,
            incognito=incognito if frame is None else frame.tab.incognito,
        )
        self.contexts[context] = None
        if frame is not None:
            frame.contexts[context] = None
        if extension is not None:
            extension.contexts[context] = None
            if kind not in ("content_script", "user_script"):
                extension.pages[context] = None
        return context

    def close_context(self, context: ContextEntry, error: PortError | None = None) -> None:
        """End a context: cancel its tasks, disconnect its ports with ``error`` for the other sides. Idempotent."""
        if context.script.state is ContextState.GONE:
            return
        del self.contexts[context]
        if context.frame is not None:
            context.frame.contexts.pop(context, None)
            context.frame.orphans.pop(context, None)
        if context.extension is not None:
            context.extension.contexts.pop(context, None)
            context.extension.pages.pop(context, None)
        context.script.close(error)
        background = None if context.extension is None else context.extension.background
        if background is not None and background.context is context:
            background.context = None
            if background.extension.is_there and not self.leaving:
                self.put_to_sleep(background)

    def peers(self) -> Sequence[str]:
        """Return the names of the other browsers on its bus that can be called."""
        return () if self.elsewhere is None or self.leaving else self.elsewhere.peers()

    @enable_ki_protection
    async def close(self, error: PortError | None) -> None:
        """Close the contexts in order, each after what was under way has reached its listeners; then the tabs."""
        self.leaving = True
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()  # A task that is about to use a port first learns that it is cancelled.
        for context in tuple(self.contexts):
            await context.script.settle(error)
            self.close_context(context, error)
        self.closed = True
        for context in tuple(self.contexts):  # Listeners have opened these meanwhile.
            self.close_context(context, error)
        for tab in tuple(self.tabs.values()):
            self.close_tab(tab)
