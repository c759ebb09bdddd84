"""A network in memory, for tests: it loses, kills, hangs and splits when it is told to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Final, final

import trio

from .._util import check_type, require_trio
from .buses import Bus, open_bus
from .nodes import Arrived, Gone, Joined, NodeEvent

_EVER: Final = itertools.count(1)


@final
class MemoryNetwork:
    """A network of nodes in this process.

    ::

        network = MemoryNetwork()
        async with network.open_bus("left") as bus, open_browser(bus=bus) as browser:
            ...

    What goes wrong is said by name: `Bus.name`, or the name of a node. Nothing else ever goes wrong.
    """

    __slots__ = ("_nodes", "_sides")

    def __init__(self) -> None:
        self._nodes: dict[str, MemoryNode] = {}
        self._sides: dict[str, int] = {}

    def open_node(self, label: str = "node") -> MemoryNode:
        """Open a node; a number that no other one has is added to its label.

        Raises:
            TypeError: if ``label`` is not a text.
            RuntimeError: outside Trio.
        """
        require_trio("network.open_node")
        check_type("label", label, str)
        node = MemoryNode(f"{label}-{next(_EVER)}", self)
        self._sides[node.name] = 0
        for other in self._nodes.values():
            self._join(node, other)
        self._nodes[node.name] = node
        return node

    def open_bus(self, label: str = "node") -> AbstractAsyncContextManager[Bus]:
        """Open a node, and a bus over it, for a block."""
        return open_bus(self.open_node(label))

    def drop(self, sender: str, receiver: str) -> None:
        """Lose the next thing that one node sends to another.

        Raises:
            ValueError: if there is no such node.
        """
        self._find(receiver)
        self._find(sender).drops.append(receiver)

    def kill(self, name: str) -> None:
        """End a node as the end of its process does: what it had not sent is lost, and the others see it gone."""
        node = self._find(name)
        self._remove(node)
        node.end()

    def hang(self, name: str) -> None:
        """Stop a node: it neither sends nor receives, and the others do not know it. See `expire`."""
        self._find(name).pause()

    def expire(self, name: str) -> None:
        """Let the others have waited long enough for a node: for each other, they and it are gone."""
        node = self._find(name)
        node.is_expired = True
        for other in self._nodes.values():
            self._part(node, other)

    def resume(self, name: str) -> None:
        """Let a node go on that hung. If it was taken for gone, it is there again."""
        node = self._find(name)
        node.is_expired = False
        node.proceed()
        for other in self._nodes.values():
            self._join(node, other)

    def split(self, names: Iterable[str]) -> None:
        """Cut the network between these nodes and the others: each side is gone for the other one."""
        for name in tuple(names):
            self._sides[self._find(name).name] = 1
        for one, other in itertools.combinations(self._nodes.values(), 2):
            if self._sides[one.name] != self._sides[other.name]:
                self._part(one, other)

    def heal(self) -> None:
        """Undo `split`: everybody is there again for everybody, apart from those who expired."""
        self._sides = dict.fromkeys(self._sides, 0)
        for one, other in itertools.combinations(self._nodes.values(), 2):
            self._join(one, other)

    def __repr__(self) -> str:
        return f"<MemoryNetwork of {', '.join(self._nodes) or 'no nodes'}>"

    # For its nodes --------------------------------------------------------------------------------------------------

    def carry(self, sender: MemoryNode, receiver: str, data: bytes) -> None:
        """Carry something from a node to another, if that is there for it."""
        if receiver in sender.drops:
            sender.drops.remove(receiver)
        elif receiver in sender.peers:
            self._nodes[receiver].happen(Arrived(sender.name, data))

    def leave(self, node: MemoryNode) -> None:
        """Take a node out that leaves in good order."""
        if node.name in self._nodes:
            self._remove(node)

    def _find(self, name: str) -> MemoryNode:
        if name not in self._nodes:
            raise ValueError(f"there is no node {name!r}; there are {', '.join(map(repr, self._nodes)) or 'none'}")
        return self._nodes[name]

    def _join(self, one: MemoryNode, other: MemoryNode) -> None:
        apart = one is other or self._sides[one.name] != self._sides[other.name]
        expired = one.is_expired or other.is_expired
        if not apart and not expired and other.name not in one.peers:
            for node, peer in ((one, other), (other, one)):
                node.peers.add(peer.name)
                node.happen(Joined(peer.name))

    def _part(self, one: MemoryNode, other: MemoryNode) -> None:
        if other.name in one.peers:
            for node, peer in ((one, other), (other, one)):
                node.peers.remove(peer.name)
                node.happen(Gone(peer.name))

    def _remove(self, node: MemoryNode) -> None:
        for other in self._nodes.values():
            self._part(node, other)
        del self._nodes[node.name], self._sides[node.name]


@final
class MemoryNode:
    """A node of a `MemoryNetwork`: see `trio_ports.bus.Node`."""

    __slots__ = ("_coming", "_happening", "_held", "_name", "_network", "_running", "drops", "is_expired", "peers")

    def __init__(self, name: str, network: MemoryNetwork) -> None:
        self._name = name
        self._network = network
        self._happening, self._coming = trio.open_memory_channel[NodeEvent](math.inf)
        self._held: list[NodeEvent] = []
        self._running = trio.Event()
        self._running.set()
        self.is_expired: bool = False
        """The others have waited long enough for it."""
        self.drops: list[str] = []
        """To whom the next thing that is sent is lost."""
        self.peers: set[str] = set()
        """Who is there."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    @property
    def is_running(self) -> bool:
        """It does not hang."""
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
        self.end()
        await trio.lowlevel.checkpoint()

    def happen(self, event: NodeEvent) -> None:
        """Let this node see an event, as soon as it runs."""
        if self.is_running:
            self._happening.send_nowait(event)
        else:
            self._held.append(event)

    def pause(self) -> None:
        """Let it hang."""
        if self.is_running:
            self._running = trio.Event()

    def proceed(self) -> None:
        """Let it run, and see what has happened meanwhile."""
        self._running.set()
        held, self._held = self._held, []
        for event in held:
            self._happening.send_nowait(event)

    def end(self) -> None:
        """Let it see nothing any more, after what it has not seen yet."""
        self.proceed()
        self._happening.close()

    def __repr__(self) -> str:
        return f"<MemoryNode {self._name!r}>"
