"""Who hears whom, and how an opener is described: decisions without side effects. Source: rules 2 to 4, 6 and 9."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._protocol.patterns import origin_of
from .._protocol.senders import MessageSender, SenderTab

if TYPE_CHECKING:
    from .contexts import ConnectEvent, Context
    from .extensions import Extension


def find_pages(opener: Context, extension_id: str) -> tuple[list[Context], ConnectEvent]:
    """Return the pages of an extension that hear a ``runtime.connect`` from ``opener``, and the event they hear.

    Nobody, where nobody is there, nobody listens, or the opener is not let in: the three look the same.
    """
    extension = opener.browser.extensions.get(extension_id)
    own = extension is not None and opener.extension is extension
    event: ConnectEvent = "on_connect" if own else "on_connect_external"
    if extension is None or not (own or _lets_in(extension, opener)):
        return [], event
    pages = (context for context in extension.contexts if context.kind in ("background", "page"))
    return [context for context in pages if context is not opener and context.listens(event)], event


def _lets_in(extension: Extension, opener: Context) -> bool:
    """Say whether a connection from outside is let in. Source: rule 3."""
    dialect = opener.browser.setup.dialect
    key = extension.externally_connectable
    if opener.extension is None:
        return key is not None and key.allows_page(opener.url)
    if key is None or not dialect.externally_connectable_for_extensions:
        return True
    return key.allows_extension(opener.extension.id)


def find_in_tab(opener: Context, tab_id: int, frame_id: int | None, document_id: str | None) -> list[Context]:
    """Return the contexts of the opener's extension in a tab that hear a ``tabs.connect``."""
    dialect = opener.browser.setup.dialect
    tab = opener.browser.tabs.get(tab_id)
    if tab is None:
        return []
    if document_id is not None:
        overrules = dialect.document_id_overrules
        frame_id = None if overrules == "tab and frame" else frame_id
        tabs = (tab,) if overrules == "nothing" or frame_id is not None else opener.browser.tabs.values()
    else:
        tabs = (tab,)
    return [
        context
        for each in tabs
        for frame in each.frames
        if frame_id is None or frame.id == frame_id
        for context in frame.contexts
        if document_id is None or context.document_id == document_id
        if context.extension is opener.extension and context.listens("on_connect")
        if context is not opener or dialect.tabs_connect_reaches_opener
    ]


def describe_opener(opener: Context, *, by_tab: bool = False) -> MessageSender:
    """Return the ``sender`` that the receivers of a connection see.

    Args:
        opener: who connects.
        by_tab: it does so by ``tabs.connect``.
    """
    dialect = opener.browser.setup.dialect
    frame = opener.frame
    names_tab = frame is not None and (dialect.tabs_connect_names_tab or not by_tab)
    background = opener.kind == "background"
    return MessageSender(
        id=None if opener.extension is None else opener.extension.id,
        url=opener.url,
        origin=origin_of(opener.url) if dialect.background_origin or by_tab or not background else None,
        tab=SenderTab(frame.tab.id, frame.tab.url or "") if frame is not None and names_tab else None,
        frame_id=frame.id if frame is not None and names_tab else None,
        document_id=opener.document_id if names_tab or dialect.document_id_without_tab else None,
        document_lifecycle=dialect.document_lifecycle if names_tab else None,
    )
