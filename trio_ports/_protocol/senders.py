"""The sender: who opened a connection, as its receivers see it. Source: MDN, ``runtime.MessageSender``."""

from __future__ import annotations

from typing import Final, final

import attrs


@final
@attrs.frozen
class SenderTab:
    """The tab that the opener lives in, as it was when the connection was opened."""

    id: int
    """The tab's id, unique in its browser."""
    url: str
    """The address that the tab showed."""
    incognito: bool = False
    """The tab is in a private window."""


@final
@attrs.frozen
class MessageSender:
    """Who opened a connection. A field is None if it is unknown or does not apply."""

    id: str | None = None
    """The opener's extension; None for a web page."""
    url: str | None = None
    """The page or frame that opened the connection."""
    origin: str | None = None
    """The opener's origin: scheme, host and port. A frame without an address of its own, such as ``about:blank``, has
    that of the page it is in. ``"null"`` in sandboxed frames, and of ``data:``, which are nobody's."""
    tab: SenderTab | None = None
    """The tab, if the opener lives in one."""
    frame_id: int | None = None
    """The frame in that tab, 0 for the top one, if the opener lives in a tab."""
    document_id: str | None = None
    """The document; a navigation replaces it by another one."""
    document_lifecycle: str | None = None
    """In Chromium ``"active"``, or ``"prerender"`` if the document is not shown yet; otherwise None."""
    tls_channel_id: str | None = None
    """The TLS channel of a web page that asked for it to be passed on."""
    native_application: str | None = None
    """The native application that opened the connection."""
    user_script_world_id: str | None = None
    """The user-script world that opened the connection."""


UNKNOWN_SENDER: Final = MessageSender()
"""The sender at a receiving end of which nothing is known."""
