"""Lanes: the inboxes of a connection. They are Trio memory channels, and keep the bound and the senders that wait.

The channels are unbounded, and the bound is kept here. A channel's own bound would not do:
a message goes to several receivers or to none, and a port's own listener may exceed the bound
until it returns. A sender that waits stands in the direction's queue with its message in hand,
as in Trio's own channels, so that no message overtakes it.

The items in the channels are batches. A message joins the last batch as long as that is still
in the channel, so only the first message of a burst goes through the channel itself. That makes
a burst a third faster, and keeps the order.

A pump, a reader and a transport all wait for a message in `Lane.sleep`. A task that sleeps there
has emptied the lane, so a new message can be handed to it directly, without the channel. That
takes a fifth off a round trip.
"""

from __future__ import annotations

import math
import sys
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias, final

import outcome
import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, enable_ki_protection, reschedule, wait_task_rescheduled

Batch: TypeAlias = deque[bytes]

NO_BATCH: Final[Batch] = deque()
"""The batch of a new inbox: it costs nothing, because nothing is ever added to it."""


MOST_RECOUNTED: Final = 4096
"""In lanes with a larger bound, `Lane.recount` would take too long."""


class Sender(Protocol):
    """An end, as seen from here: something that may have to wait for room."""

    def put(self, frame: bytes) -> None:
        """Send without regard to the bound."""


