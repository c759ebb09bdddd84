"""Lanes: the inboxes of a connection, Trio memory channels of encoded messages, and who waits for room in them.

The channels are unbounded; the bound is kept here. It has to be: a message goes to several
receivers or to none of them, and what a port's own listener posts may exceed the bound until
the listener returns. A sender that waits stands in the direction's queue with its message in
hand, as in Trio's own channels, so that nothing overtakes it.

What travels in the channels are batches: a message joins the last batch as long as nobody has
taken that out, and only the first goes through the channel. A burst costs a third less that
way, and arrives as it was posted.

A pump, a reader and a transport wait for a message in one way, in `Lane.sleep`. Whoever sleeps
there has emptied the lane, so a new message can be handed over directly and needs no channel:
that takes a fifth off a round trip.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias, final

import outcome
import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, enable_ki_protection, reschedule, wait_task_rescheduled

Batch: TypeAlias = deque[bytes]

NO_BATCH: Final[Batch] = deque()
"""What an inbox begins with: it costs nothing, and nothing is ever added to it."""


class Sender(Protocol):
    """Whoever waits for room: an end."""

    def put(self, frame: bytes) -> None:
        """Send without regard to the bound."""


@final
class Lane:
    """One end's inbox."""

    __slots__ = ("bound", "direction", "head", "heard", "idle", "over", "sink", "sleeper", "source", "tail", "used")

    def __init__(self, direction: Direction) -> None:
        # Without the type in brackets, which takes a tenth of the time that it takes to open a connection.
        self.source: trio.MemorySendChannel[Batch]
        self.sink: trio.MemoryReceiveChannel[Batch]
        self.source, self.sink = trio.open_memory_channel(math.inf)
        self.head: Batch = NO_BATCH
        """The batch that is being taken out, message by message."""
        self.tail: Batch | None = None
        """The last batch in the channel, as long as it is there: new messages join it."""
        self.direction: Direction = direction
        self.bound: float = direction.bound
        self.used: int = 0
        """How many messages are waiting, in the channel and in ``head``."""
        self.heard: bool = False
        """Somebody listens or reads here, or did once: this lane's bound holds the sender back."""
        self.over: bool = False
        """Nothing more will come."""
        self.sleeper: Task | None = None
        """The task that waits for a message or for the end."""
        self.idle: trio.Event | None = None
        """Set when whoever takes messages here comes back for another one, and there is none."""

    # Putting in ----------------------------------------------------------------------------

    @enable_ki_protection
    def put(self, frame: bytes) -> None:
        """Add a message. Written out once more in `Port.post_message`."""
        if self.sleeper is not None:
            self.head.append(frame)
            self.wake()
        elif self.tail is None:
            batch = deque((frame,))
            self.source.send_nowait(batch)
            self.tail = batch
        else:
            self.tail.append(frame)
        self.used += 1

    @enable_ki_protection
    def put_many(self, frames: list[bytes]) -> None:
        """Add some messages, in one go."""
        if self.sleeper is not None:
            self.head.extend(frames)
            self.wake()
        elif self.tail is None:
            batch = deque(frames)
            self.source.send_nowait(batch)
            self.tail = batch
        else:
            self.tail.extend(frames)
        self.used += len(frames)

    def finish(self) -> None:
        """Nobody sends into this lane any more; what is in it can still be taken."""
        self.source.close()
        self.over = True
        self.direction.lanes.pop(self, None)  # Leaves no cycle of references.
        self.wake()

    # Waiting -------------------------------------------------------------------------------

    @enable_ki_protection
    async def sleep(self) -> Batch:
        """Wait, at an empty lane, for `wake`, and return the batch of messages that have come: maybe none.

        A checkpoint; cancelled, nobody sleeps here.
        """
        if self.head is NO_BATCH:
            self.head = deque()
        batch = self.head
        if self.idle is not None:
            self.idle.set()
        self.sleeper = trio.lowlevel.current_task()
        await wait_task_rescheduled(self._abort_sleep)
        return batch

    def _abort_sleep(self, _: RaiseCancelT) -> Abort:
        self.sleeper = None
        return Abort.SUCCEEDED

    def wake(self) -> None:
        """Wake whoever sleeps here."""
        task = self.sleeper
        if task is not None:
            self.sleeper = None
            reschedule(task)

    async def wait_idle(self) -> None:
        """Wait until whoever takes messages here has come back for another one. Not a checkpoint if that is so."""
        if self.sleeper is None:
            self.idle = trio.Event()
            await self.idle.wait()
            self.idle = None

    # Taking out ----------------------------------------------------------------------------

    @enable_ki_protection
    async def take(self) -> bytes:
        """Wait for a message and take it out. A checkpoint; cancelled, nothing was taken.

        Raises:
            trio.EndOfChannel, trio.ClosedResourceError: as `End.receive`.
        """
        if self.used:
            await trio.lowlevel.checkpoint()
            return self.take_nowait()
        await trio.lowlevel.checkpoint_if_cancelled()
        batch = self.head
        while not (self.over or self.used):
            batch = await self.sleep()
        if batch and not self.used:
            return batch.popleft()  # It was handed over, and then a disconnect has emptied the lane.
        return self.take_nowait()

    def take_nowait(self) -> bytes:
        """Take out a message, or raise as `take` does, or ``trio.WouldBlock``."""
        frame = (self.head or self.begin()).popleft()
        self.used -= 1
        if self.direction.blocked:
            self.direction.settle()
        return frame

    def take_many_nowait(self, max_bytes: int) -> list[bytes]:
        """Take out what waits, until it is ``max_bytes`` or more; maybe nothing."""
        frames: list[bytes] = []
        while self.used and max_bytes > 0:
            frame = (self.head or self.begin()).popleft()
            self.used -= 1
            max_bytes -= len(frame)
            frames.append(frame)
        if self.direction.blocked:
            self.direction.settle()
        return frames

    def begin(self) -> Batch:
        """Take the next batch out of the channel: no message joins it any more."""
        self.head = batch = self.sink.receive_nowait()
        self.tail = None
        return batch

    def empty(self) -> None:
        """Close the inbox: what is in it is gone."""
        self.sink.close()
        self.head, self.tail = NO_BATCH, None
        self.used = 0
        if not self.over:
            self.finish()


