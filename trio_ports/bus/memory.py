"""A network in memory, for tests: it drops packets, and kills, hangs and separates nodes on demand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Final, final

import attrs
import trio

from .._util import check_type, require_trio
from .buses import Bus, open_bus
from .nodes import Arrived, Gone, Joined, NodeEvent

_EVER: Final = itertools.count(1)


@final
@attrs.frozen(eq=False)
class MemoryNetwork:
    """A network of nodes in this process.

    ::

        network = MemoryNetwork()
        async with network.open_bus("left") as bus, open_browser(bus=bus) as browser:
            ...

    To make something fail, name a node: by `Bus.name` or its own name. Nothing else ever
    fails.
    """

    _nodes: dict[str, MemoryNode] = attrs.field(factory=dict[str, "MemoryNode"], init=False)

    def open_node(self, label: str = "node") -> MemoryNode:
        """Open a node. Its name is the label and a number that no other node has.

        Raises:
            TypeError: ``label`` is not a string.
            RuntimeError: outside Trio.
        """
        require_trio("network.open_node")
        check_type("label", label, str)
        node = MemoryNode(f"{label}-{next(_EVER)}", self)
        for other in self._nodes.values():
            self._join(node, other)
        self._nodes[node.name] = node
        return node

    def open_bus(self, label: str = "node") -> AbstractAsyncContextManager[Bus]:
        """Open a node, and a bus over it, for a block."""
        return open_bus(self.open_node(label))

    def drop(self, sender: str, receiver: str) -> None:
        """Lose the next packet that one node sends to another.

        Raises:
            ValueError: there is no such node.
        """
        self._find(receiver)
        self._find(sender).drops.append(receiver)

    def kill(self, name: str) -> None:
        """End a node as if its process were killed: its unsent packets are lost, and it is gone for the others."""
        self.leave(self._find(name))

    def hang(self, name: str) -> None:
        """Stop a node: it neither sends nor receives, and the others do not notice. See `expire`."""
        self._find(name).pause()

    def expire(self, name: str) -> None:
        """Let the others give up on a node: from now on they are gone for it, and it for them."""
        node = self._find(name)
        node.is_expired = True
        for other in self._nodes.values():
            self._part(node, other)

    def resume(self, name: str) -> None:
        """Let a node that hangs go on. If the others had given up on it, it is there again."""
        node = self._find(name)
        node.is_expired = False
        node.proceed()
        for other in self._nodes.values():
            self._join(node, other)

    def split(self, names: Iterable[str]) -> None:
        """Cut the network between these nodes and the others: each group is gone for the other."""
        for name in tuple(names):
            self._find(name).is_apart = True
        for one, other in itertools.combinations(self._nodes.values(), 2):
            if one.is_apart != other.is_apart:
                self._part(one, other)

    def heal(self) -> None:
        """Undo `split`: all nodes are there for each other again, except those that have expired."""
        for node in self._nodes.values():
            node.is_apart = False
        for one, other in itertools.combinations(self._nodes.values(), 2):
            self._join(one, other)

    def __repr__(self) -> str:
        return f"<MemoryNetwork of {', '.join(self._nodes) or 'no nodes'}>"

    # For its nodes --------------------------------------------------------------------------------------------------

    def carry(self, sender: MemoryNode, receiver: str, data: bytes) -> None:
        """Carry a packet from one node to another, if that one is there for it."""
        if receiver in sender.drops:
            sender.drops.remove(receiver)
        elif receiver in sender.peers:
            self._nodes[receiver].happen(Arrived(sender.name, data))

    def leave(self, node: MemoryNode) -> None:
        """End a node: the others see that it is gone. Idempotent."""
        self._nodes.pop(node.name, None)
        for other in self._nodes.values():
            self._part(node, other)
        node.end()

    def _find(self, name: str) -> MemoryNode:
        if name not in self._nodes:
            raise ValueError(f"there is no node {name!r}; there are {', '.join(map(repr, self._nodes)) or 'none'}")
        return self._nodes[name]

    def _join(self, one: MemoryNode, other: MemoryNode) -> None:
        expired = one.is_expired or other.is_expired
        if one is not other and one.is_apart == other.is_apart and not expired and other.name not in one.peers:
            for node, peer in ((one, other), (other, one)):
                node.peers.add(peer.name)
                node.happen(Joined(peer.name))

    def _part(self, one: MemoryNode, other: MemoryNode) -> None:
        if other.name in one.peers:
            for node, peer in ((one, other), (other, one)):
                node.peers.remove(peer.name)
                node.happen(Gone(peer.name))


@final
@attrs.define(eq=False)
class MemoryNode:
    """A node of a `MemoryNetwork`: see `trio_ports.bus.Node`."""

    name: str = attrs.field(on_setattr=attrs.setters.frozen)
    """Its name."""
    _network: MemoryNetwork
    is_expired: bool = attrs.field(default=False, init=False)
    """The others have given up on it."""
    is_apart: bool = attrs.field(default=False, init=False)
    """It is on the other side of a `MemoryNetwork.split`."""
    drops: list[str] = attrs.field(factory=list[str], init=False)
    """For each name in this list, the next packet to that node is lost."""
    peers: set[str] = attrs.field(factory=set[str], init=False)
    """The names of the nodes that are there for it."""
    _held: list[NodeEvent] = attrs.field(factory=list[NodeEvent], init=False)
    _running: trio.Event = attrs.field(factory=trio.Event, init=False)
    _happening: trio.MemorySendChannel[NodeEvent] = attrs.field(init=False)
    _coming: trio.MemoryReceiveChannel[NodeEvent] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._happening, self._coming = trio.open_memory_channel[NodeEvent](math.inf)
        self._running.set()

    @property
    def is_running(self) -> bool:
        """Whether it runs, and does not hang."""
        return self._running.is_set()

    async def send(self, peer: str, data: bytes) -> None:
        """Send to another node; see `Node.send`."""
        await trio.lowlevel.checkpoint()
        await self._running.wait()
        self._network.carry(self, peer, data)

    async def receive(self) -> NodeEvent:
        """Wait for the next event; see `Node.receive`."""
        return await self._coming.receive()

    async def aclose(self) -> None:
        """Leave the network; see `Node.aclose`."""
        self._network.leave(self)
        await trio.lowlevel.checkpoint()

    def happen(self, event: NodeEvent) -> None:
        """Pass an event to this node, as soon as it runs."""
        if self.is_running:
            self._happening.send_nowait(event)
        else:
            self._held.append(event)

    def pause(self) -> None:
        """Let it hang."""
        if self.is_running:
            self._running = trio.Event()

    def proceed(self) -> None:
        """Let it run, and pass it the events that it has missed."""
        self._running.set()
        held, self._held = self._held, []
        for event in held:
            self._happening.send_nowait(event)

    def end(self) -> None:
        """Pass it the events that it has missed, and then no more."""
        self.proceed()
        self._happening.close()

    def __repr__(self) -> str:
        return f"<MemoryNode {self.name!r}>"
