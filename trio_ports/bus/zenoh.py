"""Nodes on Zenoh, for browsers in several processes or on several machines. Needs the extra ``bus``.

Zenoh calls back from threads of its own, so every event goes through the Trio token.
Zenoh's calls may block (a ``put`` for seconds, if the other process is stopped), so they
run in worker threads.
"""

from __future__ import annotations

import functools
import json
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal, final

import attrs
import trio

try:
    import zenoh
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "trio_ports.bus.open_zenoh_bus needs Zenoh: install trio_ports with its extra, 'trio_ports[bus]'",
        name=_missing.name,
    ) from _missing

from .._ports.body import Body
from .._util import check_type, require_trio
from .buses import Bus, open_bus
from .greetings import Greetings
from .nodes import Arrived, Gone, Joined, NodeEvent

LEASE_SECONDS: Final = 2.0
"""How long a node may be silent before it counts as gone."""
_GREETING_SECONDS: Final = (0.02, 1.0)
"""How soon a node that has not answered is asked again: at first, and at most."""
_DROP_SECONDS: Final = 1.0
_LAST_WORDS_SECONDS: Final = 0.02
_QUESTION: Final = b"?"
_ANSWER: Final = b"!"
_VERSION: Final = "1"
"""The version of the packets. Nodes with different versions do not see each other."""


@asynccontextmanager
async def open_zenoh_bus(
    name: str = "browsers",
    *,
    listen: Sequence[str] = (),
    connect: Sequence[str] = (),
    mode: Literal["router", "peer", "client"] = "router",
    lease_seconds: float = LEASE_SECONDS,
    config: zenoh.Config | None = None,
) -> AsyncGenerator[Bus]:
    """Join the bus with that name on a Zenoh network, for a block.

    ::

        async with open_zenoh_bus(listen=["tcp/127.0.0.1:7447"]) as bus, open_browser(bus=bus) as browser:
            ...     # and in the other process: open_zenoh_bus(connect=["tcp/127.0.0.1:7447"])

    This node connects only to the addresses in ``connect``, and can be reached only at
    those in ``listen``. Nodes also see each other by way of other nodes: it is enough if
    one node listens and all others connect to it. An address that does not answer yet is
    tried again until it does. Any program that can reach one of the addresses may take
    part: use a network that you trust, or give Zenoh certificates with ``config``.

    Args:
        name: which bus; buses with other names on the same network are separate. It may
            have letters, digits, ``_``, ``-`` and ``.``.
        listen: the addresses to be reached at, as Zenoh writes them:
            ``tcp/127.0.0.1:7447``, ``unixsock-stream//run/user/1000/bus``.
        connect: the addresses of other nodes.
        mode: Zenoh's word for how this node takes part: a ``"router"`` passes on the
            packets of others, a ``"peer"`` does not, and a ``"client"`` talks to one
            router only, which must already be there.
        lease_seconds: how long a node may be silent, because it hangs or its network
            fails, before it counts as gone.
        config: Zenoh's own configuration; if it is given, only ``name`` is used of the
            arguments above.

    Raises:
        TypeError, ValueError: an argument is not as above.
        OSError: Zenoh could not be opened; the ``__cause__`` is Zenoh's own error.
        RuntimeError: outside Trio.

    Source: ours.
    """
    require_trio("open_zenoh_bus")
    check_type("name", name, str)
    if not name or not name.replace("_", "").replace("-", "").replace(".", "").isalnum():
        raise ValueError(f"name must be made of letters, digits, '_', '-' and '.', not {name!r}")
    chosen = make_config(listen, connect, mode, lease_seconds) if config is None else config
    node = ZenohNode(f"trio_ports/{_VERSION}/{name}")
    body = Body()
    with body.joined():
        async with trio.open_nursery() as nursery:
            with body:
                await node.open(chosen)
                nursery.start_soon(node.greet)
                async with open_bus(node) as bus:
                    yield bus
            nursery.cancel_scope.cancel()


