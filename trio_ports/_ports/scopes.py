"""A scope owns ports: it runs their listeners as tasks of a nursery, and ends them when it ends."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, final
from weakref import WeakSet

import trio
from trio.lowlevel import RunVar, Task, enable_ki_protection

from .._protocol.errors import PortError
from .._util import runs_within
from .failures import raise_unless_late


class Member(Protocol):
    """A member of a scope: the receiving side of a port."""

    def close(self, error: PortError | None = None, *, vanished: bool = False) -> None:
        """Disconnect this side; the other side gets ``error``."""

    def begin_settling(self, error: PortError | None) -> None:
        """Disconnect, or start to deliver the other side's end if that came first. Never waits."""

    async def settle(self, error: PortError | None) -> None:
        """Do the same, and wait for the listeners."""

    def discard(self) -> None:
        """Throw away what is kept for late readers and listeners."""


@final
class Job:
    """A task of a scope, from the moment it is started."""

    __slots__ = ("_done", "scope", "task")

    def __init__(self) -> None:
        self.scope: trio.CancelScope = trio.CancelScope()
        self.task: Task | None = None
        """The task, once it runs."""
        self._done: trio.Event | None = None

    async def wait_done(self) -> None:
        """Wait until the task has finished."""
        if self._done is None:
            self._done = trio.Event()
        await self._done.wait()

    def finish(self) -> None:
        """Note that the task has finished."""
        if self._done is not None:
            self._done.set()


@final
class Scope:
    """A scope: its tasks, in a nursery, and the ports that it owns."""

    __slots__ = ("_context", "_empty", "_jobs", "closed", "ending", "invalidated", "members", "nursery", "unread")

    def __init__(self, nursery: trio.Nursery, context: contextvars.Context | None = None) -> None:
        self.nursery: trio.Nursery = nursery
        self.members: dict[Member, object] = {}
        """The members that are not over, in the order of opening, each with the object it keeps alive."""
        self.unread: WeakSet[Member] = WeakSet()
        """The members that are over but still have messages to read, as long as somebody refers to them."""
        self.ending: bool = False
        """Whether its members are being settled, because it is about to be closed."""
        self.closed: bool = False
        self.invalidated: bool = False
        """Whether it belongs to an orphaned content script: whatever is called then raises."""
        self._jobs: dict[Job, None] = {}
        self._empty: trio.Event | None = None
        self._context = contextvars.copy_context() if context is None else context

    @enable_ki_protection
    def start_soon(
        self,
        function: Callable[..., Awaitable[Any]],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Job | None:
        """Start a task of this scope; return None if the scope is closed.

        Args:
            function: the async function that the task calls.
            args: its arguments.
            context: the task's context variables: unless given, those of the task that made the scope, and never
                those of a task that happens to post or disconnect.
        """
        if self.closed:
            return None
        job = Job()
        try:
            # An empty context is false.
            (self._context if context is None else context).run(self._start, job, function, args)
        except RuntimeError:  # The nursery is closed, so nobody is left to be notified.
            return None
        self._jobs[job] = None
        return job

    def _start(self, job: Job, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        self.nursery.start_soon(self._run, job, function, args, name=function)

    @enable_ki_protection
    async def _run(self, job: Job, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        job.task = trio.lowlevel.current_task()
        try:
            with job.scope:
                await function(*args)
        except (trio.ClosedResourceError, BaseExceptionGroup) as error:
            if not self.ending:
                raise
            raise_unless_late(error)
        finally:
            del self._jobs[job]
            job.finish()

    def forget(self, member: Member) -> None:
        """Note that a member is over."""
        self.members.pop(member, None)
        if not self.members and self._empty is not None:
            self._empty.set()

    async def wait_empty(self) -> None:
        """Wait until no member is left."""
        while self.members:
            self._empty = trio.Event()
            await self._empty.wait()

    @enable_ki_protection
    def close(self, error: PortError | None = None) -> None:
        """Disconnect every member, with ``error`` for the other sides, and cancel every task. Idempotent."""
        if self.closed:
            return
        self.ending = self.closed = True
        # First: a task that waits in a port is to be cancelled, and not to see that its port is closed.
        for job in tuple(self._jobs):
            job.scope.cancel()
        for member, _kept_alive in tuple(self.members.items()):
            member.close(error, vanished=True)
        for member in tuple(self.unread):
            member.discard()

    async def wait_idle(self) -> None:
        """Wait, shielded, until the tasks that run in this scope now have finished.

        If one of them is the caller, or above the caller, do not wait. New tasks are not
        waited for: a listener that reconnects whenever a connection ends would go on for ever.
        """
        jobs = tuple(self._jobs)
        if not any(runs_within(job.task) for job in jobs):
            with trio.CancelScope(shield=True):
                for job in jobs:
                    if job in self._jobs:
                        await job.wait_done()

    @enable_ki_protection
    async def settle(self, error: PortError | None = None) -> None:
        """Report the end to the sync listeners of every member whose other side has gone; disconnect the others.

        For a scope whose nursery is cancelled; its async listeners are cancelled at once.
        """
        self.ending = True
        with trio.CancelScope(shield=True):
            for member, _kept_alive in tuple(self.members.items()):
                await member.settle(error)
            await self.wait_idle()


_KEPT: Final[RunVar[dict[trio.Nursery, Scope]]] = RunVar("trio_ports scopes")


@enable_ki_protection
def scope_of(nursery: trio.Nursery) -> Scope:
    """Return the scope of the ports that belong to ``nursery`` itself. Add a member before other tasks run.

    One task keeps the nursery open until all its ports are over, and ends them if it is cancelled.

    Raises:
        RuntimeError: the nursery is closed.
    """
    try:
        kept = _KEPT.get()
    except LookupError:
        kept = dict[trio.Nursery, Scope]()
        _KEPT.set(kept)
    scope = kept.get(nursery)
    if scope is None:
        # An empty context: whoever opens the first pair may be gone long before the last one is over.
        context = contextvars.Context()
        scope = Scope(nursery, context)
        context.run(nursery.start_soon, _keep, scope, kept)
        kept[nursery] = scope
    return scope


@enable_ki_protection
async def _keep(scope: Scope, kept: dict[trio.Nursery, Scope]) -> None:
    try:
        await scope.wait_empty()
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()  # A task that is about to use a port is to be cancelled before that.
        del kept[scope.nursery]  # Ports that are opened from now on get another scope.
        scope.unread.clear()  # Ports that were over before keep their messages.
        for member, _kept_alive in tuple(scope.members.items()):
            member.begin_settling(None)
        await scope.settle()
        scope.close()
        raise
    else:
        del kept[scope.nursery]
