"""A pairing notices every loss, at both sides, and recovers from it."""

from __future__ import annotations

import itertools
from collections import deque

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trio_ports.bus.packets import Credit
from trio_ports.bus.pairings import Pairing


class Side:
    """One side of a pairing, as its owner sees it."""

    def __init__(self, epochs: itertools.count[int]) -> None:
        self.pairing = Pairing(lambda: next(epochs))
        self.on_the_way: deque[bytes] = deque()
        self.sent: list[int] = []
        self.received: list[int] = []
        self.voids = 0
        self.tell()

    def send(self, number: int) -> None:
        """Send a number, if the two have met; else what there would be to say has to wait."""
        if self.pairing.has_met:
            self.sent.append(number)
            self.on_the_way.append(self.pairing.pack([Credit(1, number)]))

    def tell(self) -> None:
        self.on_the_way.append(self.pairing.pack([]))

    def receive(self, data: bytes) -> None:
        reception = self.pairing.receive_data(data)
        if reception.is_void:
            self.voids += 1
            self.received.clear()
            self.sent.clear()
        if reception.tells:
            self.tell()
        self.received += [item.size for item in reception.items if isinstance(item, Credit)]


class Pairings(RuleBasedStateMachine):
    """Two sides that send, and a way between them that loses, doubles and garbles."""

    @initialize()
    def start(self) -> None:
        epochs = itertools.count(1)
        self.sides = (Side(epochs), Side(epochs))
        self.numbers = itertools.count()
        self.harmed = False

    @rule(which=st.integers(0, 1))
    def send(self, which: int) -> None:
        self.sides[which].send(next(self.numbers))

    @rule(which=st.integers(0, 1), fate=st.sampled_from(["arrives"] * 5 + ["lost", "doubled", "garbled", "cut"]))
    def carry(self, which: int, fate: str) -> None:
        way = self.sides[which].on_the_way
        if way:
            self._carry(which, way.popleft(), fate)

    def _carry(self, which: int, data: bytes, fate: str) -> None:
        other = self.sides[1 - which]
        self.harmed = self.harmed or fate in ("lost", "garbled", "cut")
        if fate in ("arrives", "doubled"):
            other.receive(data)
        if fate == "doubled":
            other.receive(data)
        if fate == "garbled":
            other.receive(b"\x93" + data)
        if fate == "cut":
            other.receive(data[:-1])

    @invariant()
    def nothing_is_missing_doubled_or_out_of_order(self) -> None:
        """As long as neither is told of a loss, what arrived is the beginning of what was sent."""
        for side, other in (self.sides, self.sides[::-1]):
            assert side.received == sorted(set(side.received))
            if side.pairing._peer_epoch == other.pairing._epoch and other.pairing.has_met:
                assert other.sent[: len(side.received)] == side.received

    @precondition(lambda self: not self.harmed)
    @invariant()
    def nothing_is_void_without_a_reason(self) -> None:
        assert [side.voids for side in self.sides] == [0, 0]

    @rule()
    def once_nothing_more_is_lost_they_meet_and_all_arrives(self) -> None:
        """A packet from each is enough for both to know of every loss, and to have met again."""
        for side in self.sides:
            side.tell()
        self._carry_all()
        assert all(side.pairing.has_met for side in self.sides)
        voids = [side.voids for side in self.sides]
        told = [next(self.numbers), next(self.numbers)]
        for side, number in zip(self.sides, told, strict=True):
            side.send(number)
        self._carry_all()
        assert [side.received[-1] for side in self.sides] == told[::-1]
        assert [side.sent for side in self.sides] == [side.received for side in self.sides[::-1]]
        assert [side.voids for side in self.sides] == voids

    def _carry_all(self) -> None:
        for _ in range(20):
            for which in (0, 1):
                for _each in range(len(self.sides[which].on_the_way)):
                    self._carry(which, self.sides[which].on_the_way.popleft(), "arrives")
        assert not any(side.on_the_way for side in self.sides), "they talk for ever"


TestPairings = Pairings.TestCase


def meet() -> tuple[Side, Side]:
    epochs = itertools.count(1)
    one, other = Side(epochs), Side(epochs)
    while one.on_the_way or other.on_the_way:
        for side, peer in ((one, other), (other, one)):
            while side.on_the_way:
                peer.receive(side.on_the_way.popleft())
    return one, other


def test_a_lost_packet_is_void_at_both_sides() -> None:
    """Who misses a packet takes nothing after it; the other one learns of it from the answer."""
    one, other = meet()
    for number in range(3):
        one.send(number)
    other.receive(one.on_the_way.popleft())
    one.on_the_way.popleft()
    other.receive(one.on_the_way.popleft())
    assert (other.received, other.voids, one.voids) == ([], 1, 0)
    one.receive(other.on_the_way.popleft())
    assert one.voids == 1


def test_a_last_packet_is_missed_when_an_empty_one_comes() -> None:
    """An empty packet says where the count stands."""
    one, other = meet()
    one.send(0)
    one.on_the_way.clear()
    one.tell()
    other.receive(one.on_the_way.popleft())
    assert (other.received, other.voids) == ([], 1)


def test_who_has_met_twice_was_told_once() -> None:
    """A packet that comes twice is one."""
    one, other = meet()
    one.send(7)
    data = one.on_the_way.popleft()
    other.receive(data)
    other.receive(data)
    assert (other.received, other.voids) == ([7], 0)
