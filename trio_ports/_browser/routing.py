"""Routing: who hears a call, and how its opener is described. Decisions only: they change nothing and never wait.

Source: rules 2 to 4, 6 and 9.
"""

from __future__ import annotations

from collections.abc import Iterable

from .._protocol.dialects import Dialect
from .._protocol.senders import MessageSender, SenderTab
from .calls import Call
from .entries import ContextEntry, ExtensionEntry, FrameEntry, TabEntry
from .registry import Registry


def describe_opener(opener: ContextEntry, dialect: Dialect, *, by_tab: bool = False) -> MessageSender:
    """Return the ``sender`` that the receivers of a connection see; ``by_tab``: it is opened by ``tabs.connect``."""
    frame = opener.frame
    names_tab = frame is not None and (dialect.tabs_connect_names_tab or not by_tab)
    background = opener.kind == "background"
    return MessageSender(
        id=opener.extension_id,
        url=opener.url,
        origin=opener.origin if dialect.background_origin or by_tab or not background else None,
        tab=_describe_tab(frame.tab) if frame is not None and names_tab else None,
        frame_id=frame.id if frame is not None and names_tab else None,
        document_id=opener.document_id if names_tab or dialect.document_id_without_tab else None,
        document_lifecycle=_describe_lifecycle(opener, dialect) if names_tab else None,
        user_script_world_id=opener.world_id if dialect.names_user_script_world else None,
    )


def _describe_tab(tab: TabEntry) -> SenderTab:
    return SenderTab(tab.id, tab.url or "", tab.incognito)


def _describe_lifecycle(opener: ContextEntry, dialect: Dialect) -> str | None:
    is_prerendered = opener.frame is not None and opener.frame.is_prerendered
    return "prerender" if dialect.document_lifecycle and is_prerendered else dialect.document_lifecycle


def find_receivers(registry: Registry, call: Call, opener: ContextEntry | None) -> list[ContextEntry]:
    """Return the contexts that hear a call. The opener is None if it lives in another browser.

    There are none if the called extension or tab is not there, if nobody there listens, if the opener may not connect,
    and once the browser's block is being left; the opener cannot tell which.
    """
    if registry.leaving:
        return []
    if call.extension_id is None:
        return _find_in_tab(registry, call, opener)
    extension = registry.extensions.get(call.extension_id)
    if (
        extension is None
        or not extension.enabled
        or (call.external and not _lets_in(extension, registry.options.dialect, call))
    ):
        return []
    if call.incognito and not extension.may_be_private(registry.options.dialect):
        return []
    pages = [page for page in extension.pages if page is not opener and page.script.may_hear(call)]
    return [page for page in pages if _may_hear(page, extension, registry.options.dialect, call)]


def _may_hear(page: ContextEntry, extension: ExtensionEntry, dialect: Dialect, call: Call) -> bool:
    """Return whether one of an extension's pages hears a call, if it listens. Source: rules 65 and 66."""
    if extension.incognito == "split" and page.incognito != call.incognito:
        return False
    return page.view != "devtools" or dialect.devtools_hear_content_scripts or not call.from_script


def _lets_in(extension: ExtensionEntry, dialect: Dialect, call: Call) -> bool:
    """Return whether a connection from outside is let in. Source: rule 3."""
    key = extension.externally_connectable
    if call.opener_id is None:
        return key is not None and key.allows_page(call.opener_url)
    if key is None or not dialect.externally_connectable_for_extensions:
        return True
    return key.allows_extension(call.opener_id)


def _find_in_tab(registry: Registry, call: Call, opener: ContextEntry | None) -> list[ContextEntry]:
    """Return the contexts of the opener's extension that hear a ``tabs.connect``. Source: rule 4."""
    reaches_opener = registry.options.dialect.tabs_connect_reaches_opener
    return [
        context
        for frame in _find_frames(registry, call)
        for context in frame.contexts
        if context.extension is not None and context.extension.id == call.opener_id
        if context.script.event(call).listeners
        if context is not opener or reaches_opener
    ]


def _find_frames(registry: Registry, call: Call) -> Iterable[FrameEntry]:
    """Return the frames that a ``tabs.connect`` names. However many there are, it looks at no others."""
    tab = registry.tabs.get(call.tab_id or 0)
    if tab is None:
        return ()
    if call.document_id is None and call.frame_id is None:
        return [frame for frame in tab.frames.values() if not frame.is_prerendered]
    if call.document_id is None:
        frame = tab.frames.get(call.frame_id or 0)
        return () if frame is None else (frame,)
    frame = registry.documents.get(call.document_id)
    overrules = registry.options.dialect.document_id_overrules
    any_frame = call.frame_id is None or overrules == "tab and frame"
    any_tab = overrules == "tab and frame" or (overrules == "tab" and call.frame_id is None)
    if frame is None or not (any_tab or frame.tab is tab) or not (any_frame or frame.id == call.frame_id):
        return ()
    return (frame,)
