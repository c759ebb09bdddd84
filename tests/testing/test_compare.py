"""Comparisons: each kind of difference is seen, and called by its kind."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from trio_ports import Cause, PortError
from trio_ports._protocol.dialects import NO_RECEIVER_TEXT
from trio_ports.testing._conformance.compare.compare import Comparison, Difference
from trio_ports.testing._conformance.history.moves import (
    EXTENSIONS,
    History,
    add_listener,
    connect,
    disconnect,
    enter,
    fill,
    hear,
    leave,
    listen,
    open_tab,
    post,
    start_receive,
    start_send,
    start_wait,
    tabs_connect,
    turn,
)
from trio_ports.testing._conformance.model import DIALECT_RULES, Model

Tamper = Callable[[Any], object]
HEARS = turn("receiver", hear())
LATE = add_listener("on_disconnect", "late", post("late", None))
CONNECTED = [open_tab("t1"), turn("a", listen()), turn("t1/a", connect("c"), hear("c"))]
TO_NOBODY = [open_tab("t1"), turn("t1/a", connect("c"), hear("c"))]
POSTED = [HEARS, turn("opener", post(1), post(2), post(3))]
ENDED = [HEARS, turn("opener", post(1), disconnect())]
CRASHED = [HEARS, enter("opener"), leave("opener", "crash")]
STRANGER = SimpleNamespace(name="x", sender=None, error=None)


def error_of(cause: str | None) -> PortError | None:
    return None if cause is None else PortError(NO_RECEIVER_TEXT, cause=Cause(cause))


def play_model(history: History, receivers: int = 1) -> Model:
    browser = any(move["move"] == "open_tab" for move in history)
    rules = DIALECT_RULES["trio"]
    reference = Model.of_browser(rules, EXTENSIONS) if browser else Model.of_ends(rules, receivers)
    for move in history:
        assert reference.may(move)
        reference.play(move)
    return reference


def imitate(reference: Model) -> Any:
    """Return a player that has seen what the model has seen."""
    player = SimpleNamespace(contexts={}, calls={}, results=list(reference.results), outside_trio=False)
    for name, context in reference.contexts.items():
        ports = {
            label: SimpleNamespace(
                name=port.name, sender=port.sender or (port.side == "receiver" or None), error=error_of(port.error)
            )
            for label, port in context.ports.items()
        }
        ended = {label for label, port in context.ports.items() if port.state in ("closed", "ended")}
        log = copy.deepcopy([seen.record for seen in context.log])
        player.contexts[name] = SimpleNamespace(name=name, ports=ports, log=log, ended_ports=ended, context=None)
    for name, call in reference.calls.items():
        message = call.message.value if call.message else None
        cause = call.port.error if call.port and call.outcome == "broken" else None
        player.calls[name] = SimpleNamespace(then_results=[], outcome=call.outcome, message=message, cause=cause)
    return player


def compare(reference: Model, player: Any, move: Any = None) -> Difference | None:
    return Comparison(reference, player).compare(move)


def tampered(history: History, tamper: Tamper, receivers: int = 1) -> Difference:
    """Play with the model, change what was seen, and return the difference that this makes."""
    reference = play_model(history, receivers)
    player = imitate(reference)
    assert compare(reference, player, history[-1]) is None
    tamper(player)
    difference = compare(reference, player, history[-1])
    assert difference is not None
    assert difference.at in str(difference)
    return difference


def log(name: str, change: Callable[[list[dict[str, Any]]], object]) -> Tamper:
    return lambda player: change(player.contexts[name].log)


def put(at: str, index: int, **changes: Any) -> Tamper:
    return log(at, lambda records: records[index].update(changes))


def drop(name: str, index: int) -> Tamper:
    return log(name, lambda records: records.pop(index))


def set_port(at: str, label: str, **changes: Any) -> Tamper:
    return lambda player: player.contexts[at].ports[label].__dict__.update(changes)


def show_ports(name: str, **ports: Any) -> Tamper:
    def change(player: Any) -> None:
        player.contexts[name].ports = ports

    return change


def result(index: int, value: Any) -> Tamper:
    return lambda player: player.results.__setitem__(index, value)


def call(outcome: str, message: Any = None, cause: str | None = None) -> Tamper:
    return lambda player: player.calls["c"].__dict__.update(outcome=outcome, message=message, cause=cause)


def statistics(state: str = "open", waiting: int = 0, senders: int = 0) -> Tamper:
    said = SimpleNamespace(state=state, messages_waiting=waiting, tasks_waiting_send=senders)
    return set_port("receiver", "p", statistics=lambda: said)


def never_over(player: Any) -> None:
    statistics("ended")(player)
    player.contexts["receiver"].ended_ports.clear()


@pytest.mark.parametrize(
    ("kind", "history", "tamper"),
    [
        ("inside a call", POSTED, put("receiver", 0, inside="post")),
        ("inside connect", CONNECTED, put("a", 0, inside="connect")),
        ("arguments", POSTED, put("receiver", 0, arguments=1)),
        ("arguments", POSTED, put("receiver", 0, port="?", given="no port")),
        ("messages", POSTED, drop("receiver", 1)),
        ("messages", POSTED, log("receiver", lambda records: records.append(records[0]))),
        ("messages", POSTED, log("receiver", lambda records: records.reverse())),
        ("messages", POSTED, put("receiver", 0, message="1")),
        ("messages", ENDED, log("receiver", lambda records: records.reverse())),
        ("ends", ENDED, drop("receiver", 1)),
        ("ends", ENDED, log("receiver", lambda records: records.append(records[1]))),
        ("error", ENDED, put("receiver", 1, error="wire-broken")),
        ("cause", ENDED, put("receiver", 1, error="crashed")),
        ("cause", TO_NOBODY, put("t1/a", 0, error="no-receiver: a text")),
        ("error", TO_NOBODY, put("t1/a", 0, error="last_error too: no-receiver")),
        ("broken", [turn("receiver", LATE), turn("opener", disconnect())], drop("receiver", 1)),
        ("connections", CONNECTED, log("a", lambda records: records.append({**records[0], "listener": "other"}))),
        ("name", CONNECTED, put("a", 0, name="other")),
        ("sender", CONNECTED, put("a", 0, sender=None)),
    ],
)
def test_logs(kind: str, history: History, tamper: Tamper) -> None:
    """The calls of listeners."""
    assert tampered(history, tamper).kind == kind


@pytest.mark.parametrize(
    ("kind", "history", "index", "value"),
    [
        ("closed", [turn("opener", disconnect(), post(1))], 1, "ok"),
        ("broken", [turn("opener", post(1))], 0, "broken"),
        ("broken", [turn("opener", post(1))], 0, "KeyError: 1"),
        ("not-json", [turn("opener", post({"$": "bytes"}))], 0, "ok"),
        ("full", [turn("opener", fill(1, 2000))], 0, "full after 1023"),
        ("disconnect", [turn("opener", disconnect(), disconnect())], 1, "closed"),
        ("listeners", [turn("receiver", hear())], 0, "busy"),
        ("connections", CONNECTED, 1, "closed"),
        ("block", [enter("opener"), leave("opener", "crash")], 0, "return"),
    ],
)
def test_results(kind: str, history: History, index: int, value: str) -> None:
    """What a step returned or raised, and how a block was left."""
    assert tampered(history, result(index, value)).kind == kind


SENDS = start_send("c", "opener", 1)
RECEIVES = start_receive("c", "receiver")


@pytest.mark.parametrize(
    ("kind", "history", "tamper"),
    [
        ("blocked", [SENDS], call("blocked")),
        ("broken", [turn("opener", disconnect()), start_send("c", "receiver", 1)], call("ok")),
        ("over", [start_wait("c", "opener")], call("ok")),
        ("receive", [turn("opener", post(0)), RECEIVES], call("blocked")),
        ("error", [turn("opener", disconnect()), RECEIVES], call("ok", None)),
        ("messages", [turn("opener", post(1), post(2)), RECEIVES], call("ok", 2)),
        ("error", [turn("opener", disconnect()), RECEIVES], call("broken", None, "crashed")),
        ("error", [*CRASHED[1:], RECEIVES], call("broken")),
    ],
)
def test_calls(kind: str, history: History, tamper: Tamper) -> None:
    """What came of a call that may wait."""
    assert tampered(history, tamper).kind == kind


@pytest.mark.parametrize(
    ("kind", "history", "tamper"),
    [
        ("name", POSTED, set_port("receiver", "p", name="x")),
        ("sender", POSTED, set_port("opener", "p", sender="x")),
        ("sender", POSTED, set_port("receiver", "p", sender=None)),
        ("error", POSTED, set_port("receiver", "p", error=SimpleNamespace(cause="wire-broken"))),
        ("cause", CRASHED, set_port("receiver", "p", error=None)),
        ("ends", ENDED, lambda player: player.contexts["receiver"].ended_ports.clear()),
        ("over", ENDED, never_over),
        ("ends", POSTED, statistics("closed")),
        ("messages kept", [turn("opener", post(1))], statistics()),
        ("blocked", [turn("opener", post(1))], statistics(waiting=1, senders=1)),
        ("connections", CONNECTED, show_ports("a")),
        ("connections", CONNECTED, show_ports("b", x=STRANGER)),
        ("connections", [open_tab("t1"), turn("a", tabs_connect("c", "t1"))], show_ports("t1/a", x=STRANGER)),
    ],
)
def test_ports(kind: str, history: History, tamper: Tamper) -> None:
    """What a port says of itself, and which ports there are."""
    assert tampered(history, tamper).kind == kind


def test_last_error() -> None:
    """It is None unless a listener of on_disconnect is running."""
    runtime = SimpleNamespace(runtime=SimpleNamespace(last_error="x"))
    assert tampered(CONNECTED, lambda player: setattr(player.contexts["a"], "context", runtime)).kind == "error"


def test_a_port_with_another_name() -> None:
    """A port that is received under another label has another name: it is the same connection."""

    def rename(player: Any) -> None:
        actor = player.contexts["a"]
        actor.ports["x"] = actor.ports.pop("c")
        actor.log[0]["port"] = "x"

    difference = tampered(CONNECTED, rename)
    assert difference.kind == "name"
    assert (difference.expected, difference.found) == ("on_connect with the port c", "on_connect with the port x")


def test_what_is_outside_is_not_counted() -> None:
    """Where messages are on their way outside this Trio run, nobody knows how many wait."""
    reference = play_model([turn("opener", post(1))])
    player = imitate(reference)
    player.outside_trio = True
    statistics()(player)
    assert compare(reference, player) is None


def test_unordered_senders() -> None:
    """Between two receivers there is no order; each has its own."""
    reference = play_model([turn("opener", hear()), turn("receiver", post(1)), turn("receiver2", post(2), post(3))], 2)
    player = imitate(reference)
    records = player.contexts["opener"].log
    records.insert(2, records.pop(0))
    assert compare(reference, player) is None
    records.reverse()
    assert compare(reference, player) is not None


def test_what_agreed_is_not_compared_again() -> None:
    """After a move on which both agreed only new records are compared; a difference shows the old ones too."""
    reference = play_model([HEARS, turn("opener", fill(1, 30))])
    player = imitate(reference)
    comparison = Comparison(reference, player)
    assert comparison.compare() is None
    records = player.contexts["receiver"].log
    records[0]["message"] = "changed by the test, and not looked at"
    assert comparison.compare() is None
    records.append(records[1])
    difference = comparison.compare()
    assert difference is not None
    assert "message(10); … (10 more) …; message(21)" in difference.expected


def test_what_is_not_shown_otherwise() -> None:
    """Records that differ in what is not written for people are shown as they are."""
    difference = tampered(CONNECTED, put("a", 0, sender="somebody else"))
    assert "somebody else" in difference.found
