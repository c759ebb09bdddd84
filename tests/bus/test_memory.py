"""What a bus makes of a network that fails: everybody is told, once, and nothing is lost silently."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from bus.sharing import ID, Heard, Place, cause_of, share
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

import trio_ports
from trio_ports import Cause, Port
from trio_ports.bus import Arrived, Gone, Joined, MemoryNetwork, open_bus
from trio_ports.bus.buses import BEAT_SECONDS


class Talk:
    """A connection from one place to another, and what its two ends are told."""

    def __init__(self, one: Place, other: Place) -> None:
        self.heard = Heard(other.page)
        self.port: Port = one.page.runtime.connect()
        self.answers: list[Any] = []
        self.ends: list[Any] = []
        self.port.on_message.add_listener(lambda message, _: self.answers.append(message))
        self.port.on_disconnect.add_listener(lambda port: self.ends.append(cause_of(port)))

    @property
    def told(self) -> tuple[list[Any], list[Any]]:
        return self.ends, self.heard.ends


@pytest.mark.parametrize("which", [0, 1])
async def test_a_node_that_is_killed(which: int) -> None:
    """When a node is killed, the ports to it end with an error, once; and so do its own, if it still runs."""
    async with share() as (network, places):
        talk = Talk(*places)
        await wait_all_tasks_blocked()
        network.kill(places[which].name)
        await wait_all_tasks_blocked()
        assert talk.told == ([Cause.WIRE_BROKEN], [Cause.WIRE_BROKEN])
        later = places[0].page.runtime.connect()
        await wait_all_tasks_blocked()
        assert cause_of(later) is Cause.NO_RECEIVER
        assert repr(places[1 - which].bus).endswith("(0 peers)>")


async def test_what_arrived_before_a_kill_is_heard_before_the_end() -> None:
    """What a node had sent before it was killed is delivered, then the end."""
    async with share() as (network, places):
        talk = Talk(*places)
        await wait_all_tasks_blocked()
        talk.port.post_message("last")
        await wait_all_tasks_blocked()
        network.kill(places[0].name)
        await wait_all_tasks_blocked()
        assert (talk.heard.messages, talk.heard.ends) == (["last"], [Cause.WIRE_BROKEN])


async def test_a_call_that_was_not_answered_before_a_kill() -> None:
    """Whoever calls a node that hangs and is then taken for gone has called nobody."""
    async with share() as (network, places):
        network.hang(places[1].name)
        talk = Talk(*places)
        await wait_all_tasks_blocked()
        assert talk.told == ([], [])
        network.expire(places[1].name)
        await wait_all_tasks_blocked()
        assert talk.told == ([Cause.NO_RECEIVER], [])


async def test_a_node_that_hangs_and_comes_back() -> None:
    """A node that hung for too long finds its old ports ended when it goes on, and can be called again."""
    async with share() as (network, places):
        talk = Talk(*places)
        await wait_all_tasks_blocked()
        network.hang(places[1].name)
        talk.port.post_message("while it hangs")
        await wait_all_tasks_blocked()
        network.expire(places[1].name)
        await wait_all_tasks_blocked()
        assert talk.told == ([Cause.WIRE_BROKEN], [])
        network.resume(places[1].name)
        await wait_all_tasks_blocked()
        assert talk.told == ([Cause.WIRE_BROKEN], [Cause.WIRE_BROKEN])
        again = Talk(*places)
        again.port.post_message("hello")
        await wait_all_tasks_blocked()
        assert (again.heard.messages, again.told) == (["hello"], ([], []))


async def test_two_that_hang() -> None:
    """Of two nodes that hung and were taken for gone, the first to go on sees the other one when that goes on too."""
    async with share(2) as (network, (one, two)):
        for place in (one, two):
            network.hang(place.name)
            network.expire(place.name)
        network.resume(one.name)
        await wait_all_tasks_blocked()
        assert one.bus.peers == ()
        network.resume(two.name)
        await wait_all_tasks_blocked()
        assert (one.bus.peers, two.bus.peers) == ((two.name,), (one.name,))


async def test_a_short_hang_goes_unnoticed() -> None:
    """A node that goes on in time has lost nothing."""
    async with share() as (network, places):
        talk = Talk(*places)
        await wait_all_tasks_blocked()
        network.hang(places[1].name)
        talk.port.post_message("while it hangs")
        talk.heard.port.post_message("from one that hangs")
        await wait_all_tasks_blocked()
        assert (talk.heard.messages, talk.answers) == ([], [])
        network.resume(places[1].name)
        await wait_all_tasks_blocked()
        assert (talk.heard.messages, talk.answers) == (["while it hangs"], ["from one that hangs"])
        assert talk.told == ([], [])


async def test_hanging_twice_is_hanging() -> None:
    """A node that is told twice to hang goes on when it is told to once, and sends what it had to send."""
    async with share() as (network, places):
        talk = Talk(*places)
        await wait_all_tasks_blocked()
        network.hang(places[0].name)
        talk.port.post_message("while it hangs")
        await wait_all_tasks_blocked()
        network.hang(places[0].name)
        network.resume(places[0].name)
        await wait_all_tasks_blocked()
        assert talk.heard.messages == ["while it hangs"]


async def test_a_split_and_its_healing() -> None:
    """A split ends what goes across it, at both sides, and nothing else; afterwards everybody can be called."""
    async with share(3) as (network, (one, two, three)):
        across = Talk(one, two)
        beside = Talk(one, three)
        await wait_all_tasks_blocked()
        two.page.close()
        await wait_all_tasks_blocked()
        assert across.ends == []  # The third one heard that call too.
        second = two.extension.open_page()
        network.split([two.name])
        await wait_all_tasks_blocked()
        assert (across.ends, beside.ends, beside.heard.ends) == ([], [], [])
        assert (one.bus.peers, two.bus.peers) == ((three.name,), ())
        network.heal()
        network.heal()
        await wait_all_tasks_blocked()
        heard = Heard(second)
        one.page.runtime.connect()
        await wait_all_tasks_blocked()
        assert len(heard.ports) == 1


async def test_a_lost_packet_ends_both_sides() -> None:
    """A message that is lost between two nodes ends the connection with an error, at both ends, before the next one."""
    async with share() as (network, places):
        talk = Talk(*places)
        talk.port.post_message("first")
        await wait_all_tasks_blocked()
        network.drop(places[0].name, places[1].name)
        talk.port.post_message("lost")
        await wait_all_tasks_blocked()
        talk.port.post_message("after")
        await wait_all_tasks_blocked()
        assert talk.heard.messages == ["first"]
        assert talk.told == ([Cause.WIRE_BROKEN], [Cause.WIRE_BROKEN])
        again = Talk(*places)
        again.port.post_message("hello")
        await wait_all_tasks_blocked()
        assert (again.heard.messages, again.told) == (["hello"], ([], []))


async def test_a_lost_end_is_noticed_within_a_second(autojump_clock: MockClock) -> None:
    """When the last packet is the one that is lost, the next beat tells."""
    async with share() as (network, places):
        talk = Talk(*places)
        await wait_all_tasks_blocked()
        network.drop(places[0].name, places[1].name)
        talk.port.disconnect()
        await wait_all_tasks_blocked()
        assert talk.told == ([], [])
        await trio.sleep(BEAT_SECONDS * 1.5)
        assert talk.told == ([], [Cause.WIRE_BROKEN])


async def test_a_lost_end_of_the_last_word(autojump_clock: MockClock) -> None:
    """When the side that has nothing open any more loses its last packet, the other one is told all the same."""
    async with share() as (network, places):
        talk = Talk(*places)
        await wait_all_tasks_blocked()
        talk.heard.port.disconnect()
        network.drop(places[0].name, places[1].name)
        await wait_all_tasks_blocked()
        (peer,) = places[1].bus._peers.values()
        assert (talk.told, len(peer._streams)) == (([None], []), 1)
        await trio.sleep(BEAT_SECONDS * 1.5)
        assert not peer._streams
        again = Talk(*places)
        await wait_all_tasks_blocked()
        assert (again.told, len(again.heard.ports)) == (([], []), 1)


async def test_lost_words_about_a_new_beginning(autojump_clock: MockClock) -> None:
    """A node that begins again, and whose saying so is lost, says so again before the other one calls it in vain."""
    async with share() as (network, (one, two)):
        await wait_all_tasks_blocked()
        network.drop(one.name, two.name)
        network._nodes[one.name].happen(Arrived(two.name, b"nonsense"))
        await trio.sleep(BEAT_SECONDS * 1.5)
        talk = Talk(two, one)
        talk.port.post_message("hello")
        await wait_all_tasks_blocked()
        assert (talk.heard.messages, talk.told) == (["hello"], ([], []))


async def test_healing_wakes_nobody() -> None:
    """Who hangs, and was taken for gone, is not there again because a split is healed, nor for a new node."""
    async with share(2) as (network, (one, two)):
        network.hang(two.name)
        network.expire(two.name)
        network.heal()
        node = network.open_node()
        await wait_all_tasks_blocked()
        assert one.bus.peers == (node.name,)
        network.resume(two.name)
        await wait_all_tasks_blocked()
        assert one.bus.peers == (node.name, two.name)


async def test_lost_first_words(autojump_clock: MockClock) -> None:
    """When two nodes do not hear each other's first words, a call between them is heard a second later."""
    network = MemoryNetwork()
    nodes = [network.open_node(), network.open_node()]
    for one, other in (nodes, nodes[::-1]):
        network.drop(one.name, other.name)
    async with (
        open_bus(nodes[0]) as here,
        open_bus(nodes[1]) as there,
        trio_ports.open_browser(bus=here) as near,
        trio_ports.open_browser(bus=there) as far,
    ):
        await here.wait_peers()
        heard = Heard(far.install(ID).open_page())
        port = near.install(ID).open_page().runtime.connect()
        port.post_message("hello")
        await wait_all_tasks_blocked()
        assert heard.messages == []
        await trio.sleep(BEAT_SECONDS * 1.5)
        assert (heard.messages, port.error) == (["hello"], None)


