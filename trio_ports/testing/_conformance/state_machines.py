"""State machines for Hypothesis, in which rule by rule a move is done to the ports under test and to the model.

`check_port` generates a history as a whole. Here it is generated rule by rule, so that a test can add rules of its own,
and time can be one of them. A history that breaks a rule is shortened as `check_port` does it, unless the settings ask
for Hypothesis's own shrinking: ``settings(phases=Phase)`` does, and takes minutes.
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
from .compare.compare import Comparison
from .compare.difference import Difference
from .compare.hints import hint_of
from .findings import RuleBrokenError, make_error
from .history.generate import FILLED, MoveGenerator, Scope
from .history.moves import History, Move, describe_move
from .model import Model
from .options import DialectName, Limits, ListenerErrors, Options
from .play import Played, Subject, make_browser_subject, make_port_subject, quiet, shorten
from .players.ends import Maker
from .players.player import ComparedPlayer


def _drawn(kind: str, *, name: str = "", when: Callable[[Any], bool] = lambda _: True) -> Any:
    """Return a rule that does a move of this kind, if there is one that makes sense now."""

    def choose(self: PortStateMachine, data: st.DataObject) -> None:
        self._choose(kind, data)

    choose.__name__ = name or kind
    return precondition(when)(rule(data=st.data())(choose))


class PortStateMachine(RuleBasedStateMachine):
    """Ports beside their model: after each rule everything runs until it waits, and then the two are compared.

    Made by `port_state_machine` and `browser_state_machine`. Subclasses may add rules, which call `do`.

    Attributes:
        history: the moves so far.
        driver: steps the Trio run that the ports live in.
        player: plays with the ports.
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
        self._generator = MoveGenerator(lambda strategy: self._draw(strategy), self.reference, self.scope)
        self._quiet = quiet()
        life = self.driver.start(self._live)
        if not life.blocked:
            self.driver.close()
            life.unwrap()
        self._quiet.__enter__()

    async def _live(self) -> None:
        async with self.subject.open_player() as player:
            self.player: ComparedPlayer = player
            await trio.sleep_forever()

    def do(self, move: Move) -> None:
        """Do a move on both sides; do nothing if it makes no sense now."""
        if self.reference.may(move):
            note(describe_move(move))
            self.history.append(move)
            self.driver.run(self.player.play, move)
            self.reference.play(move, self.player.witness)

    def _choose(self, kind: str, data: st.DataObject) -> None:
        self._draw = data.draw
        move = self._generator.choose(kind)
        if move is not None:
            self.do(move)

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """In most browsers, open a tab and listen."""
        self._draw = data.draw
        for move in self._generator.begin():
            self.do(move)

    turn: Any = _drawn("turn")
    """Do something at once: post, add and remove listeners, disconnect, from one side or several."""
    talk: Any = _drawn("talk")
    """Post messages."""
    attend: Any = _drawn("attend")
    """Add and remove listeners of messages."""
    fill: Any = _drawn("fill", when=lambda self: self.reference.rules.bound <= FILLED)
    """Post as many messages as there is room for, or more; send beyond, and cancel that."""
    send: Any = _drawn("send", when=lambda self: self.scope.beyond_browsers)
    """Send, which may block."""
    receive: Any = _drawn("receive", when=lambda self: self.scope.beyond_browsers)
    """Receive, which may block."""
    wait_disconnected: Any = _drawn("wait", name="wait_disconnected", when=lambda self: self.scope.beyond_browsers)
    """Wait for the end."""
    cancel: Any = _drawn(
        "cancel", when=lambda self: any(call.outcome == "blocked" for call in self.reference.calls.values())
    )
    """Cancel a call that is blocked."""
    release: Any = _drawn("release", when=lambda self: any(port.holding for port in self.reference.ports))
    """Let a listener that waits go on."""
    use_block: Any = _drawn("block", name="use_block", when=lambda self: self.scope.beyond_browsers)
    """Enter ``async with`` a port, or leave it: in good order, cancelled, or by a crash."""

    @rule(seconds=st.floats(0.001, 1e6))
    def pass_time(self, seconds: float) -> None:
        """Let time pass: nothing about a port depends on it."""
        self.driver.advance(seconds)

    change_places: Any = _drawn("place", name="change_places", when=lambda self: self.scope.browser)
    """Open, navigate or close a tab, a frame or a page."""
    connect: Any = _drawn("connect", when=lambda self: self.scope.browser)
    """Connect, from anywhere to anywhere."""
    listen: Any = _drawn("listen", when=lambda self: self.scope.browser)
    """Listen for connections, or listen no more."""
    use_context: Any = _drawn("context", name="use_context", when=lambda self: self.scope.browser)
    """Close a context, or enter or leave its block."""

    @invariant()
    def does_what_the_model_does(self) -> None:
        """Every call of a listener, every result and every exception is as in the model."""
        if self.history:
            self._comparison = self._comparison or Comparison(self.reference, self.player)
            difference = self._comparison.compare(self.history[-1])
            if difference is not None:
                raise self._broken(difference)

    def _broken(self, difference: Difference) -> RuleBrokenError:
        logs = {name: actor.log for name, actor in self.player.contexts.items()}
        hint = hint_of(difference, self.reference.rules, self.player)
        played = Played(self.history, difference, logs, hint)
        running = settings.default
        if running is None or Phase.shrink in running.phases:
            return make_error(played)
        with ThreadPoolExecutor(1) as elsewhere:  # This thread has a Trio run of its own.
            return make_error(elsewhere.submit(shorten, self.subject, played).result())

    @invariant()
    def the_end_comes_once_and_last(self) -> None:
        """No listener of on_disconnect is called twice."""
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
    reports_crashes: bool | None = None,
    listener_errors: ListenerErrors | None = None,
) -> type[PortStateMachine]:
    """Return a state machine that does to the ends of a connection whatever can be done, beside a model of the rules.

    ::

        TestPorts = port_state_machine(make).TestCase

    Args:
        maker: opens a connection, as for `check_port`; the messages travel within the Trio run.
        dialect: whose rules the ports obey.
        limits: of the connections that ``maker`` opens.
        receivers: how many receivers they have.
        reports_crashes: an end has an error if the other end's owner failed; as in the dialect unless given.
        listener_errors: what becomes of a listener's exception; as in the dialect unless given.
    """
    options = Options(dialect=dialect, limits=limits, reports_crashes=reports_crashes, listener_errors=listener_errors)
    return _make_machine("PortMachine", make_port_subject(maker, receivers, options))


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
        dialect: the browser's dialect.
        limits: of its connections.
        listener_errors: what becomes of a listener's exception; as in the dialect unless given.
    """
    options = Options(dialect=dialect, limits=limits, listener_errors=listener_errors)
    return _make_machine("BrowserMachine", make_browser_subject(maker, options))


def _make_machine(name: str, subject: Subject) -> type[PortStateMachine]:
    made: type[PortStateMachine] = type(name, (PortStateMachine,), {"subject": subject, "scope": subject.scope})
    # Hypothesis needs minutes to shrink what is drawn as the machine runs; a history is shortened in seconds.
    phases = [phase for phase in Phase if phase is not Phase.shrink]
    made.TestCase.settings = settings(made.TestCase.settings, phases=phases)
    return made
