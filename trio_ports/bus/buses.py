"""A bus: joins a browser with others, in several processes or on several machines."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._browser.calls import Answer, Call, Elsewhere
from .._ports.body import Body
from .._transports.carrier import GRACE_SECONDS
from .._util import check_type, require_trio
from .links import Links
from .nodes import Arrived, Gone, Joined, Node
from .peers import Peer
from .streams import BusStream

BEAT_SECONDS: Final = 1.0
"""The time between heartbeats: so soon is the loss of a last packet noticed."""


@final
@attrs.define(eq=False)
class Bus:
    """Joins a browser with others, for ``open_browser(bus=…)``. `open_bus` and its callers make it."""

    _node: Node
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)
    _scope: trio.CancelScope = attrs.field(factory=lambda: trio.CancelScope(shield=True), init=False)
    _ended: bool = attrs.field(default=False, init=False)
    _links: Links | None = attrs.field(default=None, init=False)
    _peers: dict[str, Peer] = attrs.field(factory=dict[str, Peer], init=False)
    _changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)

    @property
    def name(self) -> str:
        """The name of this browser's node."""
        return self._node.name

    @property
    def peers(self) -> tuple[str, ...]:
        """The names of the other nodes that are there."""
        return tuple(self._peers)

    async def wait_peers(self, count: int = 1) -> None:
        """Wait until at least ``count`` other nodes are there. A checkpoint.

        A connection reaches the nodes that are there when it is opened, and no others.

        Raises:
            TypeError: ``count`` is not an int.
            trio.ClosedResourceError: the bus's own block has ended, or ends meanwhile.
            trio.BrokenResourceError: its node has ended, so nobody will ever be there.
        """
        check_type("count", count, int)
        await trio.lowlevel.checkpoint()
        while len(self._peers) < count:
            if self._scope.cancel_called:
                raise trio.ClosedResourceError(f"{self!r} is closed")
            if self._ended:
                raise trio.BrokenResourceError(f"the node of {self!r} has ended")
            await self._changed.park()

    @asynccontextmanager
    async def share(self, answer: Answer, *, max_message_bytes: float) -> AsyncGenerator[Elsewhere]:
        """Let the others reach a browser for the block; called by `open_browser`.

        Args:
            answer: answers the others' calls, for the browser.
            max_message_bytes: the largest encoded message that the browser accepts.

        Raises:
            trio.BusyResourceError: another browser is on this bus.
            trio.ClosedResourceError: the bus's own block has ended.
        """
        if self._links is not None:
            raise trio.BusyResourceError("another browser is on this bus: open a bus for each")
        if self._scope.cancel_called:
            raise trio.ClosedResourceError(f"{self!r} is closed")
        async with trio.open_nursery() as nursery:
            self._links = Links(self._peers, answer, max_message_bytes, nursery)
            try:
                yield self._links
            finally:
                self._links = None
            nursery.cancel_scope.cancel()  # The links still get time to send messages.

    def __repr__(self) -> str:
        state = "closed" if self._scope.cancel_called else f"{len(self._peers)} peers"
        return f"<Bus {self.name!r} ({state})>"

    # For the package ------------------------------------------------------------------------------------------------

    @enable_ki_protection
    async def _run(self) -> None:
        """Stay on the bus until `_leave`. Shielded, so that open streams end in good order first."""
        with self._scope:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._beat)
                try:
                    await self._listen()
                finally:
                    self._ended = True
                    for peer in self.peers:
                        self._lose(peer)
                    self._changed.unpark_all()
                self._nursery.cancel_scope.cancel()

    @enable_ki_protection
    async def _leave(self) -> None:
        """Send what is left to send, for at most the grace period, and leave."""
        try:
            with trio.move_on_after(GRACE_SECONDS, shield=True):
                while not all(peer.is_idle for peer in self._peers.values()):
                    await self._changed.park()
        finally:  # A KeyboardInterrupt may end the waiting, and nothing else ends a shielded task.
            self._scope.cancel()
            with trio.move_on_after(GRACE_SECONDS, shield=True):
                await self._node.aclose()

    async def _listen(self) -> None:
        while True:
            try:
                event = await self._node.receive()
            except trio.EndOfChannel:
                return
            match event:
                case Joined(peer):
                    self._welcome(peer)
                case Gone(peer):
                    self._lose(peer)
                case Arrived(peer, data) if peer in self._peers:
                    self._peers[peer].receive_data(data)
                case _:  # It arrived from a node that is not there, and does not count.
                    pass

    def _welcome(self, name: str) -> None:
        if name not in self._peers:
            assert self._nursery is not None, "it listens in the nursery"
            peer = self._peers[name] = Peer(name, self._accept)
            self._nursery.start_soon(self._write, peer)
            self._changed.unpark_all()

    def _lose(self, name: str) -> None:
        peer = self._peers.pop(name, None)
        if peer is not None:
            peer.gone.cancel()
            peer.void()
            self._changed.unpark_all()

    def _accept(self, call: Call, stream: BusStream) -> None:
        if self._links is None:
            stream.answer(heard=False)
        else:
            self._links.accept(call, stream)

    async def _write(self, peer: Peer) -> None:
        with peer.gone:
            while True:
                while peer.has_packet:
                    await self._node.send(peer.name, peer.next_packet())
                self._changed.unpark_all()
                peer.woken = trio.Event()
                await peer.woken.wait()

    async def _beat(self) -> None:
        while True:
            await trio.sleep(BEAT_SECONDS)
            for peer in self._peers.values():
                peer.beat()


@asynccontextmanager
async def open_bus(node: Node) -> AsyncGenerator[Bus]:
    """Open a bus over a node of your own, for a block, and close the node at the end.

    ::

        async with open_bus(node) as bus, open_browser(bus=bus) as browser:
            ...

    Leaving the block first sends what is left to send, for at most three seconds. If the
    node ends before the block does, the bus has no peers any more. Any other exception of
    the node leaves in an ExceptionGroup.

    Raises:
        RuntimeError: outside Trio.

    Source: ours.
    """
    require_trio("open_bus")
    body = Body()
    with body.joined():
        async with trio.open_nursery() as nursery:
            bus = Bus(node)
            nursery.start_soon(bus._run)
            with body:
                try:
                    yield bus
                finally:
                    await bus._leave()
