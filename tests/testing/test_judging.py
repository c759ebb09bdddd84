"""Which rule a difference breaks: logs that were tampered with."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from trio_ports import Cause, PortError
from trio_ports._protocol.dialects import NO_RECEIVER_TEXT
from trio_ports.testing._conformance.compare.compare import Comparison, compare
from trio_ports.testing._conformance.history.moves import (
    EXTENSIONS,
    History,
    add_listener,
    by,
    connect,
    disconnect,
    enter,
    fill,
    hear,
    leave,
    listen,
    open_page,
    open_tab,
    post,
    start_receive,
    start_send,
    start_wait,
    tabs_connect,
    turn,
)
from trio_ports.testing._conformance.model import RULES, Model

Log = list[dict[str, Any]]
HEARS = turn("receiver", hear())
TWO = [add_listener("on_message", name) for name in ("one", "two")]
ENDS = [add_listener("on_disconnect", name) for name in ("one", "two")]
TOLD = [turn("opener", hear()), HEARS]
WORLD = [open_tab("t1"), turn("a", listen()), turn("t1/a", connect("c"), hear("c"))]


def error_of(cause: str | None) -> PortError | None:
    return None if cause is None else PortError(NO_RECEIVER_TEXT, cause=Cause(cause))


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
        over = {label for label, port in context.ports.items() if port.state in ("closed", "ended")}
        log = copy.deepcopy([seen.record for seen in context.log])
        player.contexts[name] = SimpleNamespace(ports=ports, log=log, ended_ports=over, context=None, stage=player)
    for name, call in reference.calls.items():
        message = call.message.value if call.message else None
        cause = call.port.error if call.port and call.outcome == "broken" else None
        player.calls[name] = SimpleNamespace(outcome=call.outcome, message=message, cause=cause)
    return player


def judge(history: History, tamper: Callable[[Any], object], receivers: int = 1) -> int | None:
    """Play with the model, change what was seen, and return the rule that this breaks."""
    world = any(move["move"] == "open_tab" for move in history)
    reference = Model.of_world(RULES["trio"], EXTENSIONS) if world else Model.of_ends(RULES["trio"], receivers)
    for move in history:
        assert reference.may(move)
        reference.play(move)
    player = imitate(reference)
    assert compare(reference, player, history[-1]) is None
    tamper(player)
    difference = compare(reference, player, history[-1])
    assert difference is not None
    assert difference.at in str(difference)
    return difference.rule


def log(name: str, change: Callable[[Log], object]) -> Callable[[Any], object]:
    return lambda player: change(player.contexts[name].log)


def drop(index: int) -> Callable[[Log], object]:
    return lambda records: records.pop(index)


def put(index: int, **changes: Any) -> Callable[[Log], object]:
    return lambda records: records[index].update(changes)


def again(index: int, **changes: Any) -> Callable[[Log], object]:
    return lambda records: records.append({**records[index], **changes})


def swap(records: Log) -> None:
    records.reverse()


THREE = [HEARS, turn("opener", post(1), post(2), post(3))]
ENDED = [HEARS, turn("opener", post(1), disconnect())]
CLOSED = [HEARS, turn("opener", post(1)), turn("receiver", disconnect())]
BOTH_ENDS = [turn("receiver", *ENDS), turn("opener", disconnect())]
MESSAGE = {"port": "p", "event": "on_message", "listener": "one", "message": 1}
END = {"port": "p", "event": "on_disconnect", "listener": "end", "error": None}
LATE = add_listener("on_disconnect", "late", post("late", None))


@pytest.mark.parametrize(
    ("rule", "history", "tamper"),
    [
        (32, THREE, log("receiver", put(0, inside="post"))),
        (1, WORLD, log("a", put(0, inside="connect"))),
        (14, THREE, log("receiver", put(0, arguments=1))),
        (14, THREE, log("receiver", put(0, port="?", given="no port"))),
        (10, THREE, log("receiver", drop(1))),
        (10, THREE, log("receiver", again(1))),
        (10, THREE, log("receiver", swap)),
        (12, THREE, log("receiver", put(0, message="1"))),
        (13, [HEARS, turn("opener", post(None))], log("receiver", drop(0))),
        (21, ENDED, log("receiver", drop(0))),
        (21, ENDED, log("receiver", swap)),
        (30, CLOSED, log("receiver", again(0))),
        (15, [turn("opener", post(1))], log("receiver", lambda records: records.append(MESSAGE))),
        (28, [turn("receiver", *TWO), turn("opener", post(1))], log("receiver", swap)),
        (29, [turn("receiver", *TWO), turn("opener", post(1))], log("receiver", drop(1))),
        (19, [turn("receiver", *ENDS[:1]), turn("opener", disconnect())], log("receiver", drop(0))),
        (19, BOTH_ENDS, log("receiver", again(0))),
        (28, BOTH_ENDS, log("receiver", swap)),
        (24, BOTH_ENDS, log("receiver", drop(1))),
        (29, BOTH_ENDS, log("receiver", again(0, listener="three"))),
        (18, [*TOLD, turn("opener", disconnect())], log("opener", lambda records: records.append(END))),
        (25, ENDED, log("receiver", put(1, error="wire-broken"))),
        (20, ENDED, log("receiver", put(1, error="crashed"))),
        (23, [turn("receiver", LATE), turn("opener", disconnect())], log("receiver", drop(1))),
        (22, [turn("receiver", LATE), turn("opener", disconnect())], log("receiver", put(1, call="disconnect"))),
        (9, WORLD, log("a", put(0, sender=None))),
        (8, WORLD, log("a", put(0, name="other"))),
        (28, WORLD, log("a", again(0, listener="other"))),
        (3, WORLD, log("a", put(0, event="on_connect_external"))),
    ],
)  # fmt: skip
def test_logs(rule: int, history: History, tamper: Callable[[Any], object]) -> None:
    """What was told otherwise names the rule."""
    assert judge(history, tamper) == rule


def test_nobody_there() -> None:
    """An opener that reaches nobody and is not told, or is told something else."""
    history = [open_tab("t1"), turn("t1/a", connect("c"), hear("c"))]
    assert judge(history, log("t1/a", put(0, error="no-receiver: a text"))) == 6
    assert judge(history, log("t1/a", drop(0))) == 6
    assert judge(history, lambda player: player.contexts["t1/a"].ended_ports.clear()) == 6


def test_messages_before_the_connection() -> None:
    """on_connect comes first."""
    history = [*WORLD, turn("t1/a", post(1, "c"))]
    assert judge(history, log("a", swap)) == 5


def test_several_receivers() -> None:
    """What one of them lacks, or has too many; and who is told of whose end."""
    both = [HEARS, turn("receiver2", hear()), turn("opener", post(1))]
    assert judge(both, log("receiver2", drop(0)), 2) == 11
    assert judge(both, log("receiver2", again(0, message=2)), 2) == 11
    ended = [HEARS, turn("opener", hear()), turn("opener", disconnect())]
    assert judge(ended, log("receiver", drop(0)), 2) == 27
    left = [turn("opener", hear()), turn("receiver", disconnect()), turn("receiver2", disconnect())]
    assert judge(left, log("opener", drop(0)), 2) == 26
    one = [turn("opener", hear()), turn("receiver", disconnect())]
    assert judge(one, log("opener", lambda records: records.append(END)), 2) == 26


def result(index: int, value: Any) -> Callable[[Any], object]:
    def change(player: Any) -> None:
        player.results[index] = value

    return change


@pytest.mark.parametrize(
    ("rule", "history", "index", "value"),
    [
        (23, [turn("opener", disconnect(), post(1))], 1, "ok"),
        (23, [turn("opener", post(1))], 0, "broken"),
        (12, [turn("opener", post({"$": "bytes"}))], 0, "ok"),
        (17, [turn("opener", post(1))], 0, "full"),
        (17, [turn("opener", fill(1, 2000))], 0, "full after 1023"),
        (17, [turn("opener", fill(1, 2000))], 0, "ok"),
        (23, [turn("opener", fill(1, 2))], 0, "broken after 1"),
        (22, [turn("opener", disconnect(), disconnect())], 1, "closed"),
        (28, [turn("receiver", *TWO)], 0, "busy"),
        (1, WORLD, 1, "closed"),
        (20, [enter("opener"), leave("opener", "crash")], 0, "return"),
        (None, [turn("opener", post(1), by("opener", {"do": "change"}))], 1, "?"),
    ],
)
def test_results(rule: int | None, history: History, index: int, value: str) -> None:
    """What a step returned, or raised, names the rule."""
    assert judge(history, result(index, value)) == rule


def call(outcome: str, message: Any = None, cause: str | None = None) -> Callable[[Any], object]:
    return lambda player: player.calls["c"].__dict__.update(outcome=outcome, message=message, cause=cause)


SENDS = start_send("c", "opener", 1)
RECEIVES = start_receive("c", "receiver")


@pytest.mark.parametrize(
    ("rule", "history", "tamper"),
    [
        (17, [SENDS], call("blocked")),
        (23, [turn("opener", disconnect()), SENDS], call("ok")),
        (24, [start_wait("c", "opener")], call("ok")),
        (13, [turn("opener", post(0)), RECEIVES], call("blocked")),
        (15, [turn("opener", post(1)), RECEIVES], call("blocked")),
        (21, [turn("opener", post(1), disconnect()), RECEIVES], call("end")),
        (10, [turn("opener", post(1), post(2)), RECEIVES], call("ok", 2)),
        (15, [RECEIVES], call("busy")),
        (25, [turn("opener", disconnect()), RECEIVES], call("ok", None)),
        (20, [turn("opener", disconnect()), RECEIVES], call("broken", None, "crashed")),
        (25, [enter("opener"), leave("opener", "crash"), RECEIVES], call("broken")),
    ],
)
def test_calls(rule: int, history: History, tamper: Callable[[Any], object]) -> None:
    """What became of a call that may wait names the rule."""
    assert judge(history, tamper) == rule


def test_a_reader_that_is_overtaken() -> None:
    """A later message instead of the one that was next is another order, whatever the history was about."""
    assert judge([turn("opener", post(1), post(2), post(3)), RECEIVES], call("ok", 3)) == 10
    assert judge([turn("opener", post(0), post(2)), RECEIVES], call("ok", 2)) == 10


def statistics(state: str = "open", waiting: int = 0, senders: int = 0) -> Callable[[Any], object]:
    told = SimpleNamespace(state=state, messages_waiting=waiting, tasks_waiting_send=senders)

    def change(player: Any) -> None:
        player.contexts["receiver"].ports["p"].statistics = lambda: told

    return change


def test_statistics() -> None:
    """Where a port tells how full it is, that counts too."""
    posted = [turn("opener", post(1))]
    assert judge(posted, statistics("closed")) == 19
    assert judge(posted, statistics(waiting=0)) == 15
    assert judge(posted, statistics(waiting=1, senders=1)) == 17
    over = [turn("opener", disconnect())]
    assert judge(over, statistics("ended", waiting=1)) == 21

    def never_over(player: Any) -> None:
        statistics("ended")(player)
        player.contexts["receiver"].ended_ports.clear()

    assert judge(over, never_over) == 24


def test_faces() -> None:
    """Name, sender and last_error."""
    assert judge(THREE, lambda player: setattr(player.contexts["receiver"].ports["p"], "name", "x")) == 8
    assert judge(THREE, lambda player: setattr(player.contexts["opener"].ports["p"], "sender", "x")) == 9
    assert judge(THREE, lambda player: setattr(player.contexts["receiver"].ports["p"], "sender", None)) == 9
    runtime = SimpleNamespace(runtime=SimpleNamespace(last_error="x"))
    assert judge(WORLD, lambda player: setattr(player.contexts["a"], "context", runtime)) == 25
    error = SimpleNamespace(cause="wire-broken")
    assert judge(THREE, lambda player: setattr(player.contexts["receiver"].ports["p"], "error", error)) == 25


def test_ports_that_should_not_be_there() -> None:
    """Or should, and are not."""
    assert judge(WORLD, lambda player: player.contexts["a"].ports.clear()) == 2
    stranger = SimpleNamespace(name="x", sender=None, error=None)
    assert judge(WORLD, lambda player: player.contexts["b"].ports.update(x=stranger)) == 2
    assert judge(WORLD, lambda player: player.contexts["t1/b"].ports.update(x=stranger)) == 3
    to_tab = [open_tab("t1"), turn("t1/a", listen()), turn("a", tabs_connect("c", "t1"), hear("c"))]
    assert judge(to_tab, lambda player: player.contexts["b"].ports.update(x=stranger)) == 4


def test_whoever_waits_for_an_end() -> None:
    """Of an end that does not come the rule is named that brings it about: one's own disconnect, or the other one's."""
    ended = [*TOLD, turn("opener", disconnect())]
    assert judge(ended, lambda player: player.contexts["opener"].ended_ports.clear()) == 18
    assert judge(ended, lambda player: player.contexts["receiver"].ended_ports.clear()) == 19


def test_an_error_in_two_places() -> None:
    """What ``port.error`` shows ``last_error`` does not; and a listener knows what the port should have shown, too."""
    history = [open_tab("t1"), turn("t1/a", connect("c"), hear("c"))]
    both = "last_error too: no-receiver"
    assert judge(history, lambda player: player.contexts["t1/a"].log[-1].update(error=both)) == 25
    assert judge(history, lambda player: setattr(player.contexts["t1/a"].ports["c"], "error", None)) == 25


def test_pages_that_call_themselves() -> None:
    """Rule 2 says who hears itself, also by ``tabs.connect``; rule 3 who is let in from outside."""

    def hear_as(event: str, name: str) -> Callable[[Any], None]:
        def add(player: Any) -> None:
            player.contexts[name].ports["x"] = SimpleNamespace()
            player.contexts[name].log.append({"port": "x", "event": event, "listener": event, "name": "x"})

        return add

    page = [open_tab("t1"), open_page("p1", "a"), turn("p1/a", listen(), tabs_connect("c", "p1"))]
    assert judge(page, hear_as("on_connect", "p1/a")) == 2
    assert judge(page, hear_as("on_connect", "a")) == 4
    web = [open_tab("t1", web=True), turn("t1/web", connect("c", extension="a"))]
    assert judge(web, hear_as("on_connect_external", "a")) == 3


def test_an_end_that_comes_too_soon() -> None:
    """A reader has not taken everything, or nothing has ended at all."""
    told = {"port": "p", "event": "on_disconnect", "listener": "end", "error": None}
    kept = [turn("receiver", hear()[1]), RECEIVES, turn("opener", post(1), post(2), disconnect())]
    assert judge(kept, statistics("ended", waiting=1)) == 24
    tamper = lambda player: player.contexts["receiver"].log.append(told)  # noqa: E731 - One for all.
    assert judge(kept, tamper) == 24
    assert judge([turn("receiver", hear()[1])], tamper) == 19
    assert judge([turn("receiver", hear()[1])], tamper, receivers=2) == 26
    assert judge(kept, tamper, receivers=2) == 26


def test_unordered_senders() -> None:
    """Between two receivers there is no order; each has its own."""
    history = [turn("opener", hear()), turn("receiver", post(1)), turn("receiver2", post(2), post(3))]

    def reorder(player: Any) -> None:
        records = player.contexts["opener"].log
        records.insert(2, records.pop(0))

    reference = Model.of_ends(RULES["trio"], 2)
    for move in history:
        reference.play(move)
    player = imitate(reference)
    reorder(player)
    assert compare(reference, player) is None
    swap(player.contexts["opener"].log)
    assert compare(reference, player) is not None


def test_what_agreed_is_not_looked_at_again() -> None:
    """After a move on which both agreed only what was told since is compared, and it is judged with what was before."""
    reference = Model.of_ends(RULES["trio"])
    for move in (HEARS, turn("opener", fill(1, 30))):
        reference.play(move)
    player = imitate(reference)
    comparison = Comparison(reference, player)
    assert comparison.compare() is None
    player.contexts["receiver"].log[0]["message"] = "changed by the test, which nobody looks at"
    assert comparison.compare() is None
    again(1)(player.contexts["receiver"].log)
    difference = comparison.compare()
    assert difference is not None
    assert difference.rule == 12
    assert "message(10); … (10 more) …; message(21)" in difference.expected
