"""Generating histories: every move that is drawn makes sense, and everything that can happen can be drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from trio.testing import MockClock

import trio_ports
from trio_ports.testing import Scope, histories, moves, open_browser_player, open_port_player
from trio_ports.testing._conformance.history import generate
from trio_ports.testing._conformance.history.generate import MoveGenerator
from trio_ports.testing._conformance.history.moves import EXTENSIONS, History, Move, turn
from trio_ports.testing._conformance.model import DIALECT_RULES, Model


class Scripted:
    """Draws the numbers of a list, and after them the first one always; notes how many each was one of."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers
        self.drawn: list[tuple[int, int]] = []

    def __call__(self, below: Any) -> Any:
        if not isinstance(below, int):
            return "a value"
        at = len(self.drawn)
        self.drawn.append((self.numbers[at] if at < len(self.numbers) else 0, below))
        return self.drawn[-1][0]

    def next_numbers(self, few: int) -> list[int] | None:
        """Go on with the first few numbers as a mileage counter does; None after the last."""
        drawn = self.drawn[:few]
        while drawn and drawn[-1][0] + 1 == drawn[-1][1]:
            drawn.pop()
        return [*(number for number, _ in drawn[:-1]), drawn[-1][0] + 1] if drawn else None


def every(reference: Model, scope: Scope, choose: Callable[[MoveGenerator], Any], few: int = 4) -> Iterator[Any]:
    """Return what is chosen with every combination of the first few draws."""
    numbers: list[int] | None = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "_numbers", lambda below: below)
        while numbers is not None:
            script = Scripted(numbers)
            yield choose(MoveGenerator(script, reference, scope))
            numbers = script.next_numbers(few)


def every_move(reference: Model, scope: Scope, kind: str | None = None, few: int = 4) -> list[Move]:
    """Return the moves of a kind that can be chosen, all of which make sense."""
    chosen = [
        move for move in every(reference, scope, lambda generator: generator.choose(kind), few) if move is not None
    ]
    assert all(reference.may(move) and moves.describe_move(move) for move in chosen)
    return chosen


def make_ends(history: History = []) -> Model:  # noqa: B006 - It is only read.
    reference = Model.of_ends(DIALECT_RULES["trio"])
    for move in history:
        reference.play(move)
    return reference


def make_world(*history: Move) -> Model:
    reference = Model.of_browser(DIALECT_RULES["trio"], EXTENSIONS)
    for move in history:
        reference.play(move)
    return reference


TABS = (moves.open_tab("t1", web=True), moves.open_tab("t2"), moves.open_frame("f1", "t1"))
LISTENING = (*TABS, turn("a", moves.listen()), turn("t1/a", moves.connect("c"), moves.hear("c")))


def steps_of(chosen: list[Move]) -> set[str]:
    return {step["do"] for move in chosen for step in move["steps"]}


def test_worlds_begin_in_every_way() -> None:
    """Nobody listens, or anybody: one background, the other one, a content script."""
    scope = Scope(browser=True)
    begun = list(every(make_world(), scope, MoveGenerator.begin))
    assert sorted(len([move for move in history if move["move"] == "turn"]) for history in begun) == sorted(
        [0, *[0, 1, 1, 1, 2, 2, 2, 3] * 3]
    )
    assert list(every(make_ends(), Scope(), MoveGenerator.begin)) == [[]]


def test_turns() -> None:
    """A turn of an end posts, listens, asks, and disconnects; only a receiver answers what it hears."""
    chosen = every_move(make_ends(), Scope(), "turn", few=5)
    wanted = {"post", "change", "add_listener", "remove_listener", "has_listener", "disconnect"}
    assert wanted <= steps_of(chosen)
    assert {"opener", "receiver"} == {move["at"] for move in chosen}
    assert {len(move["steps"]) for move in chosen} >= {1, 2, 3, 4, 5}
    assert {step["at"] for move in chosen for step in move["steps"] if moves.echo() in step.get("actions", [])} == {
        "receiver"
    }


