"""Lanes: the inboxes of a connection, Trio memory channels of encoded messages, and who waits for room in them.

The channels are unbounded; the bound is kept here. It has to be: a message goes to several receivers or to none of
them, and what a port's own listener posts may exceed the bound until the listener returns. A sender that waits stands
in the direction's queue with its message in hand, as in Trio's own channels, so that nothing overtakes it.

What travels in the channels are batches: a message joins the last batch as long as that has not been taken out, and
only the first goes through the channel. A burst costs a third less that way, and arrives as it was posted.

The pump that calls a port's listeners does not wait in ``MemoryReceiveChannel.receive``: it looks at ``lane.used`` and
sleeps in ``lane.sleeper``, which takes a fifth off a round trip and never takes a message that nobody wants yet. Who
sleeps has taken out all there was, so what wakes it joins the batch that it holds, and needs no channel.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol, TypeAlias, final

import outcome
import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, enable_ki_protection, reschedule

Batch: TypeAlias = deque[bytes]


class Sender(Protocol):
    """Whoever waits for room: an end."""

    waiting: dict[Task, None]
    """Its tasks that wait."""

    def put(self, frame: bytes) -> None:
        """Send without regard to the bound."""


@final
class Lane:
    """One end's inbox."""

    __slots__ = ("bound", "direction", "head", "heard", "on_idle", "sink", "sleeper", "source", "tail", "used")

    def __init__(self, direction: Direction) -> None:
        source, sink = trio.open_memory_channel[Batch](float("inf"))
        self.source: trio.MemorySendChannel[Batch] = source
        self.sink: trio.MemoryReceiveChannel[Batch] = sink
        self.head: Batch = deque()
        """The batch that is being taken out, message by message."""
        self.tail: Batch | None = None
        """The last batch in the channel, as long as it is there: what is sent is added to it."""
        self.direction: Direction = direction
        self.bound: float = direction.bound
        self.used: int = 0
        """How many messages are waiting, in the channel and in ``head``."""
        self.heard: bool = False
        """Somebody listens or reads here, or did once: this lane's bound holds the sender back."""
        self.sleeper: Task | None = None
        """The pump that waits for a message or for the end."""
        self.on_idle: Callable[[], None] | None = None
        """Called when whoever takes messages here comes back for another one, and there is none."""

    def wake(self) -> None:
        """Wake the pump, if it sleeps."""
        task = self.sleeper
        if task is not None:
            self.sleeper = None
            reschedule(task)

    @enable_ki_protection
    async def sleep(self) -> None:
        """Wait for `wake`: a message, or the end. A checkpoint; cancelled, nobody sleeps here."""
        self.sleeper = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self.abort_sleep)

    def abort_sleep(self, _: RaiseCancelT) -> Abort:
        """Forget who sleeps, whose sleep was cancelled."""
        self.sleeper = None
        return Abort.SUCCEEDED

    @property
    def is_idle(self) -> bool:
        """Whoever takes messages here waits for one."""
        return self.sleeper is not None or self.sink.statistics().tasks_waiting_receive > 0

    @enable_ki_protection
    def put(self, send: Callable[[Batch], None], frame: bytes) -> None:
        """Add a message, through a sender's own channel. Written out once more in `Port.post_message`."""
        if self.sleeper is not None:
            self.head.append(frame)
            self.wake()
        elif self.tail is None:
            batch = deque((frame,))
            send(batch)
            self.tail = batch
        else:
            self.tail.append(frame)
        self.used += 1

    @enable_ki_protection
    async def take(self) -> bytes:
        """Wait for a message and take it out. A checkpoint; cancelled, nothing was taken.

        Raises:
            trio.EndOfChannel, trio.ClosedResourceError: as `End.receive`.
        """
        if self.head:
            await trio.lowlevel.checkpoint()
            if not self.head:
                raise trio.ClosedResourceError
        else:
            if self.on_idle is not None and not self.used:
                self.on_idle()
            batch = await self.sink.receive()
            if not self.used:  # A disconnect has emptied the lane since this was handed over; its first message stays.
                return batch.popleft()
            self.begin(batch)
        return self.pop()

    def put_many(self, send: Callable[[Batch], None], frames: list[bytes]) -> None:
        """Add some messages, in one go."""
        if self.sleeper is not None:
            self.head.extend(frames)
            self.wake()
        elif self.tail is None:
            batch = deque(frames)
            send(batch)
            self.tail = batch
        else:
            self.tail.extend(frames)
        self.used += len(frames)

    def take_nowait(self) -> bytes:
        """Take out a message, or raise as `take` does, or ``trio.WouldBlock``."""
        if not self.head:
            self.begin(self.sink.receive_nowait())
        return self.pop()

    def take_many_nowait(self, max_bytes: int) -> list[bytes]:
        """Take out what waits, until it is ``max_bytes`` or more; maybe nothing."""
        frames: list[bytes] = []
        while self.used and max_bytes > 0:
            if not self.head:
                self.begin(self.sink.receive_nowait())
            frame = self.head.popleft()
            self.used -= 1
            max_bytes -= len(frame)
            frames.append(frame)
        if self.direction.blocked:
            self.direction.settle()
        return frames

    def begin(self, batch: Batch) -> None:
        """Note that ``batch`` has left the channel: nothing is added to it any more."""
        self.head, self.tail = batch, None

    def pop(self) -> bytes:
        """Take out the next message of the batch that was begun."""
        frame = self.head.popleft()
        self.used -= 1
        if self.direction.blocked:
            self.direction.settle()
        return frame

    def empty(self) -> None:
        """Close the inbox: what is in it is gone."""
        self.sink.close()
        self.head = deque()
        self.tail = None
        self.used = 0


