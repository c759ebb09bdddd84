"""A bus takes any node, and one browser."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from bus.sharing import ID, URL, Heard, share
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

import trio_ports
import trio_ports.bus
from trio_ports import MessageSender
from trio_ports._browser.calls import Call
from trio_ports._transports.carrier import GRACE_SECONDS
from trio_ports.bus import Arrived, Bus, Gone, Joined, MemoryNetwork, NodeEvent, open_bus
from trio_ports.bus.buses import BEAT_SECONDS
from trio_ports.bus.packets import Answer, Credit, Data, Ended, Item, Open, encode_call
from trio_ports.bus.pairings import Pairing
from trio_ports.bus.streams import WINDOW_BYTES


async def test_waiting_for_others() -> None:
    """`wait_peers` returns when so many are there, and says nothing of who."""
    network = MemoryNetwork()
    async with network.open_bus("one") as bus:
        assert (bus.peers, repr(bus)) == ((), f"<Bus {bus.name!r} (0 peers)>")
        with assert_checkpoints():
            await bus.wait_peers(0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bus.wait_peers, 2)
            first = network.open_node()
            await wait_all_tasks_blocked()
            assert bus.peers == (first.name,)
            network.open_node()
        assert len(bus.peers) == 2
        with pytest.raises(TypeError):
            await bus.wait_peers("all")  # type: ignore[arg-type]
    assert repr(bus).endswith("(closed)>")


async def test_waiting_for_others_in_vain() -> None:
    """Whoever waits for others learns that the bus was closed, or that its node has come to its end."""
    network = MemoryNetwork()

    async def wait(bus: Bus, error: type[Exception]) -> None:
        with pytest.raises(error):
            await bus.wait_peers()
        with pytest.raises(error):
            await bus.wait_peers()

    async with trio.open_nursery() as nursery:
        async with network.open_bus() as bus:
            nursery.start_soon(wait, bus, trio.ClosedResourceError)
            await wait_all_tasks_blocked()
        async with network.open_bus() as bus:
            nursery.start_soon(wait, bus, trio.BrokenResourceError)
            await wait_all_tasks_blocked()
            network.kill(bus.name)
            await wait_all_tasks_blocked()


def test_an_interrupt_while_it_leaves() -> None:
    """A KeyboardInterrupt that comes while a bus waits for a peer that takes nothing ends the waiting, and the bus."""
    node = Faulty(Joined("stuck"))
    clock = MockClock()

    async def interrupt() -> None:
        await wait_all_tasks_blocked()
        signal.raise_signal(signal.SIGINT)

    async def leave() -> None:
        async with open_bus(node) as bus:
            await bus.wait_peers()
            clock.jump(BEAT_SECONDS)
            await wait_all_tasks_blocked()
            trio.lowlevel.spawn_system_task(interrupt)

    with pytest.raises(KeyboardInterrupt):
        trio.run(leave, clock=clock)
    assert node.closed


async def test_one_browser_for_each_bus() -> None:
    """A second browser on the same bus is refused; after the first one there may be another."""
    async with MemoryNetwork().open_bus() as bus:
        async with trio_ports.open_browser(bus=bus):
            with pytest.raises(trio.BusyResourceError):
                async with trio_ports.open_browser(bus=bus):
                    pass
        async with trio_ports.open_browser(bus=bus) as browser:
            assert not browser.closed
    with pytest.raises(trio.ClosedResourceError):
        async with trio_ports.open_browser(bus=bus):
            pass


async def test_what_is_no_bus() -> None:
    """A node, or anything else that is no bus, is refused at the call."""
    for wrong in (MemoryNetwork(), MemoryNetwork().open_node(), "tcp/127.0.0.1:7447"):
        with pytest.raises(TypeError, match=r"trio_ports\.bus opens them"):
            async with trio_ports.open_browser(bus=wrong):  # type: ignore[arg-type]
                pass


async def test_calls_while_no_browser_is_open() -> None:
    """A node without a browser has nobody who listens."""
    network = MemoryNetwork()
    async with share(1, network) as (_, (one,)), network.open_bus():
        await one.bus.wait_peers()
        port = one.page.runtime.connect()
        await port.wait_disconnected()
        assert port.error is not None
        assert port.error.cause is trio_ports.Cause.NO_RECEIVER


async def test_news_that_is_none() -> None:
    """A node that is told of twice is one, and one that goes twice, or was never there, is gone once."""
    node = Faulty(Joined("a"), Joined("a"), Gone("a"), Gone("a"), Gone("b"), Joined("c"))
    async with open_bus(node) as bus:
        await wait_all_tasks_blocked()
        assert bus.peers == ("c",)


@asynccontextmanager
async def meet(network: MemoryNetwork, name: str) -> AsyncGenerator[Callable[[Item], Awaitable[None]]]:
    """Join a network as a node of one's own that has met another one; yields what says an item to that."""
    node, pairing = network.open_node("stranger"), Pairing()
    while not pairing.has_met:
        await node.send(name, pairing.pack([]))
        match await node.receive():
            case Arrived(_, data):
                pairing.receive_data(data)

    async def say(item: Item) -> None:
        await node.send(name, pairing.pack([item]))
        await wait_all_tasks_blocked()

    yield say


CALL = encode_call(Call(opener_id=ID, opener_url=URL, name="", sender=MessageSender(), extension_id=ID))


