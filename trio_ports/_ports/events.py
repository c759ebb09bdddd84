"""An event: the functions to call when something happens. Source: MDN, ``events.Event``; rules 28 and 29."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from threading import get_ident
from types import BuiltinFunctionType, FunctionType, MethodType, MethodWrapperType
from typing import Any, Final, Generic, TypeVar, final
from weakref import ref

from .._util import require_trio

ListenerT = TypeVar("ListenerT", bound=Callable[..., Any])
OwnerT = TypeVar("OwnerT")

_GENERATOR: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_METHODS: Final = (MethodType, BuiltinFunctionType, MethodWrapperType)


@final
class Event(Generic[ListenerT]):
    """Functions that are called, in the order they were added, when something happens.

    Args:
        name: the event's name, for error messages and the repr.
        owner: the object that the event belongs to.
        hook: a method of the owner's class, called with each new listener before that is added; may raise to refuse it.
        arguments: the names of the arguments that listeners are called with; None if they are not known.
    """

    __slots__ = ("__weakref__", "_arguments", "_hook", "_name", "_owner", "_thread", "listeners")

    def __init__(
        self,
        name: str,
        owner: OwnerT | None = None,
        hook: Callable[[OwnerT, Any], None] | None = None,
        *,
        arguments: tuple[str, ...] | None = None,
    ) -> None:
        self._name = name
        self._thread = get_ident()
        self._arguments = arguments
        self._hook: Callable[[Any, Any], None] | None = hook
        # A weak reference: otherwise every port would be part of a reference cycle.
        self._owner = None if owner is None else ref(owner)
        self.listeners: tuple[ListenerT, ...] = ()
        """The functions to call. Every change makes a new tuple, so a dispatch can keep the one it began with."""

    def add_listener(self, listener: ListenerT) -> ListenerT:
        """Call ``listener`` from the next time on. If it was added before, it keeps its place and counts once.

        Returns:
            The listener, so that this works as a decorator.

        Raises:
            TypeError: ``listener`` cannot be called, or not with this event's arguments.
            trio.BusyResourceError: this is a port's on_message, and a task reads from the port.
        """
        require_trio(f"{self._name}.add_listener", self._thread)
        if not self.has_listener(listener):
            check_callable(f"a listener of {self._name}", listener, self._arguments)
            owner = None if self._owner is None else self._owner()
            if owner is not None and self._hook is not None:
                self._hook(owner, listener)
            self.listeners = (*self.listeners, listener)
        return listener

    def remove_listener(self, listener: Callable[..., Any]) -> None:
        """Stop calling ``listener``. If it was never added, nothing happens."""
        require_trio(f"{self._name}.remove_listener", self._thread)
        self.listeners = tuple(other for other in self.listeners if not is_same(other, listener))

    def has_listener(self, listener: Callable[..., Any]) -> bool:
        """Return whether ``listener`` will be called."""
        return any(is_same(other, listener) for other in self.listeners)

    def __repr__(self) -> str:
        return f"<{self._name}: {len(self.listeners)} listeners>"


def is_same(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Return whether two listeners count as one.

    Methods are compared with ``==``, because Python makes a new method object for each access. Other callables are
    not: two recorders that are lists are equal as long as both are empty, and yet both have to be called.
    """
    return one is other or (isinstance(one, _METHODS) and type(one) is type(other) and one == other)


def check_callable(role: str, function: Any, arguments: tuple[str, ...] | None, *, kind: str = "callable") -> None:
    """Raise TypeError if ``function`` cannot be called, or if its signature does not take ``arguments``.

    Args:
        role: what the function is for, for the error message.
        function: the object to check.
        arguments: the names of the arguments that it will be called with; None if they are not known.
        kind: what it must be, in words.
    """
    if not callable(function):
        raise TypeError(f"{role} must be {kind}, not {function!r}")
    if _is_generator(function):
        raise TypeError(f"{role} must be {kind}: {function!r} is a generator function, whose body would never run")
    if arguments is None or _takes(function, len(arguments)):
        return
    try:
        # Look at a wrapper itself, not at the function in it: the wrapper is what will be called.
        signature = inspect.signature(function, follow_wrapped=False)
    except Exception:
        return  # Some callables have no signature. A wrong one raises when it is called.
    try:
        signature.bind(*arguments)
    except TypeError as error:
        called = f"{role} is called with ({', '.join(arguments)})"
        raise TypeError(f"{called}, but {function!r} takes {signature}: {error}") from None


def _is_generator(function: Any) -> bool:
    """Return whether a function has a ``yield`` in it."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code is not None and bool(code.co_flags & _GENERATOR)


def _takes(listener: Any, count: int) -> bool:
    """Return whether ``listener`` can be called with so many arguments, as far as a quick look shows.

    Reading a signature takes as long as opening a connection, and nearly every listener is a plain function or a method
    with the right number of arguments.
    """
    if type(listener) is MethodType:
        listener, count = listener.__func__, count + 1
    if type(listener) is FunctionType:
        code, defaults = listener.__code__, listener.__defaults__ or ()
        return code.co_argcount - len(defaults) <= count <= code.co_argcount and not code.co_kwonlyargcount
    return type(listener) is BuiltinFunctionType
