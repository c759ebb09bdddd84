"""Navigation: what becomes of a document when its tab or frame goes elsewhere, and comes back. Source: rules 48 to 50.

A tab has a list of visits, as its back button shows them. Visits of one document follow each other when only the
address has changed. A document that is left ends, unless the browser has a back/forward cache: then it is put aside
with everything that runs in it, until the tab goes back to it or forgets it.
"""

from __future__ import annotations

import attrs

from .._ports.failures import crashed
from .._protocol.contexts import ContextHappening, ContextState
from .._protocol.errors import PortError
from .._protocol.urls import Url
from .entries import CachedDocument, ContextEntry, FrameEntry, TabEntry, Visit
from .injecting import inject_registered
from .ports import freeze, thaw
from .registry import Registry


def open_tab(registry: Registry, url: Url, *, incognito: bool = False) -> TabEntry:
    """Add a tab that shows a document."""
    tab = registry.open_tab(url, incognito=incognito)
    inject_registered(registry, tab.frames[0])
    return tab


def open_frame(registry: Registry, parent: FrameEntry, url: Url, *, sandboxed: bool) -> FrameEntry:
    """Add a frame to the document that another frame shows."""
    frame = registry.open_frame(parent.tab, url, parent=parent, sandboxed=sandboxed)
    inject_registered(registry, frame)
    return frame


def prerender(registry: Registry, tab: TabEntry, url: Url) -> FrameEntry:
    """Prepare a document that a tab may show next. Source: rule 67."""
    frame = registry.prerender(tab, url)
    inject_registered(registry, frame)
    return frame


def activate(registry: Registry, frame: FrameEntry) -> None:
    """Show a document that was prepared. The one that the tab has shown ends, as if it could not be put aside."""
    registry.activate(frame)
    _visit(registry, frame.tab, Visit(frame.address, frame.document_id))


def navigate(registry: Registry, frame: FrameEntry, url: Url) -> None:
    """Show another document in a frame, or only another part of the same one, if nothing but a fragment is new."""
    if url.fragment and attrs.evolve(url, fragment="") == attrs.evolve(frame.address, fragment=""):
        change_address(frame, url)
        return
    if frame.id == 0:
        _leave_document(registry, frame.tab)
        _visit(registry, frame.tab, Visit(url, ""))
    registry.load_document(frame, url)
    inject_registered(registry, frame)


def change_address(frame: FrameEntry, url: Url) -> None:
    """Change the address of the document that a frame shows, as ``history.pushState`` does. Everything in it stays."""
    frame.address = url
    if frame.id == 0:
        _visit_only(frame.tab, Visit(url, frame.document_id))


def _visit_only(tab: TabEntry, visit: Visit) -> None:
    del tab.visits[tab.position + 1 :]
    tab.visits.append(visit)
    tab.position += 1


def _visit(registry: Registry, tab: TabEntry, visit: Visit) -> None:
    _visit_only(tab, visit)
    for document_id in set(tab.cache) - {each.document_id for each in tab.visits}:
        forget_document(registry, tab, document_id)


def go_to(registry: Registry, tab: TabEntry, position: int) -> None:
    """Show an earlier or a later visit again: the same document if it is still there, otherwise it is loaded anew."""
    top, visit = tab.frames[0], tab.visits[position]
    if visit.document_id == top.document_id:
        tab.position, top.address = position, visit.url
        return
    _leave_document(registry, tab)
    tab.position = position
    cached = tab.cache.pop(visit.document_id, None)
    if cached is not None:
        _bring_back(registry, tab, cached)
    else:
        _load_again(registry, tab)


def reload(registry: Registry, tab: TabEntry) -> None:
    """Load the document that a tab shows anew."""
    _load_again(registry, tab)


def discard(registry: Registry, tab: TabEntry) -> None:
    """Free the memory of a tab: everything in it ends, and it can only be loaded again."""
    unload_tab(registry, tab)
    if registry.options.dialect.discard_renews_tab_id:
        registry.renew_tab_id(tab)


def crash(registry: Registry, tab: TabEntry) -> None:
    """Let the process of a tab crash: everything in it ends."""
    unload_tab(registry, tab, crashed())


def unload_tab(registry: Registry, tab: TabEntry, error: PortError | None = None) -> None:
    """End everything in a tab, which stays, and shows nothing that runs."""
    for document_id in tuple(tab.cache):
        forget_document(registry, tab, document_id)
    for frame in tuple(tab.frames.values()):
        for context in (*frame.contexts, *frame.orphans):
            registry.close_context(context, error)
    registry.load_document(tab.frames[0], tab.visits[tab.position].url)


def _load_again(registry: Registry, tab: TabEntry) -> None:
    visit = tab.visits[tab.position]
    before = visit.document_id
    registry.load_document(tab.frames[0], visit.url)
    for other in tab.visits:
        if other.document_id == before:
            other.document_id = visit.document_id
    inject_registered(registry, tab.frames[0])


# The back/forward cache ---------------------------------------------------------------------------------------------


def _leave_document(registry: Registry, tab: TabEntry) -> None:
    """Put the document that a tab shows aside, if the browser does that; otherwise it ends when another is loaded.

    No browser keeps a document of an extension.
    """
    contexts = [context for frame in tab.frames.values() for context in frame.contexts]
    if not registry.back_forward_cache or any(context.kind == "page" for context in contexts):
        return
    top = tab.frames[0]
    cached = CachedDocument(
        loaded_url=top.loaded_url,
        origin=top.origin,
        document_id=top.document_id,
        contexts=top.contexts,
        orphans=top.orphans,
        frames=tuple(tab.frames.values())[1:],
    )
    top.contexts, top.orphans = {}, {}
    tab.cache[top.document_id] = cached
    for frame in (top, *cached.frames):
        del registry.documents[frame.document_id]
    for frame in cached.frames:
        del tab.frames[frame.id]
    for context in cached.all_contexts():
        context.script.happen(ContextHappening.PUT_ASIDE)
        context.script.withdraw_pending()
        freeze(context.script.scope, registry.options.dialect)


def _bring_back(registry: Registry, tab: TabEntry, cached: CachedDocument) -> None:
    top = tab.frames[0]
    registry.unload_document(top)
    top.address, top.loaded_url, top.origin = tab.visits[tab.position].url, cached.loaded_url, cached.origin
    top.document_id = cached.document_id
    top.contexts, top.orphans = _alive(cached.contexts), _alive(cached.orphans)
    for frame in cached.frames:
        tab.frames[frame.id] = frame
    for frame in tab.frames.values():
        registry.documents[frame.document_id] = frame
    for context in cached.all_contexts():
        if context.script.state is not ContextState.GONE:
            context.script.happen(ContextHappening.BROUGHT_BACK)
            thaw(context.script.scope, registry.options.dialect)


def _alive(contexts: dict[ContextEntry, None]) -> dict[ContextEntry, None]:
    return {context: None for context in contexts if context.script.state is not ContextState.GONE}


def forget_document(registry: Registry, tab: TabEntry, document_id: str) -> None:
    """End a document that was put aside. Going back to it loads it anew."""
    for context in tab.cache.pop(document_id).all_contexts():
        registry.close_context(context)
