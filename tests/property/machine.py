"""State machines that hold ports against the model: whatever the rules do, both have seen the same.

`PortMachine` knows ports and nothing of where they come from; its subclasses open them: `PairMachine` by any function
that makes the two ends of a connection, `BrowserMachine` in a browser with contexts, a tab and frames.

What one rule does at once, without letting the run go on in between, is a *script*: a list of sync actions. After each
rule everything runs until it waits, and the two sides are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, ClassVar

import trio
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from property import model
from property.driver import Driver, Step
from property.model import RULES, SLOTS, WAITING_SLOT, Call, Message

import trio_ports
from trio_ports import Disconnected, Opened, Port

INDEX = st.integers(0, 11)
SLOT = st.integers(0, SLOTS - 1)
DEED = st.sampled_from(["note", "note", "note", "echo", "bye", "add", "drop", "hold", "raise"])
Action = tuple[Any, ...]
PORT_ACTIONS = (
    st.tuples(st.just("post"), INDEX, DEED),
    st.tuples(st.just("post"), INDEX, st.just("note")),
    st.tuples(st.just("listen"), INDEX, SLOT),
    st.tuples(st.just("listen_for_end"), INDEX, SLOT),
    st.tuples(st.just("unlisten"), INDEX, SLOT),
    st.tuples(st.just("unlisten_for_end"), INDEX, SLOT),
    st.tuples(st.just("disconnect"), INDEX),
)
LEAVING = st.sampled_from(["leave", "cancel", "crash"])


class ScriptedError(Exception):
    """What a crashing listener or block raises."""


class Pair:
    """A port beside its model, and what its listeners saw."""

    def __init__(self, twin: model.Port) -> None:
        self.twin = twin
        self.port: Port | None = None
        self.seen: list[tuple[int, str, int | None]] = []
        self.gate = trio.Event()
        self.block: Stay | None = None
        self.listeners = [self._message_listener(slot) for slot in range(SLOTS)]
        self.enders = [self._end_listener(slot) for slot in range(SLOTS)]

    def _message_listener(self, slot: int) -> Callable[[Any, Port], object]:
        def listen(message: Any, port: Port) -> None:
            assert port is self.port
            self.seen.append((slot, message["id"], message["sender"]))
            do = message["do"]
            if do == "echo":
                reply = {"sender": self.twin.number, "id": f"{message['id']}>{self.twin.number}.{slot}", "do": "note"}
                with suppress(trio.ClosedResourceError, trio.BrokenResourceError):  # An earlier listener disconnected.
                    port.post_message(reply)
            elif do == "bye":
                port.disconnect()
            elif do == "add":
                port.on_message.add_listener(self.listeners[(slot + 1) % SLOTS])
            elif do == "drop":
                port.on_message.remove_listener(self.listeners[(slot + 1) % SLOTS])
            elif do == "raise":
                raise ScriptedError

        async def listen_and_wait(message: Any, port: Port) -> None:
            listen(message, port)
            if message["do"] == "hold":
                await self.gate.wait()

        return listen_and_wait if slot == WAITING_SLOT else listen

    def _end_listener(self, slot: int) -> Callable[[Port], object]:
        def listen(port: Port) -> None:
            assert port is self.port
            self.seen.append((slot, "end", None))

        async def listen_and_wait(port: Port) -> None:
            listen(port)
            await trio.lowlevel.checkpoint()

        return listen_and_wait if slot == WAITING_SLOT else listen


class Stay:
    """A task that stays in an ``async with`` until it is told how to leave."""

    def __init__(self, driver: Driver, block: AbstractAsyncContextManager[Any]) -> None:
        self._driver = driver
        self._told = trio.Event()
        self._how = ""
        self.value: Any = None
        self.step = driver.start(self._run, block)

    async def _run(self, block: AbstractAsyncContextManager[Any]) -> None:
        async with block as self.value:
            await self._told.wait()
            if self._how == "crash":
                raise ScriptedError

    def leave(self, how: str) -> None:
        self._how = how
        if how == "cancel":
            self._driver.cancel(self.step)
        else:
            self._driver.call(self._told.set)
        assert isinstance(self.step.error, ScriptedError) if how == "crash" else self.step.unwrap() is None


class PortMachine(RuleBasedStateMachine):
    """Ports, wherever they come from."""

    dialect: ClassVar[Any] = "trio"

    def __init__(self) -> None:
        super().__init__()
        self.rules = RULES[self.dialect]
        self.model = model.Model(self.rules)
        self.pairs: list[Pair] = []
        self.calls: list[tuple[Step, Call]] = []
        self.observed: list[trio_ports.Observation] = []
        self.driver = Driver()
        self.count = 0

    @property
    def options(self) -> dict[str, Any]:
        """What every opener is given."""
        bound = {"max_buffer_size": self.rules.bound} if self.dialect == "trio" else {}
        return {"dialect": self.dialect, "listener_errors": "log", "observer": self.observed.append, **bound}

    def pick(self, index: int) -> Pair | None:
        """Return one of the ports that exist."""
        existing = [pair for pair in self.pairs if pair.port is not None]
        return existing[index % len(existing)] if existing else None

    def new_message(self, pair: Pair, do: str = "note") -> tuple[Message, dict[str, Any]]:
        several = len(pair.twin.connection.directions["receiver"].inboxes) > 1
        if do == "echo" and several and pair.twin.side == "receiver":
            do = "note"  # Several openers' answers among the receivers' own posts have no order that a rule gives.
        self.count += 1
        identity = f"m{self.count}"
        return (
            Message(pair.twin.number, identity, do),  # type: ignore[arg-type]
            {"sender": pair.twin.number, "id": identity, "do": do},
        )

    # What happens at once -------------------------------------------------------------------------------------------

    def act(self, script: list[Action]) -> None:
        """Carry out a script in both worlds, then let both settle."""

        def run() -> None:
            for name, *args in script:
                getattr(self, f"do_{name}")(*args)

        self.driver.call(run)
        self.model.settle()

    def do_post(self, index: int, do: str) -> None:
        pair = self.pick(index)
        if pair is not None and pair.port is not None:
            abstract, concrete = self.new_message(pair, do)
            assert outcome_of(lambda: pair.port.post_message(concrete)) == pair.twin.post(abstract)

    def do_listen(self, index: int, slot: int) -> None:
        pair = self.pick(index)
        if pair is not None and pair.port is not None:
            add = pair.port.on_message.add_listener
            assert outcome_of(lambda: add(pair.listeners[slot])) == pair.twin.listen(slot)

    def do_listen_for_end(self, index: int, slot: int) -> None:
        pair = self.pick(index)
        if pair is not None and pair.port is not None:
            pair.port.on_disconnect.add_listener(pair.enders[slot])
            pair.twin.listen_for_end(slot)

    def do_unlisten(self, index: int, slot: int) -> None:
        pair = self.pick(index)
        if pair is not None and pair.port is not None:
            pair.port.on_message.remove_listener(pair.listeners[slot])
            pair.twin.unlisten(slot)

    def do_unlisten_for_end(self, index: int, slot: int) -> None:
        pair = self.pick(index)
        if pair is not None and pair.port is not None:
            pair.port.on_disconnect.remove_listener(pair.enders[slot])
            pair.twin.unlisten_for_end(slot)

    def do_disconnect(self, index: int) -> None:
        pair = self.pick(index)
        if pair is not None and pair.port is not None:
            pair.port.disconnect()
            pair.twin.close()

    # What takes its time --------------------------------------------------------------------------------------------

    @precondition(lambda self: self.pairs)
    @rule(index=INDEX, do=DEED)
    def send(self, index: int, do: str) -> None:
        pair = self.pick(index)
        if pair is not None and pair.port is not None:
            abstract, concrete = self.new_message(pair, do)
            self.calls.append((self.driver.start(pair.port.send, concrete), pair.twin.send(abstract)))
            self.model.settle()

    @precondition(lambda self: self.pairs)
    @rule(index=INDEX)
    def receive(self, index: int) -> None:
        pair = self.pick(index)
        if pair is not None and pair.port is not None:
            self.calls.append((self.driver.start(pair.port.receive), pair.twin.receive()))
            self.model.settle()

    @precondition(lambda self: any(step.blocked for step, _ in self.calls))
    @rule(index=INDEX)
    def cancel_call(self, index: int) -> None:
        """A cancelled send has sent nothing, a cancelled receive has taken nothing."""
        blocked = [(step, call) for step, call in self.calls if step.blocked]
        step, call = blocked[index % len(blocked)]
        self.driver.cancel(step)
        for twin in self.model.ports:
            if twin.inbox.reader is call:
                twin.inbox.reader = None
            for entry in [entry for entry in twin.out.waiting if entry[2] is call]:
                twin.out.waiting.remove(entry)
                twin.out.admit()
        call.finish("cancelled")
        self.model.settle()

    @precondition(lambda self: any(twin.holding for twin in self.model.ports))
    @rule(index=INDEX)
    def release(self, index: int) -> None:
        """Let a listener that waits go on."""
        holding = [pair for pair in self.pairs if pair.twin.holding]
        pair = holding[index % len(holding)]
        gate, pair.gate = pair.gate, trio.Event()
        self.driver.call(gate.set)
        pair.twin.holding = False
        self.model.settle()

    @precondition(lambda self: self.pairs)
    @rule(index=INDEX)
    def enter_block(self, index: int) -> None:
        pair = self.pick(index)
        if pair is not None and pair.port is not None and pair.block is None:
            pair.block = Stay(self.driver, pair.port)

    @precondition(lambda self: any(pair.block is not None and pair.block.step.blocked for pair in self.pairs))
    @rule(index=INDEX, how=LEAVING)
    def leave_block(self, index: int, how: str) -> None:
        inside = [pair for pair in self.pairs if pair.block is not None and pair.block.step.blocked]
        pair = inside[index % len(inside)]
        if pair.twin.holding and how == "leave":
            how = "cancel"  # It would wait for the listener.
        assert pair.block is not None
        pair.block.leave(how)
        pair.twin.leave_block("crashed" if how == "crash" else None)
        self.model.settle()

    # What must hold -------------------------------------------------------------------------------------------------

    @invariant()
    def both_have_seen_the_same(self) -> None:
        for pair in self.pairs:
            twin, port = pair.twin, pair.port
            assert model.by_sender(pair.seen) == model.by_sender(twin.seen)
            if port is None:
                continue
            statistics = port.statistics()
            assert statistics.state == twin.state
            assert statistics.messages_waiting == len(twin.inbox.messages)
            assert statistics.tasks_waiting_send == sum(entry[0] is twin for entry in twin.out.waiting)
            assert (port.error and port.error.cause.value) == (twin.error if self.rules.keeps_error else None)
        for step, call in self.calls:
            assert outcome_of_step(step, call) == call.outcome

    @invariant()
    def the_end_comes_at_most_once(self) -> None:
        for pair in self.pairs:
            ends = [slot for slot, what, _ in pair.seen if what == "end"]
            assert len(ends) == len(set(ends))
            assert not ends or pair.port.statistics().state == "ended"  # type: ignore[union-attr]

    @invariant()
    def only_receivers_have_a_sender(self) -> None:
        for pair in self.pairs:
            if pair.port is not None:
                assert (pair.port.sender is not None) == (pair.twin.side == "receiver")

    def teardown(self) -> None:
        """End everything; every port has ended then, once."""
        self.close_scopes()
        self.driver.close()
        opened = [observation.port for observation in self.observed if isinstance(observation, Opened)]
        over = [observation.port for observation in self.observed if isinstance(observation, Disconnected)]
        assert len(opened) == len(over)
        assert set(opened) == set(over)
        for port in opened:
            assert port.statistics().state in ("ended", "closed")
        for pair in self.pairs:
            assert len(pair.seen) == len(set(pair.seen))

    def close_scopes(self) -> None:
        """End the scopes that own the ports."""


class PairMachine(PortMachine):
    """Connections of two ends, made by a function that returns a block with both."""

    @staticmethod
    def open_pair(**options: Any) -> AbstractAsyncContextManager[tuple[Port, Port]]:
        """Open a connection: the opener's end and the receiver's; its scope is the block."""
        raise NotImplementedError

    @precondition(lambda self: len(self.pairs) < 6)
    @rule()
    def open(self) -> None:
        stay = Stay(self.driver, self.open_pair(**self.options))
        for twin, port in zip(self.model.connect(), stay.value, strict=True):
            pair = Pair(twin)
            pair.port = port
            self.pairs.append(pair)

    @precondition(lambda self: self.pairs)
    @rule(script=st.lists(st.one_of(PORT_ACTIONS), min_size=1, max_size=6))
    def together(self, script: list[Action]) -> None:
        self.act(script)


class BrowserMachine(PortMachine):
    """Connections in a browser: several receivers, scopes that close and crash, documents that go away."""

    def __init__(self) -> None:
        super().__init__()
        self.model: model.Browser = model.Browser(self.rules)
        self.contexts: list[trio_ports.Context] = []
        self.stays: list[Stay] = []

    @initialize(listening=st.booleans())
    def open_browser(self, listening: bool) -> None:
        self.home = Stay(self.driver, trio_ports.open_browser(**self.options))
        browser: trio_ports.Browser = self.home.value
        self.extension = browser.install("notes@example.org")
        self.driver.call(self._open_tab, browser)
        self.open_context("background", 0, listening, ())

    def _open_tab(self, browser: trio_ports.Browser) -> None:
        self.tab = browser.open_tab("https://example.org/")
        self.tab.open_frame("https://example.org/inner")

    @precondition(lambda self: len(self.contexts) < 6)
    @rule(
        kind=st.sampled_from(["page", "script"]),
        frame=st.integers(0, 1),
        listening=st.booleans(),
        attaches=st.lists(SLOT, unique=True, max_size=2).map(tuple),
    )
    def open_context(self, kind: Any, frame: int, listening: bool, attaches: tuple[int, ...]) -> None:
        contexts = self.model.contexts
        if kind == "script" and any(twin.alive and twin.frame == frame for twin in contexts if twin.kind == "script"):
            return
        if kind != "script" and not any(twin.alive for twin in contexts if twin.kind == "background"):
            kind = "background"
        where = frame if kind == "script" else None
        twin = model.Context(kind, where, listening=listening, attaches=attaches)

        def open_it() -> trio_ports.Context:
            context = self.extension.inject(self.tab, frame) if kind == "script" else self.extension.open_page()
            assert context.kind == ("content_script" if kind == "script" else kind)
            if listening:
                context.runtime.on_connect.add_listener(lambda port: self._connected(twin, port))
            return context

        if kind == "script" and self.tab.frame(frame) is None:
            return
        context = self.driver.call(open_it)
        contexts.append(twin)
        self.contexts.append(context)
        self.stays.append(Stay(self.driver, context))

    def _connected(self, twin: model.Context, port: Port) -> None:
        opener = self.pairs[int(port.name)].twin
        (pair,) = (
            pair
            for pair in self.pairs
            if pair.twin in twin.ports and pair.twin.connection is opener.connection and pair.twin is not opener
        )
        assert pair.port is None
        pair.port = port
        for slot in twin.attaches:
            port.on_message.add_listener(pair.listeners[slot])
            port.on_disconnect.add_listener(pair.enders[slot])

    def do_connect(self, index: int, where: int | None, in_tab: bool) -> None:
        """Connect to the pages, or from a page to the tab (or one frame of it)."""
        alive = [position for position, twin in enumerate(self.model.contexts) if twin.alive]
        if not alive or len(self.pairs) > 12:
            return
        position = alive[index % len(alive)]
        twin, context = self.model.contexts[position], self.contexts[position]
        in_tab = in_tab and twin.kind != "script"
        name = str(len(self.pairs))
        if in_tab:
            port = context.tabs.connect(self.tab.id, name=name, frame_id=where)
            twins = self.model.connect_from(twin, in_tab=True, frame=where)
        else:
            port = context.runtime.connect(name=name)
            twins = self.model.connect_from(twin, in_tab=False)
        self.pairs.extend(map(Pair, twins))
        self.pairs[-len(twins)].port = port

    def do_close_context(self, index: int) -> None:
        alive = [position for position, twin in enumerate(self.model.contexts) if twin.alive]
        if alive:
            position = alive[index % len(alive)]
            self.contexts[position].close()
            self.model.contexts[position].close()

    def do_navigate(self, frame: int) -> None:
        """Rule 27: what ran in the frame ends; in the top frame, everything in the tab."""
        real = self.tab.frame(frame)
        if real is not None:
            real.navigate("https://example.org/next")
            for twin in self.model.contexts:
                if twin.alive and twin.frame is not None and frame in (0, twin.frame):
                    twin.close()

    @rule(
        script=st.lists(
            st.one_of(
                *PORT_ACTIONS,
                st.tuples(st.just("connect"), INDEX, st.sampled_from([None, 0, 1]), st.booleans()),
                st.tuples(st.just("connect"), INDEX, st.none(), st.just(True)),
                st.tuples(st.just("close_context"), INDEX),
                st.tuples(st.just("navigate"), st.integers(0, 1)),
            ),
            min_size=1,
            max_size=6,
        )
    )
    def together(self, script: list[Action]) -> None:
        self.act(script)

    @precondition(lambda self: any(twin.alive for twin in self.model.contexts))
    @rule(index=INDEX, how=LEAVING)
    def leave_context(self, index: int, how: str) -> None:
        """Rule 20."""
        alive = [position for position, twin in enumerate(self.model.contexts) if twin.alive]
        position = alive[index % len(alive)]
        self.stays[position].leave(how)
        self.model.contexts[position].close("crashed" if how == "crash" else None)
        self.model.settle()

    def close_scopes(self) -> None:
        if hasattr(self, "home"):
            self.home.leave("leave")


def outcome_of(call: Callable[[], object]) -> str:
    """Say what came of a sync call, in the model's words."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - the model has a word for what is expected.
        return name_of(error)
    return "ok"


def outcome_of_step(step: Step, call: Call) -> str:
    """The same for a step that may be blocked; what it received is what was to be received."""
    if step.blocked:
        return "blocked"
    if step.error is not None:
        return name_of(step.error)
    if step.scope.cancelled_caught:
        return "cancelled"
    if call.message is not None:
        expected = {"sender": call.message.sender, "id": call.message.id, "do": call.message.do}
        assert step.unwrap() == expected
    return "ok"


def name_of(error: BaseException) -> str:
    names = {
        trio.ClosedResourceError: "closed",
        trio.BrokenResourceError: "broken",
        trio.BusyResourceError: "busy",
        trio.WouldBlock: "full",
        trio.EndOfChannel: "end",
    }
    if type(error) not in names:
        raise error
    return names[type(error)]