def make_config(listen: Sequence[str], connect: Sequence[str], mode: str, lease_seconds: float) -> zenoh.Config:
    """Return Zenoh's configuration for these arguments of `open_zenoh_bus`, checked."""
    if mode not in ("router", "peer", "client"):
        raise ValueError(f'mode must be "router", "peer" or "client", not {mode!r}')
    check_type("lease_seconds", lease_seconds, (int, float))
    if not 0.1 <= lease_seconds < math.inf:
        raise ValueError(f"lease_seconds must be at least 0.1, not {lease_seconds!r}")
    settings = {
        "mode": mode,
        "listen/endpoints": _check_addresses("listen", listen),
        "connect/endpoints": _check_addresses("connect", connect),
        "scouting/multicast/enabled": False,
        "scouting/delay": 0,  # Otherwise it sometimes waits half a second to find others.
        "transport/link/tx/lease": round(lease_seconds * 1000),
    }
    config = zenoh.Config()
    for key, value in settings.items():
        config.insert_json5(key, json.dumps(value))  # pyright: ignore[reportUnknownMemberType] - It returns nothing.
    return config


def _check_addresses(what: str, addresses: Sequence[str]) -> list[str]:
    if isinstance(addresses, str):
        raise TypeError(f"{what} must be a list of addresses, not one: [{addresses!r}]")
    for address in addresses:
        check_type(f"each address of {what}", address, str)
        kind, slash, place = address.partition("/")
        if not (kind and slash and place):
            raise ValueError(f'{what}: an address looks like "tcp/127.0.0.1:7447", not {address!r}')
    return list(addresses)


@final
@attrs.frozen
class _Greeting:
    """A question whether this node can be reached, or the answer to one; not a packet."""

    peer: str
    word: bytes


