"""Calls: what is asked for when somebody connects, as data; and how a browser and a bus hand them to each other.

A call may come from another browser. What `trio_ports.bus` knows of a browser is in this file, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias, final

import attrs

from .._ports.connection import End
from .._protocol.dialects import NO_RECEIVER_TEXT
from .._protocol.errors import Cause, PortError
from .._protocol.senders import MessageSender


@final
@attrs.frozen(kw_only=True)
class Call:
    """A ``runtime.connect`` or a ``tabs.connect``, or one-shot message, as far as its receivers are concerned."""

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
    incognito: bool = False
    """The opener is in a private window."""
    from_script: bool = False
    """The opener is a content script."""
    from_user_script: bool = False
    """The opener is a user script, which fires events of its own."""
    one_shot: bool = False
    """It is a one-shot message, which fires on_message: one message from the opener, and at most one answer."""

    @property
    def external(self) -> bool:
        """It fires the ``_external`` event: another extension is called, or a web page calls."""
        return self.extension_id is not None and self.extension_id != self.opener_id


def no_receiver() -> PortError:
    """Return the error of a call that reaches nobody: one text for absent and forbidden. Source: rule 6."""
    return PortError(NO_RECEIVER_TEXT, cause=Cause.NO_RECEIVER)


# A browser and its bus ------------------------------------------------------------------------------------------------


class Elsewhere(Protocol):
    """The other browsers that a browser shares a bus with, as it sees them."""

    def peers(self) -> Sequence[str]:
        """Return the names of those that are there."""
        ...

    def call(self, call: Call, ends: Mapping[str, End]) -> None:
        """Hand a call to other browsers; never waits. Owns ``ends``: the receiver's end for each of them, by name."""


Answer: TypeAlias = Callable[[Call], End | None]
"""Connects an opener in another browser to the receivers in this one and returns its end; None if there are none."""


class Bus(Protocol):
    """What `open_browser` can be given to act as one with other browsers; `trio_ports.bus` opens them."""

    def share(self, answer: Answer, *, max_message_bytes: float) -> AbstractAsyncContextManager[Elsewhere]:
        """Let the other browsers of the bus reach this one for the block, with messages of at most that many bytes."""
        ...
