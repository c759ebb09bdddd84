"""Ports for Trio: named, two-way connections that end exactly once."""

from ._browser.browser import Browser, open_browser
from ._browser.contexts import Context
from ._browser.extensions import Extension
from ._browser.runtime import Runtime, Tabs
from ._browser.tabs import Frame, Tab
from ._ports.events import Event
from ._ports.observers import (
    Delivered,
    Disconnected,
    Dropped,
    ListenerFailed,
    Observation,
    Observer,
    Opened,
    Posted,
)
from ._ports.pair import open_port_pair
from ._ports.port import Port, PortStatistics
from ._protocol.errors import (
    ApplicationNameError,
    Cause,
    FrameTooLargeError,
    LocalProtocolError,
    MalformedMessageError,
    ManifestError,
    MessageShapeError,
    MessageTooLargeError,
    NativeApplicationError,
    NotSerializableError,
    PortError,
    ProtocolError,
    RemoteProtocolError,
    TruncatedError,
)
from ._protocol.senders import MessageSender, SenderTab
from ._transports.streams import open_stream_port

__all__ = [
    "ApplicationNameError",
    "Browser",
    "Cause",
    "Context",
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
    "SenderTab",
    "Tab",
    "Tabs",
    "TruncatedError",
    "open_browser",
    "open_port_pair",
    "open_stream_port",
]