@final
class Lane:
    """One end's inbox."""

    __slots__ = (
        "bound",
        "direction",
        "exact",
        "head",
        "heard",
        "idle",
        "over",
        "room",
        "sink",
        "sleeper",
        "source",
        "tail",
        "used",
    )

    def __init__(self, direction: Direction) -> None:
        # Without [Batch]: that alone would take a tenth of the time of opening a connection.
        self.source: trio.MemorySendChannel[Batch]
        self.sink: trio.MemoryReceiveChannel[Batch]
        self.source, self.sink = trio.open_memory_channel(math.inf)
        self.head: Batch = NO_BATCH
        """The batch that is being taken out, message by message."""
        self.tail: Batch | None = None
        """The last batch in the channel, as long as it is there: new messages join it."""
        self.direction: Direction = direction
        self.bound: float = direction.bound
        """How many messages may wait, for whoever takes the short cut; 0 while a task waits with a message."""
        self.used: int = 0
        """How many messages are waiting, in the channel and in ``head``."""
        self.room: int = direction.room
        """At least so many more bytes may wait; less than 0 if one message alone has more than may wait."""
        self.exact: bool = direction.bound > MOST_RECOUNTED
        """Whether the pump keeps ``room`` exact. Otherwise `recount` does, when there seems to be too little."""
        self.heard: bool = False
        """Whether somebody listens or has read here: then this lane's bound holds the sender back."""
        self.over: bool = False
        """Whether no more messages will come."""
        self.sleeper: Task | None = None
        """The task that waits for a message or for the end."""
        self.idle: trio.Event | None = None
        """Set when the task that takes messages here comes back for another one, and there is none."""

    @property
    def used_bytes(self) -> int:
        """How many bytes are waiting."""
        return self.direction.room - self.recount()

    def recount(self) -> int:
        """Make ``room`` exact and return it. To count each message that the pump takes would slow a burst by 4 %."""
        if self.exact:
            return self.room
        waiting = sum(map(len, self.head)) + sum(map(len, self.tail or ()))
        self.room = self.direction.room - waiting
        return self.room

    def fits(self, most: float, frame: bytes | None) -> bool:
        """Return whether at most so many messages wait, and there is room for ``frame``, or for all that waits.

        One message alone may have more bytes than may wait, because it could never be sent otherwise.
        """
        size, alone = (0, 1) if frame is None else (len(frame), 0)
        return self.used <= most and (size <= self.room or self.used <= alone or size <= self.recount())

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
        self.room -= len(frame)

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
        self.room -= sum(map(len, frames))

    def finish(self) -> None:
        """Note that no more messages will come; those in the lane can still be taken."""
        self.source.close()
        self.over = True
        self.direction.lanes.pop(self, None)  # Leaves no cycle of references.
        self.wake()

    # Waiting -------------------------------------------------------------------------------

    @enable_ki_protection
    async def sleep(self) -> Batch:
        """Wait for `wake`, at an empty lane, and return the batch of new messages, which may be empty.

        A checkpoint; after a cancelled call, nobody sleeps here.
        """
        batch = self.begin_sleep(trio.lowlevel.current_task())
        await wait_task_rescheduled(self.abort_sleep)
        return batch

    @enable_ki_protection
    def begin_sleep(self, task: Task) -> Batch:
        """Do the first half of `sleep`. The pump takes both in its loop, which saves a twentieth of a round trip."""
        if self.head is NO_BATCH:
            self.head = deque()
        if self.idle is not None:
            self.idle.set()
        self.sleeper = task
        return self.head

    def abort_sleep(self, _: RaiseCancelT) -> Abort:
        """Note that the task that sleeps here is cancelled."""
        self.sleeper = None
        return Abort.SUCCEEDED

    def wake(self) -> None:
        """Wake the task that sleeps here, if there is one."""
        task = self.sleeper
        if task is not None:
            self.sleeper = None
            reschedule(task)

    async def wait_idle(self) -> None:
        """Wait until the task that takes messages here sleeps. Not a checkpoint if it does already."""
        if self.sleeper is None:
            self.idle = trio.Event()
            await self.idle.wait()
            self.idle = None

    # Taking out ----------------------------------------------------------------------------

    @enable_ki_protection
    async def take(self) -> bytes:
        """Wait for a message and take it out. A checkpoint; a cancelled call has taken nothing.

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
            return batch.popleft()  # It was handed over before a disconnect emptied the lane.
        return self.take_nowait()

    def take_nowait(self) -> bytes:
        """Take out a message, or raise as `take` does, or ``trio.WouldBlock``."""
        frame = (self.head or self.begin()).popleft()
        self.used -= 1
        self.room += len(frame)
        if self.direction.blocked:
            self.direction.settle()
        return frame

    def take_many_nowait(self, max_bytes: int) -> list[bytes]:
        """Take out waiting messages until they are ``max_bytes`` or more together; maybe none."""
        frames: list[bytes] = []
        while self.used and max_bytes > 0:
            frame = (self.head or self.begin()).popleft()
            self.used -= 1
            self.room += len(frame)
            max_bytes -= len(frame)
            frames.append(frame)
        if self.direction.blocked:
            self.direction.settle()
        return frames

    def begin(self) -> Batch:
        """Take the next batch out of the channel, so that no more messages join it."""
        self.head = batch = self.sink.receive_nowait()
        self.tail = None
        return batch

    def empty(self) -> None:
        """Close the inbox, and throw away the messages in it."""
        self.sink.close()
        self.head, self.tail = NO_BATCH, None
        self.used = 0
        self.room = self.direction.room
        if not self.over:
            self.finish()


@final
class Direction:
    """The lanes that one side of a connection sends into, and who waits for room in them."""

    __slots__ = ("blocked", "bound", "lanes", "max_bytes", "room", "shared", "undecided")

    def __init__(self, bound: float, max_bytes: float, lanes: int) -> None:
        self.bound: float = bound
        self.max_bytes: float = max_bytes
        self.room: int = int(min(max_bytes, sys.maxsize))
        """How many bytes may wait in each lane; a whole number, which is faster to count with."""
        self.lanes: dict[Lane, None] = {Lane(self): None for _ in range(lanes)}
        self.shared: bool = False
        """Whether the same messages are sent to receivers elsewhere as well."""
        self.undecided: int = 0
        """For how many lanes it is not known yet whether anybody is there; until then, the bound of each counts."""
        self.blocked: OrderedDict[Task, tuple[Sender, bytes | None, float]] = OrderedDict()
        """The tasks that wait: the sender, its message if any, and how many messages may be left for it to go on."""

    def only(self) -> Lane | None:
        """Return the only lane of this direction; None if there are several, here or elsewhere."""
        return next(iter(self.lanes)) if len(self.lanes) == 1 and not self.shared else None

    def replace(self, old: Lane, new: Lane) -> None:
        """Let messages go into another lane, in the place of the old one."""
        self.lanes = {new if lane is old else lane: None for lane in self.lanes}
        self._mind_queue()
        self.settle()

    def counts(self, lane: Lane) -> bool:
        """Return whether a lane's bound holds the sender back, even though there are other lanes."""
        return lane.heard or self.undecided > 0

    def holds(self, most: float, frame: bytes | None = None) -> bool:
        """Return what `Lane.fits` returns. Among several receivers, one that never read does not count."""
        only = self.only()
        if only is not None:
            return only.fits(most, frame)
        return all(not self.counts(lane) or lane.fits(most, frame) for lane in self.lanes)

    def has_room(self, frame: bytes) -> bool:
        """Return whether there is room for this message, and no other waits for room."""
        return not self._is_queued and self.holds(self.bound - 1, frame)

    @property
    def _is_queued(self) -> bool:
        """Whether a task waits with a message. A smaller one for which there is room must not overtake it."""
        return any(frame is not None for _, frame, _ in self.blocked.values())

    def _mind_queue(self) -> None:
        bound = 0 if self._is_queued else self.bound
        for lane in self.lanes:
            lane.bound = bound

    @enable_ki_protection
    async def wait(self, end: Sender, frame: bytes | None, most: float) -> None:
        """Wait in the queue until at most ``most`` messages wait to be taken, then send ``frame``, if there is one.

        A cancelled call has sent nothing.
        """
        task = trio.lowlevel.current_task()

        def abort(_: RaiseCancelT) -> Abort:
            del self.blocked[task]
            self._mind_queue()
            self.settle()  # The next task may need less room: a listener only waits to get back to the bound.
            return Abort.SUCCEEDED

        self.blocked[task] = (end, frame, most)
        self._mind_queue()
        await wait_task_rescheduled(abort)

    @enable_ki_protection
    def settle(self) -> None:
        """Send the messages of waiting tasks, first come first served, as far as there is room."""
        while self.blocked:
            task, (end, frame, most) = next(iter(self.blocked.items()))
            if not self.holds(most, frame):
                return
            self._serve(task, end, frame)

    @enable_ki_protection
    def admit(self, sender: Sender) -> None:
        """Send what waits on behalf of ``sender``, beyond the bound, so that its next message cannot overtake it."""
        while task := next((task for task, (end, _, _) in self.blocked.items() if end is sender), None):
            self._serve(task, sender, self.blocked[task][1])

    @enable_ki_protection
    def refuse(self, sender: Sender, error: Callable[[], Exception]) -> None:
        """Raise ``error`` in every task that waits on behalf of ``sender``."""
        for task, (end, _, _) in tuple(self.blocked.items()):
            if end is sender:
                del self.blocked[task]
                self._mind_queue()
                reschedule(task, outcome.Error(error()))

    def _serve(self, task: Task, end: Sender, frame: bytes | None) -> None:
        """Send the message of a waiting task, and let the task go on."""
        del self.blocked[task]
        self._mind_queue()
        if frame is not None:
            end.put(frame)
        reschedule(task)