def test_turns_of_several_receivers() -> None:
    """Where there are several of them none answers: there is no order between their answers."""
    reference = Model.of_ends(DIALECT_RULES["trio"], 2)
    chosen = every_move(reference, Scope(receivers=2), "turn")
    assert {"opener", "receiver", "receiver2"} == {move["at"] for move in chosen}
    assert not [step for move in chosen for step in move["steps"] if moves.echo() in step.get("actions", [])]


@pytest.mark.parametrize(("kind", "wanted"), [("talk", {"post"}), ("attend", {"add_listener", "remove_listener"})])
def test_turns_of_one_kind(kind: str, wanted: set[str]) -> None:
    """Talking is posting; attending is adding and removing listeners of messages."""
    assert wanted <= steps_of(every_move(make_ends(), Scope(), kind)) <= {*wanted, "post", "change", "add_listener"}


def test_messages() -> None:
    """Most are numbers, so that each is another one; some are any value, and some are none that can be encoded."""
    sent = [move["message"] for move in every_move(make_ends(), Scope(), "send", few=5)]
    usual = [message for message in sent if "$" not in str(message) and "xx" not in str(message)]
    assert usual.count(1) > len(usual) // 2
    assert [1, "a value"] in sent
    assert "a value" in sent
    assert {"$": "NaN"} in sent
    assert {"$": "bytes"} in sent
    assert [{"$": "long", "length": 5000}, {"$": "NaN"}] in sent
    assert [{"$": "long", "length": 70_000}, 1] in sent


def test_calls_and_blocks() -> None:
    """A call that is blocked can be cancelled; a block can be entered, and left in each way."""
    reference = make_ends([moves.start_receive("r0", "opener"), moves.enter("opener")])
    scope = Scope()
    assert {move["at"] for move in every_move(reference, scope, "receive")} == {"opener", "receiver"}
    assert {move["call"] for move in every_move(reference, scope, "wait")} == {"wait_disconnected"}
    assert every_move(reference, scope, "cancel") == [moves.cancel("r0")]
    assert every_move(make_ends(), scope, "cancel") == []
    assert {(move["move"], move.get("how")) for move in every_move(reference, scope, "block")} == {
        ("enter", None),
        ("leave", "return"),
        ("leave", "cancel"),
        ("leave", "crash"),
        ("leave", "end"),
        ("leave", "group"),
        ("leave", "mixed"),
        ("leave", "cancelled group"),
    }


def test_races() -> None:
    """A call is cancelled as it begins or while it waits, or an end disconnects, with or without turns in between."""
    reads = make_ends([moves.start_receive("r", "receiver")])
    races = every_move(reads, Scope(), "race", few=7)
    kinds = {tuple(step["do"] for step in race["steps"] if step["do"] != "post") for race in races}
    assert kinds == {(*pause, *rest) for pause in ((), ("pass",)) for rest in (("cancel",), ("disconnect",))} | {
        ("start", "cancel"),
        ("start", "pass", "cancel"),
    }
    assert (
        every_move(
            make_ends([moves.turn("opener", moves.disconnect()), moves.turn("receiver", moves.disconnect())]),
            Scope(),
            "race",
        )
        == []
    )
    leaves = moves.turn("receiver", moves.add_listener("on_message", "bye", moves.disconnect(None)))
    assert every_move(make_ends([leaves]), Scope(), "race") == []
    assert every_move(make_ends([leaves]), Scope(), "send") == []


def test_filling() -> None:
    """A queue is filled, and beyond; where one is full somebody sends, and whoever waits is cancelled."""
    empty, full = make_ends(), make_ends([turn("opener", moves.fill(1, 1024))])
    assert {step["count"] for move in every_move(empty, Scope(), "fill") for step in move["steps"][:1]} == {1024, 1025}
    assert {move["at"] for move in every_move(full, Scope(), "fill") if move["move"] == "start"} == {"opener"}
    full.play(moves.start_send("s0", "opener", 1))
    assert moves.cancel("s0") in every_move(full, Scope(), "fill")
    assert {move["move"] for move in every_move(full, Scope(beyond_browsers=False), "fill")} == {"turn"}
    assert every_move(Model.of_ends(DIALECT_RULES["firefox"]), Scope(), "fill") == []