@final
class ZenohNode:
    """A node on Zenoh: see `trio_ports.bus.Node`."""

    def __init__(self, prefix: str) -> None:
        self.name: str = secrets.token_hex(16)
        """Random, so that no other node ever has the same."""
        self._prefix = prefix
        self._happening, self._coming = trio.open_memory_channel[NodeEvent | _Greeting](math.inf)
        self._next: deque[NodeEvent] = deque()
        self._greetings = Greetings()
        self._asked_by: set[str] = set()
        self._has_to_greet = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        self._session: zenoh.Session | None = None
        self._declared: list[zenoh.Subscriber[None] | zenoh.LivelinessToken] = []
        self._dropped: list[threading.Event] = []
        self._publishers: dict[str, zenoh.Publisher] = {}

    async def open(self, config: zenoh.Config) -> None:
        """Connect. A cancelled call returns once Zenoh has answered, and leaves nothing open."""
        try:
            await _in_thread(self._open, config)
            await trio.lowlevel.checkpoint_if_cancelled()
        except BaseException as error:
            await self._close()
            if isinstance(error, zenoh.ZError):
                raise OSError(f"Zenoh could not be opened: {error}") from error
            raise

    def _open(self, config: zenoh.Config) -> None:
        session = self._session = zenoh.open(config)
        # In this order: a node that sees this one can send to it, and this node sees the others.
        self._declared = [
            session.declare_subscriber(f"{self._prefix}/to/{self.name}/*", self._called(self._take)),
            session.liveliness().declare_subscriber(f"{self._prefix}/here/*", self._called(self._see), history=True),
            session.liveliness().declare_token(f"{self._prefix}/here/{self.name}"),
        ]

    def _called(self, function: Callable[[Any], NodeEvent | _Greeting | None]) -> zenoh.handlers.Callback[Any]:
        def call(sample: Any) -> None:
            event = function(sample)
            if event is not None:
                with suppress(trio.RunFinishedError):
                    self._token.run_sync_soon(self._happen, event)

        dropped = threading.Event()
        self._dropped.append(dropped)
        return zenoh.handlers.Callback(call, dropped.set)

    def _happen(self, event: NodeEvent | _Greeting) -> None:
        with suppress(trio.ClosedResourceError):  # It came while the session was being closed.
            self._happening.send_nowait(event)

    def _take(self, sample: zenoh.Sample) -> NodeEvent | _Greeting:
        if sample.attachment is not None:
            return _Greeting(_last_part(sample), sample.attachment.to_bytes())
        return Arrived(_last_part(sample), sample.payload.to_bytes())

    def _see(self, sample: zenoh.Sample) -> NodeEvent | None:
        peer = _last_part(sample)
        if peer == self.name:
            return None
        return Joined(peer) if sample.kind == zenoh.SampleKind.PUT else Gone(peer)

    async def greet(self) -> None:
        """Ask new nodes until they answer, and answer nodes that ask. Runs until it is cancelled."""
        async with trio.open_nursery() as nursery:
            first, last = _GREETING_SECONDS
            seconds = first
            while True:
                for peer in self._asked_by:
                    nursery.start_soon(_in_thread, self._send, peer, b"", _ANSWER)
                for peer in self._greetings.ask():
                    nursery.start_soon(_in_thread, self._send, peer, b"", _QUESTION)
                self._asked_by.clear()
                self._has_to_greet = trio.Event()
                with trio.move_on_after(seconds if self._greetings.has_strangers else math.inf):
                    await self._has_to_greet.wait()
                    seconds = first
                seconds = min(2 * seconds, last)

    async def send(self, peer: str, data: bytes) -> None:
        """Send to another node; see `Node.send`."""
        await _in_thread(self._send, peer, data)

    def _send(self, peer: str, data: bytes, attachment: bytes | None = None) -> None:
        session = self._session
        if session is None:  # It was closed while this call waited for its thread.
            return
        # The session may close at any moment. The bus notices a packet that is lost then, or by another fault.
        with suppress(zenoh.ZError):
            publisher = self._publishers.get(peer)
            if publisher is None:
                publisher = self._publishers[peer] = session.declare_publisher(
                    f"{self._prefix}/to/{peer}/{self.name}",
                    congestion_control=zenoh.CongestionControl.BLOCK,
                    express=True,
                )
            publisher.put(data, attachment=attachment)  # pyright: ignore[reportUnknownMemberType] - It returns nothing.

    async def receive(self) -> NodeEvent:
        """Wait for the next event; see `Node.receive`."""
        while not self._next:
            self._interpret(await self._coming.receive())
        return self._next.popleft()

    def _interpret(self, event: NodeEvent | _Greeting) -> None:
        """Decide what an event means for `receive`."""
        match event:
            case Joined(peer):
                self._greetings.announce(peer)
                self._has_to_greet.set()
            case _Greeting(peer, word) if word == _QUESTION:
                self._asked_by.add(peer)
                self._has_to_greet.set()
            case _Greeting(peer, _):
                self._next += self._greetings.answer(peer)
            case Arrived():
                self._next += self._greetings.hear(event)
                if not self._next:
                    self._has_to_greet.set()
            case _:
                self._publishers.pop(event.peer, None)
                self._next += self._greetings.lose(event.peer)

    async def aclose(self) -> None:
        """Leave; see `Node.aclose`."""
        await self._close()
        await trio.lowlevel.checkpoint()

    async def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with trio.CancelScope(shield=True):
                await _in_thread(self._close_session, session)
        self._happening.close()

    def _close_session(self, session: zenoh.Session) -> None:
        """Close, once Zenoh's threads call nothing here any more: a call while Python exits aborts the process."""
        # Zenoh may send the news that this node is gone before its last packets. So they get a moment's start.
        time.sleep(_LAST_WORDS_SECONDS)
        for each in self._declared:
            each.undeclare()  # type: ignore[no-untyped-call]  # pyright: ignore[reportUnknownMemberType]
        for dropped in self._dropped:
            dropped.wait(_DROP_SECONDS)
        session.close()  # type: ignore[no-untyped-call]  # pyright: ignore[reportUnknownMemberType]


def _last_part(sample: zenoh.Sample) -> str:
    return str(sample.key_expr).rpartition("/")[2]


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of Zenoh's, which may block, in a thread; no other call has to wait for it."""
    return await trio.to_thread.run_sync(
        functools.partial(function, *arguments), limiter=trio.CapacityLimiter(1), abandon_on_cancel=False
    )
