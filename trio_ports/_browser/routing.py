"""Who hears whom, and how an opener is described: decisions without side effects. Source: rules 2 to 4, 6 and 9."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._protocol.dialects import Dialect
from .._protocol.senders import MessageSender, SenderTab
from .._protocol.urls import origin_of

if TYPE_CHECKING:
    from .browser import Browser
    from .calls import Call
    from .contexts import ConnectEvent, Context
    from .extensions import Extension


def find_receivers(browser: Browser, call: Call, opener: Context | None) -> tuple[list[Context], ConnectEvent]:
    """Return the contexts of a browser that hear a call, and the event they hear.

    Nobody, where nobody is there, nobody listens, or the opener is not let in: the three look the same. Nobody either
    once the browser's block is being left.

    Args:
        browser: where to look.
        call: what is asked for.
        opener: who asks, if it lives in this browser.
    """
    if browser._leaving:
        return [], "on_connect"
    if call.extension_id is None:
        return _find_in_tab(browser, call, opener), "on_connect"
    extension = browser._extensions.get(call.extension_id)
    own = call.extension_id == call.opener_id
    event: ConnectEvent = "on_connect" if own else "on_connect_external"
    if extension is None or not (own or _lets_in(extension, browser._options.dialect, call)):
        return [], event
    return [page for page in extension._pages if page is not opener and page._listens(event)], event


def _lets_in(extension: Extension, dialect: Dialect, call: Call) -> bool:
    """Say whether a connection from outside is let in. Source: rule 3."""
    key = extension.externally_connectable
    if call.opener_id is None:
        return key is not None and key.allows_page(call.opener_url)
    if key is None or not dialect.externally_connectable_for_extensions:
        return True
    return key.allows_extension(call.opener_id)


def _find_in_tab(browser: Browser, call: Call, opener: Context | None) -> list[Context]:
    """Return the contexts of the opener's extension in a tab that hear a ``tabs.connect``."""
    dialect = browser._options.dialect
    frame_id, document_id = call.frame_id, call.document_id
    if document_id is not None and dialect.document_id_overrules == "tab and frame":
        frame_id = None
    tabs = [tab for tab in (browser._tabs.get(call.tab_id or 0),) if tab is not None]
    if tabs and document_id is not None and frame_id is None and dialect.document_id_overrules != "nothing":
        tabs = list(browser._tabs.values())
    return [
        context
        for tab in tabs
        for frame in tab.frames
        if frame_id is None or frame.id == frame_id
        for context in frame._contexts
        if document_id is None or context.document_id == document_id
        if context.extension is not None and context.extension.id == call.opener_id and context._listens("on_connect")
        if context is not opener or dialect.tabs_connect_reaches_opener
    ]


def describe_opener(opener: Context, *, by_tab: bool = False) -> MessageSender:
    """Return the ``sender`` that the receivers of a connection see.

    Args:
        opener: who connects.
        by_tab: it does so by ``tabs.connect``.
    """
    dialect = opener.browser._options.dialect
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
