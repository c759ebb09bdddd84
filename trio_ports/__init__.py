"""Ports for Trio: named, two-way connections that end exactly once."""

from typing import TYPE_CHECKING

from ._ports.events import Event
from ._ports.observers import Delivered, Disconnected, Dropped, ListenerFailed, Observation, Observer, Opened, Posted
from ._ports.pair import open_port_pair
from ._ports.port import Port, PortStatistics
from ._protocol.errors import (
    AlreadyInstalledError,
    AlreadyListeningError,
    ApplicationNameError,
    Cause,
    ContextInvalidatedError,
    FrameTooLargeError,
    LocalProtocolError,
    MalformedMessageError,
    ManifestError,
    MessageShapeError,
    MessageTooLargeError,
    NativeApplicationError,
    NoAnswerError,
    NoHomeError,
    NotSerializableError,
    PortError,
    ProtocolError,
    RemoteProtocolError,
    TruncatedError,
)
from ._protocol.senders import MessageSender, SenderTab
from ._util import imported_on_demand

if TYPE_CHECKING:
    from ._browser.answering import SendResponse
    from ._browser.browser import Background, Browser, Context, Extension, Frame, Tab
    from ._browser.opening import open_browser
    from ._browser.runtime import Runtime, Tabs
    from ._transports.streams import open_stream_port, open_stream_port_in
else:
    # A native application is started for every connection, so its imports have to be
    # quick, and it has no use for a browser.
    __getattr__, __dir__ = imported_on_demand(
        __name__,
        {
            "._browser.answering": ["SendResponse"],
            "._browser.browser": ["Background", "Browser", "Context", "Extension", "Frame", "Tab"],
            "._browser.opening": ["open_browser"],
            "._browser.runtime": ["Runtime", "Tabs"],
            "._transports.streams": ["open_stream_port", "open_stream_port_in"],
        },
    )


__all__ = [
    "AlreadyInstalledError",
    "AlreadyListeningError",
    "ApplicationNameError",
    "Background",
    "Browser",
    "Cause",
    "Context",
    "ContextInvalidatedError",
    "Delivered",
    "Disconnected",
    "Dropped",
    "Event",
    "Extension",
    "Frame",
    "FrameTooLargeError",
    "ListenerFailed",
    "LocalProtocolError",
    "MalformedMessageError",
    "ManifestError",
    "MessageSender",
    "MessageShapeError",
    "MessageTooLargeError",
    "NativeApplicationError",
    "NoAnswerError",
    "NoHomeError",
    "NotSerializableError",
    "Observation",
    "Observer",
    "Opened",
    "Port",
    "PortError",
    "PortStatistics",
    "Posted",
    "ProtocolError",
    "RemoteProtocolError",
    "Runtime",
    "SendResponse",
    "SenderTab",
    "Tab",
    "Tabs",
    "TruncatedError",
    "open_browser",
    "open_port_pair",
    "open_stream_port",
    "open_stream_port_in",
]
