"""Whatever happens to a network, what arrives is a beginning of what was posted, and each end is told once."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import trio
from bus.sharing import ID, cause_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import trio_ports
from trio_ports import Cause, Context, Port
from trio_ports.bus import Bus, MemoryNetwork
from trio_ports.bus.buses import BEAT_SECONDS
from trio_ports.testing.driver import Driver, DriverTask

MOST_PLACES = 4
A_WHILE_SECONDS = 10
"""Longer than the grace of a browser and that of its bus one after the other, and than two nodes take to meet again."""


class Side:
    """One end of a connection, what was posted there, and what was heard."""

    def __init__(self, place: Place, port: Port) -> None:
        self.place = place
        self.port = port
        self.posted: list[Any] = []
        self.heard: list[Any] = []
        self.ends: list[Cause | None] = []
        self.left = False
        port.on_message.add_listener(lambda message, _: self.heard.append(message))
        port.on_disconnect.add_listener(lambda port: self.ends.append(cause_of(port)))

    @property
    def is_open(self) -> bool:
        return not self.left and not self.ends

    def post(self, message: Any) -> None:
        if self.is_open:
            self.port.post_message(message)
            self.posted.append(message)

    def leave(self) -> None:
        self.left = self.left or not self.ends
        self.port.disconnect()


class Connection:
    """An opener and its receivers, each of them in a place of its own."""

    def __init__(self, opener: Side) -> None:
        self.opener = opener
        self.receivers: list[Side] = []

    @property
    def sides(self) -> list[Side]:
        return [self.opener, *self.receivers]


class Place:
    """A browser in a process of its own, with one page that listens."""

    bus: Bus
    page: Context

    def __init__(self, machine: Faults) -> None:
        self._machine = machine
        self._stop = trio.Event()
        self.sides: list[Side] = []
        self.is_killed = False

    async def live(self, network: MemoryNetwork) -> None:
        async with network.open_bus() as self.bus, trio_ports.open_browser(bus=self.bus) as browser:
            self.extension = browser.install(ID)
            self.open_page()
            await self._stop.wait()
            self.forget_sides()

    def open_page(self) -> None:
        self.page = self.extension.open_page()
        self.page.runtime.on_connect.add_listener(self._hear)

    def _hear(self, port: Port) -> None:
        side = Side(self, port)
        self.sides.append(side)
        self._machine.connections[int(port.name)].receivers.append(side)

    def forget_sides(self) -> None:
        for side in self.sides:
            side.left = side.left or not side.ends

    def close_page(self) -> None:
        self.forget_sides()
        self.page.close()

    def stop(self) -> None:
        self._stop.set()


def draw_place(data: st.DataObject, machine: Faults) -> Place:
    return data.draw(st.sampled_from(machine.places), label="place")


class Faults(RuleBasedStateMachine):
    """Two to four browsers that talk, and a network that loses, hangs, splits and kills."""

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver()
        self.network = MemoryNetwork()
        self.connections: list[Connection] = []
        self.places: list[Place] = []
        self.leaving: list[DriverTask] = []
        self.numbers = itertools.count()
        self.harmed = False

    @initialize(count=st.integers(2, 3))
    def begin(self, count: int) -> None:
        for _ in range(count):
            self.join()

    # What is done -------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.places) < MOST_PLACES)
    @rule()
    def join(self) -> None:
        place = Place(self)
        self.places.append(place)
        self.leaving.append(self.driver.start(place.live, self.network))

    @precondition(lambda self: len(self.places) > 2)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        place = draw_place(data, self)
        self.places.remove(place)
        self.driver.call(place.stop)

    @rule(data=st.data(), posts=st.integers(0, 3), leaves=st.booleans())
    def connect(self, data: st.DataObject, posts: int, leaves: bool) -> None:
        place = draw_place(data, self)
        self.driver.call(self._connect, place, posts, leaves)

    def _connect(self, place: Place, posts: int, leaves: bool) -> None:
        if place.page.closed:
            place.open_page()
        port = place.page.runtime.connect(name=str(len(self.connections)))
        connection = Connection(Side(place, port))
        place.sides.append(connection.opener)
        self.connections.append(connection)
        for _ in range(posts):
            connection.opener.post(next(self.numbers))
        if leaves:
            connection.opener.leave()

    @precondition(lambda self: self.connections)
    @rule(data=st.data(), size=st.sampled_from([0, 0, 0, 400_000]), leaves=st.booleans(), count=st.integers(0, 3))
    def talk(self, data: st.DataObject, size: int, leaves: bool, count: int) -> None:
        connection = data.draw(st.sampled_from(self.connections[-4:]), label="connection")
        side = data.draw(st.sampled_from(connection.sides), label="side")
        self.driver.call(self._talk, side, count, size, leaves)

    def _talk(self, side: Side, count: int, size: int, leaves: bool) -> None:
        for _ in range(count):
            side.post([next(self.numbers), "x" * size])
        if leaves:
            side.leave()

    @rule(data=st.data())
    def close_page(self, data: st.DataObject) -> None:
        self.driver.call(draw_place(data, self).close_page)

    @rule(seconds=st.sampled_from([0.3, 1.1, 3.5]))
    def wait(self, seconds: float) -> None:
        self.driver.advance(seconds)

    @rule(data=st.data(), what=st.sampled_from(["hang", "hang", "expire", "split", "kill", "drop", "drop"]))
    def harm(self, data: st.DataObject, what: str) -> None:
        one, other = draw_place(data, self), draw_place(data, self)
        if not one.is_killed and not other.is_killed:
            self.harmed = True
            one.is_killed = what == "kill"
            self.driver.call(self._harm, what, one.bus.name, other.bus.name)

    def _harm(self, what: str, one: str, other: str) -> None:
        if what == "drop":
            self.network.drop(one, other)
        elif what == "split":
            self.network.split([one])
        else:
            getattr(self.network, what)(one)

    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        place = draw_place(data, self)
        if not place.is_killed:
            self.driver.call(self.network.resume, place.bus.name)

    @rule()
    def heal(self) -> None:
        self.driver.call(self.network.heal)

    # What holds ---------------------------------------------------------------------------------------------------

    @invariant()
    def what_arrives_is_a_beginning(self) -> None:
        """Nothing is lost in the middle, doubled, or out of order."""
        for connection in self.connections:
            for receiver in connection.receivers:
                assert receiver.heard == connection.opener.posted[: len(receiver.heard)]
            for posted in (receiver.posted for receiver in connection.receivers):
                answers = [answer for answer in connection.opener.heard if answer in posted]
                assert answers == posted[: len(answers)]

    @invariant()
    def nobody_is_told_twice(self) -> None:
        """Who left is told nothing, and everybody else once at most; without a fault nobody is told of one."""
        for connection in self.connections:
            for side in connection.sides:
                assert len(side.ends) <= (not side.left)
                assert self.harmed or Cause.WIRE_BROKEN not in side.ends

    @rule()
    def once_the_network_is_whole_everybody_knows(self) -> None:
        """Both sides of a connection agree about it, all that was posted has arrived, and no more is kept than that."""
        self.driver.call(self._mend)
        for _ in range(A_WHILE_SECONDS):
            self.driver.advance(BEAT_SECONDS)
        streams: Counter[tuple[str, str]] = Counter()
        for connection in self.connections:
            self._check_agreement(connection)
            opener = connection.opener
            for receiver in connection.receivers:
                if receiver.is_open:
                    streams[opener.place.bus.name, receiver.place.bus.name] += 1
                    streams[receiver.place.bus.name, opener.place.bus.name] += 1
        for place in self.places:
            for name, peer in place.bus._peers.items():
                assert len(peer._streams) == streams[place.bus.name, name]
                assert peer.is_idle
        assert sum(step.blocked for step in self.leaving) == len(self.places)

    def _mend(self) -> None:
        for node in list(self.network._nodes.values()):
            node.drops.clear()
            self.network.resume(node.name)
        self.network.heal()

    def _check_agreement(self, connection: Connection) -> None:
        opener = connection.opener
        assert opener.is_open == any(receiver.is_open for receiver in connection.receivers)
        for receiver in connection.receivers:
            if receiver.is_open or receiver.ends == [None]:
                assert receiver.heard == opener.posted
            if receiver.is_open or (receiver.left and not self.harmed and opener.ends == [None]):
                assert [answer for answer in opener.heard if answer in receiver.posted] == receiver.posted
        if opener.ends == [Cause.NO_RECEIVER] and not self.harmed:
            assert connection.receivers == []

    def teardown(self) -> None:
        try:
            self.once_the_network_is_whole_everybody_knows()
            for place in self.places:
                self.driver.call(place.stop)
            self.places = []
            self.once_the_network_is_whole_everybody_knows()
            for step in self.leaving:
                step.unwrap()
        finally:
            self.driver.close()


TestFaults = Faults.TestCase
TestFaults.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
