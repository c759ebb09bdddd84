"""A scope: what ports belong to. It runs their listeners as tasks of a nursery, and its end is their end."""

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
    """What belongs to a scope: an end that is owned by a port."""

    def close(self, error: PortError | None = None, *, vanished: bool = False) -> None:
        """End this side, telling the other ``error``."""

    def begin_settling(self, error: PortError | None) -> None:
        """End this side, or let the other side's end be delivered if that came first, as far as nobody waits."""

    async def settle(self, error: PortError | None) -> None:
        """Do the same, and wait for the listeners."""

    def discard(self) -> None:
        """Let go of what is kept for late readers and listeners."""


@final
class Job:
    """A task of a scope, from the moment it is asked for."""

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
        """Take note that the task has finished."""
        if self._done is not None:
            self._done.set()


@final
class Scope:
    """A scope that owns ports: tasks in somebody's nursery, and the ports that end with it."""

    __slots__ = ("_context", "_empty", "_jobs", "closed", "ending", "members", "nursery", "unread")

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery: trio.Nursery = nursery
        self.members: dict[Member, object] = {}
        """What is not over, in the order it was opened; and what is kept alive for it."""
        self.unread: WeakSet[Member] = WeakSet()
        """What is over and still has messages to read, as long as somebody holds it."""
        self.ending: bool = False
        """Its members settle: it is about to be closed, and others may be closed already."""
        self.closed: bool = False
        self._jobs: dict[Job, None] = {}
        self._empty: trio.Event | None = None
        self._context = contextvars.copy_context()

    @enable_ki_protection
    def start_soon(
        self,
        function: Callable[..., Awaitable[Any]],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Job | None:
        """Run a task of this scope; None if the scope is not there any more to run one.

        Args:
            function: what the task calls.
            args: what it is called with.
            context: the task's context variables: those of whoever made the scope unless given, and never of whoever
                happened to post or disconnect.
        """
        if self.closed:
            return None
        job = Job()
        try:
            (context or self._context).run(self._start, job, function, args)
        except RuntimeError:  # The nursery is gone, and with it everybody who could still be notified.
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
        """Take note that a member is over."""
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
        """End every member, telling the other sides ``error``, and cancel every task. Sync and idempotent."""
        if self.closed:
            return
        self.ending = self.closed = True
        # First, so that a task that waits in a port sees that it is cancelled, and not that its port is closed.
        for job in tuple(self._jobs):
            job.scope.cancel()
        for member in tuple(self.members):
            member.close(error, vanished=True)
        for member in tuple(self.unread):
            member.discard()

    async def wait_idle(self) -> None:
        """Wait, shielded, until the tasks of this scope have finished that run now.

        Not when called from one of them, or below one. What they start meanwhile is not waited
        for: a listener that connects anew for each connection that ends would go on for ever.
        """
        jobs = tuple(self._jobs)
        if not any(runs_within(job.task) for job in jobs):
            with trio.CancelScope(shield=True):
                for job in jobs:
                    if job in self._jobs:
                        await job.wait_done()

    @enable_ki_protection
    async def settle(self, error: PortError | None = None) -> None:
        """Let every member whose other side has gone say so to its sync listeners, and end the others.

        For a scope whose nursery is cancelled: an async listener before a sync one meets that first.
        """
        self.ending = True
        with trio.CancelScope(shield=True):
            for member in tuple(self.members):
                await member.settle(error)
            await self.wait_idle()


_KEPT: Final[RunVar[dict[trio.Nursery, Scope]]] = RunVar("trio_ports scopes")


@enable_ki_protection
def scope_of(nursery: trio.Nursery) -> Scope:
    """Return the scope of the ports that belong to ``nursery`` itself. It must get a member before others run.

    One task keeps the nursery open until all of them are over, and ends them if it is cancelled.

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
        scope = Scope(nursery)
        nursery.start_soon(_keep, scope, kept)
        kept[nursery] = scope
    return scope


@enable_ki_protection
async def _keep(scope: Scope, kept: dict[trio.Nursery, Scope]) -> None:
    try:
        await scope.wait_empty()
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()  # Whoever is about to use a port learns first that it is cancelled.
        del kept[scope.nursery]  # What is opened from now on is not ended here.
        scope.unread.clear()  # What was over before keeps what there is to read.
        for member in tuple(scope.members):
            member.begin_settling(None)
        await scope.settle()
        scope.close()
        raise
    else:
        del kept[scope.nursery]