def test_without_holding() -> None:
    """Where nothing may wait no listener holds."""
    chosen = every_move(make_ends(), Scope(beyond_browsers=False), "turn", few=5)
    assert not [step for move in chosen for step in move["steps"] if moves.hold() in step.get("actions", [])]


def test_a_listener_that_holds_is_released() -> None:
    """One that does not hold is not."""
    holds = moves.add_listener("on_message", "holds", moves.hold())
    reference = make_ends([turn("receiver", holds), turn("opener", moves.post(1))])
    assert every_move(reference, Scope(), "release") == [moves.release("receiver")]
    assert every_move(make_ends(), Scope(), "release") == []


def test_places() -> None:
    """Tabs, frames and pages are opened, navigated and closed, and an extension goes."""
    chosen = every_move(make_world(*TABS), Scope(browser=True), "place")
    kinds = {"open_frame", "open_page", "navigate", "close", "uninstall"}
    assert {move["move"] for move in chosen} == kinds
    assert {move["move"] for move in every_move(make_world(), Scope(browser=True), "place")} == {
        "open_tab",
        "open_page",
        "uninstall",
    }
    lacking = Scope(browser=True, beyond_browsers=False)
    assert {move["move"] for move in every_move(make_world(*TABS), lacking, "place")} == kinds - {"uninstall"}


def test_a_world_that_is_full() -> None:
    """Where there are many contexts already, tabs and frames are closed."""
    frames = [moves.open_frame(name, "t1") for name in ("f1", "f2", "f3", "f4", "f5")]
    reference = make_world(moves.open_tab("t1"), *frames)
    assert {move["move"] for move in every_move(reference, Scope(browser=True), "place")} == {"close"}


def test_connecting() -> None:
    """Contexts connect to extensions, and those that may to tabs, frames and documents; then they post, and may end."""
    chosen = every_move(make_world(*LISTENING), Scope(browser=True), "connect")
    assert steps_of(chosen) == {"connect", "tabs_connect", "add_listener", "post", "disconnect"}
    first = [move["steps"][0] for move in chosen]
    assert {None, *EXTENSIONS, moves.NOBODY} == {step["extension"] for step in first if step["do"] == "connect"}
    assert {"t1", "f1"} <= {step.get("frame") for step in first}
    assert "t1" in {step.get("document") for step in first}
    assert {"a", "b", "t1/a", "t1/web"} <= {move["at"] for move in chosen}


def test_no_more_ports_than_enough() -> None:
    """A world with many ports gets no more of them."""
    many = [turn("a", moves.connect(f"c{number}")) for number in range(generate.MOST_PORTS)]
    assert every_move(make_world(*many), Scope(browser=True), "connect") == []


def test_listening_for_connections() -> None:
    """Listeners for connections are added and removed; where nothing may raise, none does."""
    reference = make_world(*TABS)
    chosen = every_move(reference, Scope(browser=True), "listen")
    assert steps_of(chosen) == {"add_listener", "remove_listener"}
    assert {step["event"] for move in chosen for step in move["steps"]} == {"on_connect", "on_connect_external"}
    for scope, raising in ((Scope(browser=True), True), (Scope(browser=True, listeners_raise=False), False)):
        actions = [
            action["do"]
            for move in every_move(reference, scope, "listen")
            for step in move["steps"]
            for action in step.get("actions", [])
        ]
        assert ("throw" in actions) == raising


def test_contexts() -> None:
    """A context closes itself, or is entered, and then left in each way; a real browser has none of that."""
    scope = Scope(browser=True)
    chosen = every_move(make_world(moves.enter("a", None)), scope, "context")
    assert {move["move"] for move in chosen} == {"turn", "enter", "leave"}
    assert {move["how"] for move in chosen if move["move"] == "leave"} == {"return", "cancel", "crash"}
    assert every_move(make_world(), Scope(browser=True, beyond_browsers=False), "context") == []


CALLS = ("send", "fill", "receive", "wait", "cancel", "release", "block")
OTHERS = ("turn", "talk", "attend", "connect", "listen", "context")


