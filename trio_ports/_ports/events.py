"""An event: the functions to call when something happens. Source: MDN, ``events.Event``; rules 28 and 29."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, final
from weakref import WeakMethod

from .._util import require_trio

ListenerT = TypeVar("ListenerT", bound=Callable[..., Any])


@final
class Event(Generic[ListenerT]):
    """Functions that are called, in the order they were added, when something happens.

    Args:
        name: for messages and the repr.
        hook: a method, called with each new listener before it is added; it may refuse by raising.
    """

    __slots__ = ("__weakref__", "_hook", "_name", "listeners")

    def __init__(self, name: str, hook: Callable[[Any], None] | None = None) -> None:
        self._name = name
        # Weak, because the hook is its owner's: without this every port would be a cycle of references.
        self._hook = None if hook is None else WeakMethod(hook)
        self.listeners: tuple[ListenerT, ...] = ()
        """Who will be called. A new tuple for every change, so that a dispatch can keep the one it began with."""

    def add_listener(self, listener: ListenerT) -> ListenerT:
        """Call ``listener`` from the next time on; one that is there already keeps its place and counts once.

        Returns:
            The listener, so that this works as a decorator.

        Raises:
            TypeError: if ``listener`` cannot be called.
            trio.BusyResourceError: for a port's on_message while a task reads from the port.
        """
        require_trio(f"{self._name}.add_listener")
        if not callable(listener):
            raise TypeError(f"a listener of {self._name} must be callable, not {listener!r}")
        if listener not in self.listeners:
            hook = None if self._hook is None else self._hook()
            if hook is not None:
                hook(listener)
            self.listeners = (*self.listeners, listener)
        return listener

    def remove_listener(self, listener: Callable[..., Any]) -> None:
        """Stop calling ``listener``. Removing what was never added does nothing."""
        self.listeners = tuple(other for other in self.listeners if other != listener)

    def has_listener(self, listener: Callable[..., Any]) -> bool:
        """Say whether ``listener`` will be called."""
        return listener in self.listeners

    def __repr__(self) -> str:
        return f"<{self._name}: {len(self.listeners)} listeners>"
