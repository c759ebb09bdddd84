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
        self.life = 0
        self.received: list[int] = []
        self.voids = 0

    def send(self, number: int | None) -> None:
        self.on_the_way.append(self.pairing.pack([] if number is None else [Credit(1, number)]))

    def receive(self, data: bytes) -> None:
        reception = self.pairing.receive_data(data)
        if reception.is_void:
            self.voids += 1
            self.received.clear()
        if reception.tells:
            self.send(None)
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
        for side in self.sides:
            assert side.received == sorted(set(side.received))

    @precondition(lambda self: not self.harmed)
    @invariant()
    def nothing_is_void_without_a_reason(self) -> None:
        assert [side.voids for side in self.sides] == [0, 0]

    @rule()
    def a_loss_is_noticed_by_both_and_then_all_arrives(self) -> None:
        """Once nothing more is lost, a few packets each way are enough; what was sent before a loss is void."""
        for which in (0, 1) * 4:
            self.sides[which].send(None)
            while self.sides[0].on_the_way or self.sides[1].on_the_way:
                for each in (0, 1):
                    while self.sides[each].on_the_way:
                        self._carry(each, self.sides[each].on_the_way.popleft(), "arrives")
        before = [side.voids for side in self.sides]
        told = [next(self.numbers), next(self.numbers)]
        for which, number in enumerate(told):
            self.sides[which].send(number)
            self._carry(which, self.sides[which].on_the_way.popleft(), "arrives")
        assert [side.received[-1:] for side in self.sides] == [[told[1]], [told[0]]]
        assert [side.voids for side in self.sides] == before


TestPairings = Pairings.TestCase


def test_a_lost_packet_is_void_at_both_sides() -> None:
    """Who misses a packet takes nothing after it; the other one learns of it from the answer."""
    epochs = itertools.count(1)
    one, other = Side(epochs), Side(epochs)
    for number in range(3):
        one.send(number)
    other.receive(one.on_the_way.popleft())
    one.on_the_way.popleft()
    other.receive(one.on_the_way.popleft())
    assert (other.received, other.voids) == ([], 1)
    one.receive(other.on_the_way.popleft())
    assert one.voids == 1
    one.send(7)
    other.receive(one.on_the_way.popleft())
    assert (other.received, other.voids) == ([7], 1)


def test_the_very_first_packet_is_missed_too() -> None:
    """A count that does not begin with its first packet is a loss."""
    epochs = itertools.count(1)
    one, other = Side(epochs), Side(epochs)
    one.send(0)
    one.on_the_way.clear()
    one.send(1)
    other.receive(one.on_the_way.popleft())
    assert (other.received, other.voids) == ([], 1)