async def test_a_quiet_bus_sends_nothing(autojump_clock: MockClock) -> None:
    """As long as nothing is open, no packet is sent."""
    async with share() as (network, places):
        await wait_all_tasks_blocked()
        network.drop(places[0].name, places[1].name)
        await trio.sleep(100)
        assert network._nodes[places[0].name].drops == [places[1].name]


async def test_late_words_of_a_node_that_is_gone() -> None:
    """What arrives from a node that is gone does not count."""
    network = MemoryNetwork()
    async with share(1, network) as (_, (one,)):
        node = network.open_node("other")
        await one.bus.wait_peers()
        network.split([one.name])
        network._nodes[one.name].happen(Arrived(node.name, b""))
        await wait_all_tasks_blocked()
        assert one.bus.peers == ()


async def test_nodes_by_themselves() -> None:
    """A node says who is there, who comes and who goes, and carries bytes; closed, it comes to its end."""
    network = MemoryNetwork()
    one = network.open_node("one")
    other = network.open_node("one")
    assert one.name != other.name
    assert repr(network) == f"<MemoryNetwork of {one.name}, {other.name}>"
    with assert_checkpoints():
        assert await one.receive() == Joined(other.name)
    assert await other.receive() == Joined(one.name)
    with assert_checkpoints():
        await one.send(other.name, b"hello")
    assert await other.receive() == Arrived(one.name, b"hello")
    with assert_checkpoints():
        await other.aclose()
    await other.aclose()
    assert await one.receive() == Gone(other.name)
    await one.send(other.name, b"to nobody")
    assert await other.receive() == Gone(one.name)
    with pytest.raises(trio.EndOfChannel):
        await other.receive()
    network.kill(one.name)
    assert repr(network) == "<MemoryNetwork of no nodes>"
    assert repr(one) == f"<MemoryNode {one.name!r}>"


async def test_names_that_are_not_there() -> None:
    """A name that no node has is refused where it is said, with the names that there are."""
    network = MemoryNetwork()
    with pytest.raises(ValueError, match="there are none"):
        network.kill("x")
    node = network.open_node()
    with pytest.raises(ValueError, match=node.name):
        network.drop(node.name, "x")
    with pytest.raises(ValueError, match="'x'"):
        network.split(["x"])
    with pytest.raises(TypeError):
        network.open_node(3)  # type: ignore[arg-type]


def test_outside_trio() -> None:
    """A node needs Trio."""
    with pytest.raises(RuntimeError, match=r"network\.open_node must be called from inside trio\.run"):
        MemoryNetwork().open_node()
