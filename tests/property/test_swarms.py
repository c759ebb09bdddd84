"""Swarms: tasks that do whatever comes to their mind with the ports of one connection, all at the same time.

The histories of the conformance kit let everything come to rest after each move. Here nothing rests: listeners take
themselves out and read, readers are cancelled, senders wait, ends leave, and the loop decides who comes next. What is
checked is what must hold whatever happens: order, no message twice, one end, told last, and that everything ends.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from support import DIALECTS
from trio.testing import MockClock

from trio_ports import Port, open_browser, open_port_pair

pytestmark = pytest.mark.repetition
REFUSALS = (trio.WouldBlock, trio.BusyResourceError, trio.ClosedResourceError, trio.BrokenResourceError)
OVER = (trio.EndOfChannel, *REFUSALS)


class Taker:
    """Takes messages out of a port, in one way after the other. In between the end may be told, in the dialect trio."""

    def __init__(self, port: Port, chance: random.Random, nursery: trio.Nursery) -> None:
        self.port = port
        self.chance = chance
        self.nursery = nursery
        self.seen: list[Any] = []
        port.on_disconnect.add_listener(lambda port: self.seen.append("end"))

    def begin(self) -> None:
        """Choose a way."""
        if self.chance.random() < 0.3:
            with suppress(RuntimeError):  # Everything is over, and a listener is still at work.
                self.nursery.start_soon(self.read)
        else:
            self.listen()

    def listen(self) -> None:
        with suppress(*REFUSALS):
            self.port.on_message.add_listener(self.chance.choice([self.hear, self.hear_slowly, self.shake_hands]))

    def hear(self, message: Any, port: Port) -> None:
        self.seen.append(message)
        if self.chance.random() < 0.2:
            port.on_message.remove_listener(self.hear)
            self.begin()

    async def hear_slowly(self, message: Any, port: Port) -> None:
        self.seen.append(message)
        for _ in range(self.chance.randrange(3)):
            await trio.lowlevel.checkpoint()
        if self.chance.random() < 0.2:
            port.on_message.remove_listener(self.hear_slowly)
            self.begin()

    async def shake_hands(self, message: Any, port: Port) -> None:
        self.seen.append(message)
        port.on_message.remove_listener(self.shake_hands)
        with suppress(*OVER), trio.move_on_after(self.chance.choice([0, 1])):
            for _ in range(self.chance.randrange(3)):
                self.seen.append(await port.receive())
        self.begin()

    async def read(self) -> None:
        with suppress(*OVER), trio.move_on_after(self.chance.choice([0, 1, 2])):
            for _ in range(self.chance.randrange(1, 5)):
                self.seen.append(await self.port.receive())
        self.listen()

    def check(self, posted: list[int], *, all_of_them: bool) -> None:
        """See that what was taken came in order, once, and before the end."""
        ends, messages = self.seen.count("end"), [each for each in self.seen if each != "end"]
        assert ends <= 1
        assert messages == sorted(set(messages))
        assert set(messages) <= set(posted)
        if all_of_them:
            assert messages == posted
            assert ends == 1


async def post(port: Port, chance: random.Random, posted: list[int], count: int) -> None:
    """Send numbers in one way or another; some are given up."""
    for number in range(count):
        for _ in range(chance.randrange(3)):
            await trio.lowlevel.checkpoint()
        if chance.random() < 0.5:
            with suppress(*REFUSALS):
                port.post_message(number)
                posted.append(number)
        else:
            with suppress(*REFUSALS), trio.move_on_after(chance.choice([0, 1, 5])):
                await port.send(number)
                posted.append(number)


def play(scenario: Any, *arguments: Any) -> None:
    async def run() -> None:
        with trio.fail_after(1000):
            await scenario(*arguments)

    trio.run(run, clock=MockClock(autojump_threshold=0))


async def swarm_of_two(dialect: Any, seed: int) -> None:
    """A pair: all that was posted arrives, unless the taker leaves first."""
    chance = random.Random(seed)
    posted: list[int] = []
    async with trio.open_nursery() as nursery:
        opener, receiver = open_port_pair(nursery, dialect=dialect, max_buffer_size=chance.choice([1, 2, 5]))
        async with trio.open_nursery() as tasks:
            taker = Taker(receiver, chance, tasks)
            taker.begin()
            await post(opener, chance, posted, chance.randrange(40))
            stays = chance.random() < 0.7
            (opener if stays else receiver).disconnect()
            await opener.wait_disconnected()
            with trio.move_on_after(50):
                await receiver.wait_disconnected()
        receiver.disconnect()
    taker.check(posted, all_of_them=stays and dialect == "trio" and bool(receiver.on_message.listeners))


async def swarm_of_many(dialect: Any, seed: int) -> None:
    """Several pages, some of which do not care, or leave; every sender gets an answer, and the browser can be left."""
    chance = random.Random(seed)
    posted: list[int] = []
    ports: list[Port] = []
    async with open_browser(dialect=dialect, max_buffer_size=chance.choice([1, 2, 5])) as browser:
        extension = browser.install("notes@example.org")
        page = extension.open_page()
        others = [extension.open_page(f"{number}.html") for number in range(chance.randrange(1, 5))]
        for other in others:
            other.runtime.on_connect.add_listener(ports.append)
        opener = page.runtime.connect()
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as tasks:
            takers = [Taker(port, chance, tasks) for port in ports]
            for taker in takers:
                if chance.random() < 0.6:
                    taker.begin()
            for _ in range(3):
                tasks.start_soon(post, opener, chance, posted, 10)
            for other, port in zip(others, ports, strict=True):
                await trio.sleep(chance.choice([0, 1, 3]))
                if chance.random() < 0.5:
                    chance.choice([other.close, port.disconnect])()
            tasks.cancel_scope.deadline = trio.current_time() + 100
    for taker in takers:
        assert taker.seen.count("end") <= 1
        assert "end" not in taker.seen[:-1]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("scenario", [swarm_of_two, swarm_of_many])
@settings(max_examples=150)
@given(seed=st.integers(0, 2**32))
def test_swarms(dialect: Any, scenario: Any, seed: int) -> None:
    """Nothing is lost, doubled, overtaken or forgotten."""
    play(scenario, dialect, seed)
