"""State machines for Hypothesis: the rules do with a subject and with the model what the chooser chooses.

A history that `check_port` plays is drawn as a whole; here it is drawn rule by rule, so that a test can add rules of
its own, and time can be one of them. A history that breaks a rule is shortened as there, unless Hypothesis's own
shrinking is asked for: ``settings(phases=Phase)`` does, and takes its time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import trio
from hypothesis import Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ..driver import Driver
from .compare.compare import Comparison, Difference
from .compare.hints import hint_of
from .compare.show import draw_history
from .history.generate import Chooser
from .history.moves import History, Move, describe_move
from .history.scope import FILLED, Scope
from .model import Model
from .options import DialectName, Limits, ListenerErrors, Subject, Traits, make_browser_subject, make_port_subject
from .play import RuleBrokenError, Verdict, quiet, rule_of, shorten_verdict
from .players.ends import Maker
from .players.in_process import InProcessPlayer


class PortStateMachine(RuleBasedStateMachine):
    """Ports beside their model: after each rule everything runs until it waits, and the two are compared.

    Made by `port_state_machine` and `browser_state_machine`. Subclasses may add rules, which call `do`.

    Attributes:
        history: what was done.
        driver: steps the Trio run that the subject lives in.
        player: plays with the subject.
    """

    subject: ClassVar[Subject]
    scope: ClassVar[Scope]
    _draw: Callable[[Any], Any]

    def __init__(self) -> None:
        super().__init__()
        self.history: History = []
        self.driver: Driver = Driver()
        self.reference: Model = self.subject.make_model()
        self._comparison: Comparison | None = None
        self._chooser = Chooser(lambda strategy: self._draw(strategy), self.reference, self.scope)
        self._quiet = quiet()
        life = self.driver.start(self._live)
        if not life.blocked:
            self.driver.close()
            life.unwrap()
        self._quiet.__enter__()

    async def _live(self) -> None:
        async with self.subject.open_player() as player:
            self.player: InProcessPlayer = player
            await trio.sleep_forever()

    def do(self, move: Move) -> None:
        """Do what a move says, on both sides; nothing, if it makes no sense now."""
        if self.reference.may(move):
            note(describe_move(move))
            self.history.append(move)
            self.reference.play(move)
            self.driver.run(self.player.play, move)

    def _choose(self, kind: str, data: st.DataObject) -> None:
        self._draw = data.draw
        move = self._chooser.choose(kind)
        if move is not None:
            self.do(move)

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Open a tab and listen, in most worlds."""
        self._draw = data.draw
        for move in self._chooser.begin():
            self.do(move)

    @rule(data=st.data())
    def turn(self, data: st.DataObject) -> None:
        """Do something at once: post, add and remove listeners, disconnect, from one side or several."""
        self._choose("turn", data)

    @rule(data=st.data())
    def talk(self, data: st.DataObject) -> None:
        """Post messages."""
        self._choose("talk", data)

    @rule(data=st.data())
    def attend(self, data: st.DataObject) -> None:
        """Add and remove listeners of messages."""
        self._choose("attend", data)

    @precondition(lambda self: self.reference.rules.bound <= FILLED)
    @rule(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        """Post as many messages as there is room for, or more; send beyond, and cancel that."""
        self._choose("fill", data)

    @precondition(lambda self: self.scope.blocks)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        """Send, which may block."""
        self._choose("send", data)

    @precondition(lambda self: self.scope.blocks)
    @rule(data=st.data())
    def receive(self, data: st.DataObject) -> None:
        """Receive, which may block."""
        self._choose("receive", data)

    @precondition(lambda self: self.scope.blocks)
    @rule(data=st.data())
    def wait_disconnected(self, data: st.DataObject) -> None:
        """Wait for the end."""
        self._choose("wait", data)

    @precondition(lambda self: any(call.outcome == "blocked" for call in self.reference.calls.values()))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel a call that is blocked."""
        self._choose("cancel", data)

    @precondition(lambda self: any(port.holding for port in self.reference.ports))
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """Let a listener go on that waits."""
        self._choose("release", data)

    @precondition(lambda self: self.scope.blocks)
    @rule(data=st.data())
    def use_block(self, data: st.DataObject) -> None:
        """Enter ``async with`` a port, or leave it: in good order, cancelled, or by a crash."""
        self._choose("block", data)

    @rule(seconds=st.floats(0.001, 1e6))
    def pass_time(self, seconds: float) -> None:
        """Let time pass: nothing about a port depends on it."""
        self.driver.advance(seconds)

    @precondition(lambda self: self.scope.world)
    @rule(data=st.data())
    def change_places(self, data: st.DataObject) -> None:
        """Open, navigate or close a tab, a frame or a page."""
        self._choose("place", data)

    @precondition(lambda self: self.scope.world)
    @rule(data=st.data())
    def connect(self, data: st.DataObject) -> None:
        """Connect, from anywhere to anywhere."""
        self._choose("connect", data)

    @precondition(lambda self: self.scope.world)
    @rule(data=st.data())
    def listen(self, data: st.DataObject) -> None:
        """Listen for connections, or listen no more."""
        self._choose("listen", data)

    @precondition(lambda self: self.scope.world)
    @rule(data=st.data())
    def use_context(self, data: st.DataObject) -> None:
        """Close a context, or enter or leave its block."""
        self._choose("context", data)

    @invariant()
    def does_what_the_model_does(self) -> None:
        """Everything that was told, returned and raised is as the model has it."""
        if self.history:
            self._comparison = self._comparison or Comparison(self.reference, self.player)
            difference = self._comparison.compare(self.history[-1])
            if difference is not None:
                raise self._broken(difference)

    def _broken(self, difference: Difference) -> RuleBrokenError:
        logs = {name: actor.log for name, actor in self.player.contexts.items()}
        hint = hint_of(difference, self.reference.rules, self.player)
        running = settings.default
        if running is None or Phase.shrink in running.phases:
            return RuleBrokenError(rule_of(difference), self.history, difference, draw_history(logs), hint)
        verdict = Verdict(self.history, difference, logs, hint)
        with ThreadPoolExecutor(1) as elsewhere:  # This thread has a Trio run of its own.
            return elsewhere.submit(shorten_verdict, self.subject, verdict).result()

    @invariant()
    def the_end_comes_once_and_last(self) -> None:
        """No listener is told of an end twice, and none of a port that its own side has closed."""
        for actor in self.player.contexts.values():
            ends = [(r["port"], r["listener"]) for r in actor.log if r["event"] == "on_disconnect"]
            assert len(ends) == len(set(ends))

    def teardown(self) -> None:
        """End the run."""
        try:
            self.driver.close()
        finally:
            self._quiet.__exit__(None, None, None)


def port_state_machine(
    maker: Maker,
    *,
    dialect: DialectName = "trio",
    limits: Limits = Limits(),
    receivers: int = 1,
    tells_crashes: bool | None = None,
    listener_errors: ListenerErrors | None = None,
) -> type[PortStateMachine]:
    """Return a state machine that does to the ends of a connection whatever can be done, beside a model of the rules.

    ::

        TestPorts = port_state_machine(make).TestCase

    Args:
        maker: opens a connection, as for `check_port`; the messages travel within the Trio run.
        dialect: whose rules.
        limits: of the connections that ``maker`` makes.
        receivers: how many receivers they have.
        tells_crashes: an end learns that the other one's owner failed; the dialect's own unless given.
        listener_errors: what becomes of a listener's exception; the dialect's own unless given.
    """
    traits = Traits(dialect=dialect, limits=limits, tells_crashes=tells_crashes, listener_errors=listener_errors)
    return _make_machine("PortMachine", make_port_subject(maker, receivers, traits))


def browser_state_machine(
    maker: Callable[[], Any],
    *,
    dialect: DialectName = "trio",
    limits: Limits = Limits(),
    listener_errors: ListenerErrors | None = None,
) -> type[PortStateMachine]:
    """Return a state machine that does the same in a browser: contexts close and crash, tabs are closed and navigated.

    Args:
        maker: opens the browser, as for `check_browser`.
        dialect: whose rules; that of the browser.
        limits: of its connections.
        listener_errors: what becomes of a listener's exception there; the dialect's own unless given.
    """
    traits = Traits(dialect=dialect, limits=limits, listener_errors=listener_errors)
    return _make_machine("BrowserMachine", make_browser_subject(maker, traits))


def _make_machine(name: str, subject: Subject) -> type[PortStateMachine]:
    made: type[PortStateMachine] = type(name, (PortStateMachine,), {"subject": subject, "scope": subject.scope})
    # Hypothesis needs minutes to shrink what is drawn as the machine runs; a history is shortened in seconds.
    phases = [phase for phase in Phase if phase is not Phase.shrink]
    made.TestCase.settings = settings(made.TestCase.settings, phases=phases)
    return made