async def test_streams_that_a_peer_may_not_open() -> None:
    """A stream that is opened twice, in the other one's name, or for what is no call, is not opened."""
    network = MemoryNetwork()
    async with share(1, network) as (_, (one,)), meet(network, one.name) as say:
        heard = Heard(one.page)
        for item in (
            Open(1, CALL),
            Open(1, CALL),
            Open(-7, CALL),
            Open(3, b"{}"),
            Ended(9),
        ):
            await say(item)
        assert len(heard.ports) == 1
        await say(Open(4, CALL))
        assert (len(heard.ports), heard.ends) == (2, [])


@pytest.mark.parametrize(
    "item",
    [
        Data(1, b"x" * (WINDOW_BYTES + 1)),
        Data(1, b""),
        Credit(1, -1),
        Credit(1, 0),
        Credit(1, WINDOW_BYTES + 1),
        Answer(1, True),
    ],
)
async def test_what_a_peer_may_not_say(item: Item) -> None:
    """Bytes or credit beyond the window, none of them, or an answer to what nobody asked break the stream, alone."""
    network = MemoryNetwork()
    async with share(1, network) as (_, (one,)), meet(network, one.name) as say:
        heard = Heard(one.page)
        await say(Open(1, CALL))
        await say(Open(2, CALL))
        heard.ports[0].post_message("a message that needs credit")
        await say(item)
        assert (heard.ports[0].error is None, heard.ports[1].error) == (False, None)
        assert heard.ends == [trio_ports.Cause.WIRE_BROKEN]


async def test_a_call_from_what_is_no_url() -> None:
    """A web page whose URL cannot be taken apart, which only a peer can name, is not let in."""
    network = MemoryNetwork()
    async with share(1, network) as (_, (one,)), meet(network, one.name) as say:
        key = {"matches": ["https://example.org/*"]}
        heard = Heard(one.browser.install("shop", externally_connectable=key).open_page(), external=True)
        call = Call(opener_id=None, opener_url="http://[", name="", sender=MessageSender(), extension_id="shop")
        await say(Open(1, encode_call(call)))
        await say(Open(2, encode_call(attrs.evolve(call, opener_url=URL))))
        assert [port.name for port in heard.ports] == [""]


def test_its_names() -> None:
    """The module lists its names without importing Zenoh."""
    assert set(trio_ports.bus.__all__) <= set(dir(trio_ports.bus))


class Faulty:
    """A node that misbehaves."""

    name = "faulty"

    def __init__(self, *events: NodeEvent, fault: Exception | None = None) -> None:
        self.events = list(events)
        self.fault = fault
        self.closed = False

    async def send(self, peer: str, data: bytes) -> None:
        await trio.sleep_forever()

    async def receive(self) -> NodeEvent:
        await trio.lowlevel.checkpoint()
        if self.events:
            return self.events.pop(0)
        if self.fault is not None:
            raise self.fault
        await trio.sleep_forever()
        raise AssertionError

    async def aclose(self) -> None:
        self.closed = True
        await trio.lowlevel.checkpoint()


async def test_a_node_that_comes_to_its_end() -> None:
    """Without its node the bus has no peers, and the browser goes on by itself."""
    node = Faulty(Joined("other"), fault=trio.EndOfChannel())
    async with open_bus(node) as bus, trio_ports.open_browser(bus=bus) as browser:
        await wait_all_tasks_blocked()
        assert bus.peers == ()
        extension = browser.install(ID)
        heard = Heard(extension.open_page())
        extension.open_page().runtime.connect()
        await wait_all_tasks_blocked()
        assert len(heard.ports) == 1
    assert node.closed


async def test_a_node_that_raises() -> None:
    """What a node raises leaves through the bus's block, and the ports end first."""
    node = Faulty(Joined("other"), fault=ZeroDivisionError("mine"))
    with pytest.raises(ExceptionGroup) as caught:
        async with open_bus(node) as bus, trio_ports.open_browser(bus=bus) as browser:
            port = browser.install(ID).open_page().runtime.connect()
            await trio.sleep_forever()
    assert caught.group_contains(ZeroDivisionError, match="mine")
    assert port.statistics() is not None
    assert node.closed


async def test_the_blocks_own_exception_leaves_as_it_is() -> None:
    """What the block raises is not wrapped."""
    with pytest.raises(ZeroDivisionError):
        async with MemoryNetwork().open_bus() as bus, trio_ports.open_browser(bus=bus):
            raise ZeroDivisionError


async def test_leaving_waits_only_so_long(autojump_clock: MockClock) -> None:
    """A peer that takes nothing keeps nobody for longer than the grace."""
    node = Faulty(Joined("stuck"))
    began = trio.current_time()
    async with open_bus(node) as bus, trio_ports.open_browser(bus=bus) as browser:
        await bus.wait_peers()
        port = browser.install(ID).open_page().runtime.connect()
        port.post_message("x" * 1_000_000)
        await wait_all_tasks_blocked()
    assert trio.current_time() - began == pytest.approx(2 * GRACE_SECONDS)
    assert node.closed


async def test_nonsense_from_a_peer() -> None:
    """Bytes that are no packet void what was open with that peer, and harm nothing else."""
    network = MemoryNetwork()
    async with share(1, network) as (_, (one,)):
        node = network.open_node("stranger")
        heard = Heard(one.page)
        for data in (b"", b"\xc1", b"x" * 1000, b"\x94\x01\x00\x00\x91\x92\x07\x01"):
            await node.send(one.name, data)
        other = one.extension.open_page()
        other.runtime.connect().post_message("hello")
        await wait_all_tasks_blocked()
        assert heard.messages == ["hello"]
        assert [isinstance(await node.receive(), (Joined, Arrived)) for _ in range(5)] == [True] * 5