@final
class Direction:
    """The lanes that one side of a connection sends into, and who waits for room in them."""

    __slots__ = ("blocked", "bound", "lanes", "shared", "undecided")

    def __init__(self, bound: float, lanes: int) -> None:
        self.bound: float = bound
        self.lanes: dict[Lane, None] = {Lane(self): None for _ in range(lanes)}
        self.shared: bool = False
        """What is sent here is sent to others as well."""
        self.undecided: int = 0
        """Of how many lanes it is not known yet whether anybody is there: until it is, each one's bound counts."""
        self.blocked: OrderedDict[Task, tuple[Sender, bytes | None, float]] = OrderedDict()
        """Who waits, with the message in hand, if any, until so many wait to be taken, at most."""

    def only(self) -> Lane | None:
        """Return the one lane that is sent into; None if there are several, here or elsewhere."""
        return next(iter(self.lanes)) if len(self.lanes) == 1 and not self.shared else None

    def counts(self, lane: Lane) -> bool:
        """Say whether a lane's bound holds the sender back, though there are others."""
        return lane.heard or self.undecided > 0

    def holds(self, most: float) -> bool:
        """Say whether at most so many messages wait. Among several receivers, one that never read does not count."""
        only = self.only()
        if only is not None:
            return only.used <= most
        return all(not self.counts(lane) or lane.used <= most for lane in self.lanes)

    def has_room(self) -> bool:
        """Say whether another message fits."""
        return self.holds(self.bound - 1)

    @enable_ki_protection
    async def wait(self, end: Sender, frame: bytes | None, most: float) -> None:
        """Wait in the queue until at most so many messages wait to be taken, then send ``frame``, if there is one.

        Cancelled, it was not sent.
        """
        task = trio.lowlevel.current_task()

        def abort(_: RaiseCancelT) -> Abort:
            del self.blocked[task]
            self.settle()  # Whoever stood behind may need less room: a listener whose excess is queued needs none.
            return Abort.SUCCEEDED

        self.blocked[task] = (end, frame, most)
        await wait_task_rescheduled(abort)

    @enable_ki_protection
    def settle(self) -> None:
        """Send for those who wait, first come first served, as far as there is room."""
        while self.blocked:
            task, (end, frame, most) = next(iter(self.blocked.items()))
            if not self.holds(most):
                return
            self._serve(task, end, frame)

    @enable_ki_protection
    def admit(self, sender: Sender) -> None:
        """Send for those who wait on behalf of ``sender``, beyond the bound: what comes now must not overtake them."""
        for task in [task for task, (end, _, _) in self.blocked.items() if end is sender]:
            if task in self.blocked:  # What was sent before may have ended the connection.
                self._serve(task, sender, self.blocked[task][1])

    @enable_ki_protection
    def refuse(self, sender: Sender, error: Callable[[], Exception]) -> None:
        """Raise ``error`` in everybody who waits on behalf of ``sender``."""
        for task, (end, _, _) in tuple(self.blocked.items()):
            if end is sender:
                del self.blocked[task]
                reschedule(task, outcome.Error(error()))

    def _serve(self, task: Task, end: Sender, frame: bytes | None) -> None:
        """Send for a task that waits, and let it go on."""
        del self.blocked[task]
        if frame is not None:
            end.put(frame)
        reschedule(task)
