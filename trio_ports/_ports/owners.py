"""An owner: the scope that a port belongs to. It runs the port's listeners, and its end is the port's end."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, final
from weakref import WeakSet

import trio
from trio.lowlevel import enable_ki_protection

from .._protocol.errors import PortError
from .._util import runs_within
from .failures import raise_unless_late

if TYPE_CHECKING:
    from .core import PortCore


@final
class Owner:
    """A scope that owns ports: tasks in somebody's nursery, and the ports that end with it."""

    __slots__ = ("_awaited", "_context", "_idle", "_scopes", "closed", "ending", "nursery", "ports", "unread")

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery: trio.Nursery = nursery
        self.ports: dict[PortCore, None] = {}
        """The ports that are not over, in the order they were opened."""
        self.unread: WeakSet[PortCore] = WeakSet()
        """Ports that are over and still have messages to read, as long as somebody holds them."""
        self.ending: bool = False
        """Its ports settle: it is about to be closed, and others may be closed already."""
        self.closed: bool = False
        self._scopes: dict[trio.CancelScope, trio.lowlevel.Task | None] = {}
        self._awaited: set[trio.CancelScope] = set()
        """The scopes of the tasks that somebody waits for."""
        self._idle: trio.Event | None = None
        self._context = contextvars.copy_context()

    @enable_ki_protection
    def start_soon(self, function: Callable[..., Awaitable[Any]], *args: Any) -> bool:
        """Run a task of this owner, if it is still there to run one; say whether."""
        if self.closed:
            return False
        scope = trio.CancelScope()
        try:
            # In the context variables of whoever made the owner, not of whoever happened to post or disconnect.
            self._context.run(self._start, scope, function, args)
        except RuntimeError:  # The nursery is gone, and with it everything that could still be told.
            return False
        self._scopes[scope] = None
        return True

    def _start(self, scope: trio.CancelScope, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        self.nursery.start_soon(self._run, scope, function, args, name=function)

    @enable_ki_protection
    async def _run(
        self, scope: trio.CancelScope, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]
    ) -> None:
        self._scopes[scope] = trio.lowlevel.current_task()
        try:
            with scope:
                await function(*args)
        except (trio.ClosedResourceError, BaseExceptionGroup) as error:
            if not self.ending:
                raise
            raise_unless_late(error)
        finally:
            del self._scopes[scope]
            self._awaited.discard(scope)
            if not self._awaited and self._idle is not None:
                self._idle.set()
                self._idle = None

    @enable_ki_protection
    def close(self, error: PortError | None = None) -> None:
        """End every port, telling the other sides ``error``, and cancel every task. Sync and idempotent."""
        if self.closed:
            return
        self.ending = self.closed = True
        # First, so that a task that waits in a port sees that it is cancelled, and not that its port is closed.
        for scope in tuple(self._scopes):
            scope.cancel()
        for port in tuple(self.ports):
            port._close(error, vanished=True)
        for port in tuple(self.unread):
            port._discard()

    async def wait_idle(self) -> None:
        """Wait, shielded, until the tasks of this owner have finished that run now.

        Not when called from one of them, or below one. What they start meanwhile is not waited for: a listener that
        connects anew for each connection that ends would go on for ever.
        """
        if self._scopes and not any(map(runs_within, self._scopes.values())):
            self._awaited.update(self._scopes)
            if self._idle is None:
                self._idle = trio.Event()
            with trio.CancelScope(shield=True):
                await self._idle.wait()

    @enable_ki_protection
    async def settle(self, error: PortError | None = None) -> None:
        """Let every port whose other side has gone say so to its sync listeners, and end the others.

        For an owner whose nursery is cancelled: an async listener before a sync one meets that first.
        """
        self.ending = True
        with trio.CancelScope(shield=True):
            for port in tuple(self.ports):
                await port._settle(error)
            await self.wait_idle()
