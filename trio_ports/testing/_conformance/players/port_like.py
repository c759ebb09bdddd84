"""What a port must have to be checked, as types that checkers verify."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class EventLike(Protocol):
    """An event of a port: ``on_message`` or ``on_disconnect``."""

    def add_listener(self, listener: Callable[..., Any], /) -> object:
        """Add a listener, which is called with ``(message, port)`` or ``(port)``. Some listeners are async."""
        raise NotImplementedError

    def remove_listener(self, listener: Callable[..., Any], /) -> object:
        """Remove a listener, if it is there."""
        raise NotImplementedError

    def has_listener(self, listener: Callable[..., Any], /) -> bool:
        """Return whether a listener is there."""
        raise NotImplementedError


class PortLike(Protocol):
    """An end of a connection that `check_port` can check.

    Say ``port: PortLike = MyPort()`` somewhere, and your type checker reports what is missing.
    """

    @property
    def name(self) -> str:
        """The connection's name."""
        raise NotImplementedError

    @property
    def sender(self) -> object:
        """None on the opener's end, and anything else on a receiver's."""
        raise NotImplementedError

    @property
    def error(self) -> object:
        """None, or why the other side ended the connection: an object with a ``cause``."""
        raise NotImplementedError

    @property
    def on_message(self) -> EventLike:
        """Fires with each message that arrives."""
        raise NotImplementedError

    @property
    def on_disconnect(self) -> EventLike:
        """Fires once if the other side ends the connection."""
        raise NotImplementedError

    def post_message(self, message: Any, /) -> object:
        """Send a message without waiting."""
        raise NotImplementedError

    def disconnect(self) -> object:
        """End the connection."""
        raise NotImplementedError

    async def send(self, message: Any, /) -> object:
        """Send a message, and wait for room."""
        raise NotImplementedError

    async def receive(self) -> Any:
        """Return the next message."""
        raise NotImplementedError

    async def wait_disconnected(self) -> object:
        """Wait until the connection is over."""
        raise NotImplementedError