@pytest.mark.parametrize("kind", [*CALLS, *OTHERS])
def test_nobody_is_there(kind: str) -> None:
    """Where every context has closed there is nothing to choose."""
    reference = make_world(moves.uninstall("a"), moves.uninstall("b"))
    assert every_move(reference, Scope(browser=True), kind) == []


def test_of_any_kind() -> None:
    """Whoever does not ask for a kind gets any that the scope has."""
    reference = make_world(*LISTENING)
    chosen = {move["move"] for move in every_move(reference, Scope(browser=True), few=2)}
    assert {"turn", "start", "enter", "close"} <= chosen
    chosen = {move["move"] for move in every_move(reference, Scope(browser=True, beyond_browsers=False), few=2)}
    assert "turn" in chosen
    assert not chosen & {"start", "enter", "cancel"}
    assert {move["move"] for move in every_move(make_ends(), Scope(beyond_browsers=False))} == {"turn"}


FEW = settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@FEW
@given(histories(scope=Scope(browser=True, beyond_browsers=False, listeners_raise=False), max_moves=60))
def test_what_a_real_browser_lacks(history: History) -> None:
    """Nothing blocks, holds or raises, and every value is JSON."""
    assert not {move["move"] for move in history} & {"start", "cancel", "release", "enter", "leave", "uninstall"}
    text = json.dumps(history)
    assert '"do": "hold"' not in text
    assert '"do": "throw"' not in text
    assert '"$": ' not in text


@FEW
@given(histories(scope=Scope(browser=True), max_moves=80))
def test_what_a_browser_of_ours_has(history: History) -> None:
    """Contexts close, and so does everything else."""
    assert all(isinstance(moves.describe_move(move), str) for move in history)


@FEW
@given(histories(), histories(browser=True))
def test_what_is_drawn_by_default_can_be_played(of_ends: History, of_browser: History) -> None:
    """As the documentation says, with the players as they come: no listener raises where that would end the play."""

    async def main() -> None:
        async with open_port_player(trio_ports.open_port_pair) as player:
            for move in of_ends:
                await player.play(move)
        async with open_browser_player(trio_ports.open_browser) as browser_player:
            for move in of_browser:
                await browser_player.play(move)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_questions() -> None:
    """One-shot messages are listened to, sent and answered, but never so that two tasks would answer at once."""
    hears = [moves.add_listener("on_one_shot", name, *generate._ONE_SHOT_ACTIONS[name], port=None) for name in KINDS]
    later, responds, promises, both = hears
    world = (*TABS, moves.open_page("g1", "a", hidden=True))
    chosen = every_move(make_world(*world), Scope(browser=True), "question", few=5)
    assert steps_of(chosen) == {"add_listener", "remove_listener", "ask", "ask_tab"}
    raising = [step for move in chosen for step in move["steps"] if step.get("listener") == "raises"]
    assert raising
    chosen = every_move(make_world(*world), Scope(browser=True, listeners_raise=False), "question", few=5)
    added = [step for move in chosen for step in move["steps"] if step["do"] == "add_listener"]
    assert not [step for step in added if step["listener"] == "raises"]
    waiting = make_world(*world, turn("a", later), turn("t1/a", moves.ask("q0")))
    assert "respond" in steps_of(every_move(waiting, Scope(browser=True), "question", few=3))
    for listening in ([turn("a", responds), turn("g1/a", promises)], [turn("a", promises, both)]):
        racing = every_move(make_world(*world, *listening), Scope(browser=True), "question", few=5)
        asked = [step["at"] for move in racing for step in [{**move["steps"][0], "at": move["at"]}] if _asks_a(step)]
        assert set(asked) <= {"a", "g1/a", "b", "t1/b", "f1/b", "t2/b", "t1/web"}
    assert every_move(Model.of_browser(DIALECT_RULES["trio"], ()), Scope(browser=True), "question") == []


KINDS = ("answers later", "responds", "promises", "responds and promises")


def _asks_a(step: dict[str, Any]) -> bool:
    return step["do"] == "ask" and step["extension"] in (None, "a")
