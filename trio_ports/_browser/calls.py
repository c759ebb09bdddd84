"""Calls: what is asked for when somebody connects. A call is data, and may come from another browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, final

import attrs

from .._ports.connection import End
from .._protocol.senders import MessageSender

if TYPE_CHECKING:
    from .browser import Browser


@final
@attrs.frozen(kw_only=True)
class Call:
    """A ``runtime.connect`` or a ``tabs.connect``, as it concerns those who may hear it."""

    opener_id: str | None
    """The opener's extension; None for a web page."""
    opener_url: str
    """The page or frame that connects."""
    name: str
    """What the ports are called."""
    sender: MessageSender
    """What the receivers see of the opener."""
    extension_id: str | None = None
    """``runtime.connect``: whose pages are called; None in a ``tabs.connect``."""
    tab_id: int | None = None
    """``tabs.connect``: the tab; None in a ``runtime.connect``."""
    frame_id: int | None = None
    """Only this frame of the tab."""
    document_id: str | None = None
    """Only this document."""


class Elsewhere(Protocol):
    """The other browsers that a browser shares a bus with, as it sees them."""

    def peers(self) -> Sequence[str]:
        """Return the names of those that are there."""
        ...

    def call(self, call: Call, ends: Mapping[str, End], *, shared: bool) -> None:
        """Hand a call to other browsers; never waits.

        Args:
            call: what is asked for.
            ends: the receiver's end for each of them, by name, which now belongs to this object.
            shared: there are other receivers than those at a single one of these ends.
        """


class Bus(Protocol):
    """What `open_browser` can be given to act as one with other browsers; `trio_ports.bus` opens them."""

    def share(self, browser: Browser) -> AbstractAsyncContextManager[Elsewhere]:
        """Let the other browsers of the bus reach ``browser``, with `Browser.answer`, as long as the block lasts."""
        ...