@final
class Direction:
    """The lanes that one side of a connection sends into, and who waits for room in them."""

    __slots__ = ("blocked", "bound", "lanes", "shared", "undecided")

    def __init__(self, bound: float) -> None:
        self.lanes: dict[Lane, None] = {}
        self.bound: float = bound
        self.shared: bool = False
        """What is sent here is sent to others as well."""
        self.undecided: int = 0
        """Of how many lanes it is not known yet whether anybody is there: until it is, each one's bound counts."""
        self.blocked: OrderedDict[Task, tuple[Sender, bytes | None]] = OrderedDict()
        """Who waits, with the message in hand; without one, a listener whose posts exceeded the bound."""

    def only(self) -> Lane | None:
        """Return the one lane that is sent into; None if there are several, here or elsewhere."""
        return next(iter(self.lanes)) if len(self.lanes) == 1 and not self.shared else None

    def has_room(self, more: int = 1) -> bool:
        """Say whether ``more`` messages fit. Among several receivers, one that never read holds nobody back."""
        only = self.only()
        if only is not None:
            return only.used + more <= self.bound
        return all(not self.counts(lane) or lane.used + more <= self.bound for lane in self.lanes)

    def counts(self, lane: Lane) -> bool:
        """Say whether a lane's bound holds the sender back, though there are others."""
        return lane.heard or self.undecided > 0

    @enable_ki_protection
    def settle(self) -> None:
        """Send for those who wait, first come first served, as far as there is room."""
        while self.blocked:
            task, (end, frame) = next(iter(self.blocked.items()))
            if not self.has_room(frame is not None):
                return
            self._serve(task, end, frame)

    @enable_ki_protection
    def admit(self, end: Sender) -> None:
        """Send for those who wait on behalf of ``end``, beyond the bound: what comes now must not overtake them."""
        for task in tuple(end.waiting):
            self._serve(task, end, self.blocked[task][1])

    @enable_ki_protection
    def refuse(self, end: Sender, error: Callable[[], Exception]) -> None:
        """Raise ``error`` in everybody who waits on behalf of ``end``."""
        for task in tuple(end.waiting):
            self._forget(task, end)
            reschedule(task, outcome.Error(error()))

    @enable_ki_protection
    async def wait(self, end: Sender, frame: bytes | None) -> None:
        """Wait in the queue until ``frame`` was sent. Cancelled, it was not sent."""
        task = trio.lowlevel.current_task()

        def abort(_: RaiseCancelT) -> Abort:
            self._forget(task, end)
            self.settle()  # Who stood behind may need less room: a listener whose excess is queued needs none.
            return Abort.SUCCEEDED

        self.blocked[task] = (end, frame)
        end.waiting[task] = None
        await trio.lowlevel.wait_task_rescheduled(abort)

    def _serve(self, task: Task, end: Sender, frame: bytes | None) -> None:
        """Send for a task that waits, and let it go on."""
        self._forget(task, end)
        if frame is not None:
            end.put(frame)
        reschedule(task)

    def _forget(self, task: Task, end: Sender) -> None:
        del self.blocked[task]
        del end.waiting[task]
