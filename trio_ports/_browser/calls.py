"""Calls: what is asked for when somebody connects. A call is data, and may come from another browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias, final

import attrs

from .._ports.connection import End
from .._protocol.senders import MessageSender


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

    def call(self, call: Call, ends: Mapping[str, End]) -> None:
        """Hand a call to other browsers; never waits.

        Args:
            call: what is asked for.
            ends: the receiver's end for each of them, by name, which now belongs to this object.
        """


Answer: TypeAlias = Callable[[Call], End | None]
"""Connects an opener that lives elsewhere to whoever hears its call here, and returns its end; None if nobody does."""


class Bus(Protocol):
    """What `open_browser` can be given to act as one with other browsers; `trio_ports.bus` opens them."""

    def share(self, answer: Answer, *, max_message_bytes: float) -> AbstractAsyncContextManager[Elsewhere]:
        """Let the other browsers of the bus reach one, as long as the block lasts.

        Args:
            answer: of that browser, to the others' calls.
            max_message_bytes: the largest encoded message that it takes.
        """
        ...
