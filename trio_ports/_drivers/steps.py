"""What a player can be told to do: plain data, which the functions of ``player.js`` carry out.

Ports have labels, in each context its own. The one who opens a port chooses its label; a port that was received is
labelled with its connection's name, or ``@1``, ``@2`` … where that is empty or taken. Within a listener's actions
``None`` is the event's own port.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

Step = dict[str, Any]
EventName = Literal["on_connect", "on_connect_external", "on_message", "on_disconnect"]


def connect(port: str, *, name: str = "", extension: str | None = None) -> Step:
    """``runtime.connect``, to one's own extension or to the one with that id."""
    return {"do": "connect", "port": port, "name": name, "extension": extension}


def tabs_connect(port: str, tab: int, *, name: str = "", frame: int | None = None, document: str | None = None) -> Step:
    """``tabs.connect``, from a background or an extension page."""
    return {"do": "tabs_connect", "port": port, "name": name, "tab": tab, "frame": frame, "document": document}


def connect_native(port: str, application: str) -> Step:
    """``runtime.connectNative``."""
    return {"do": "connect_native", "port": port, "application": application}


def post(port: str | None, message: Any) -> Step:
    """``port.postMessage``. ``{"$": "undefined"}`` and the like stand for values that JSON lacks; see SPECIAL."""
    return {"do": "post", "port": port, "message": message}


def echo(port: str | None = None) -> Step:
    """Post the message that a listener was called with."""
    return {"do": "echo", "port": port}


def disconnect(port: str | None = None) -> Step:
    """``port.disconnect``."""
    return {"do": "disconnect", "port": port}


def add_listener(event: EventName, listener: str, *actions: Step, port: str | None = None) -> Step:
    """``addListener`` of a listener that reports its call and then carries out the actions.

    A listener's name and event say which function it is: the same one again is the same function, with the actions
    that it had at first.
    """
    return {"do": "add_listener", "event": event, "listener": listener, "port": port, "actions": actions}


def remove_listener(event: EventName, listener: str, *, port: str | None = None) -> Step:
    """``removeListener``."""
    return {"do": "remove_listener", "event": event, "listener": listener, "port": port}


def has_listener(event: EventName, listener: str, *, port: str | None = None) -> Step:
    """``hasListener``; the result's value."""
    return {"do": "has_listener", "event": event, "listener": listener, "port": port}


def describe(port: str | None = None) -> Step:
    """Return the port's name, sender and error as the result's value."""
    return {"do": "describe", "port": port}


def throw(text: str) -> Step:
    """Raise out of the listener: the last of its actions."""
    return {"do": "throw", "text": text}


def listen(event: Literal["on_connect", "on_connect_external"] = "on_connect", *actions: Step) -> Step:
    """Listen for connections, and to everything that comes from them; then carry out the actions."""
    return add_listener(event, event, *hear(None), *actions)


def hear(port: str | None) -> Sequence[Step]:
    """Listen to a port's messages and to its end."""
    return add_listener("on_message", "message", port=port), add_listener("on_disconnect", "disconnect", port=port)
