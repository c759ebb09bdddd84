"""The model does what ports and browsers do in histories that are seldom generated."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from testing.mutants import show_everybody

import trio_ports
from trio_ports._browser import routing
from trio_ports._browser.script import Script
from trio_ports._protocol.senders import SenderTab
from trio_ports.testing import RuleBrokenError, check_browser, moves
from trio_ports.testing._conformance.history.moves import History, Step, by, turn
from trio_ports.testing._conformance.options import Options
from trio_ports.testing._conformance.play import make_browser_subject, make_port_subject, play

DIALECTS = ("trio", "firefox", "chrome")
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)


def play_in_browser(dialect: Any, history: History) -> dict[str, list[dict[str, Any]]]:
    """Play a history in a browser, of which every move has to make sense, and return what was told to whom."""
    maker = partial(trio_ports.open_browser, dialect=dialect, listener_errors="log")
    subject = make_browser_subject(maker, Options(dialect=dialect, listener_errors="log"))
    verdict = play(subject, history)
    assert (verdict.history, verdict.difference) == (history, None)
    return verdict.logs


def told(logs: dict[str, list[dict[str, Any]]]) -> set[str]:
    """Return who was told of a connection."""
    return {name for name, log in logs.items() if any(record["event"] == "on_connect" for record in log)}


def opened(*steps: Step) -> History:
    """Let the background listen; then a content script connects and, in the same turn, more happens."""
    return [
        moves.open_tab("t1"),
        turn("a", moves.listen()),
        turn("t1/a", moves.connect("c"), moves.hear("c"), *steps),
    ]


def test_a_listener_that_holds_and_then_answers() -> None:
    """What it does after it was released it does to its port."""
    answers = moves.add_listener("on_message", "answers", moves.hold(), moves.post("answer", None))
    history = [
        turn("opener", moves.hear()),
        turn("receiver", answers),
        turn("opener", moves.post("question")),
        moves.release("receiver"),
    ]
    maker = lambda nursery: trio_ports.open_port_pair(nursery)  # noqa: E731 - A maker takes the nursery.
    subject = make_port_subject(maker, 1, Options())
    verdict = play(subject, history)
    assert (verdict.history, verdict.difference) == (history, None)
    assert [record["message"] for record in verdict.logs["opener"]] == ["answer"]


@pytest.mark.parametrize("how", ["cancel", "crash"])
def test_a_listener_holds_as_its_block_ends(how: Any) -> None:
    """It is cancelled, and hears nothing of what came meanwhile."""
    history = [
        turn("receiver", moves.add_listener("on_message", "holds", moves.hold())),
        moves.enter("receiver"),
        turn("opener", moves.hear(), moves.post(1), moves.post(2)),
        moves.leave("receiver", how),
    ]
    maker = lambda nursery: trio_ports.open_port_pair(nursery)  # noqa: E731 - A maker takes the nursery.
    verdict = play(make_port_subject(maker, 1, Options()), history)
    assert (verdict.history, verdict.difference) == (history, None)
    assert [record["message"] for record in verdict.logs["receiver"]] == [1]


@each_dialect
@pytest.mark.parametrize(("frame", "document"), [("f1", "f1"), ("f1", "t1"), ("t1", "f1")])
def test_a_frame_and_a_document(dialect: str, frame: str, document: str) -> None:
    """Where both are named, the dialect says which of them counts."""
    logs = play_in_browser(
        dialect,
        [
            moves.open_tab("t1"),
            moves.open_frame("f1", "t1"),
            *[turn(at, moves.listen()) for at in ("t1/a", "f1/a")],
            turn("a", moves.tabs_connect("c", "t1", frame=frame, document=document), moves.hear("c")),
        ],
    )
    both = {f"{document}/a"} if frame == document else set()
    assert told(logs) == ({f"{document}/a"} if dialect == "firefox" else both)


@each_dialect
def test_both_go_before_anybody_was_told(dialect: str) -> None:
    """The opener has disconnected, and the only listener is gone: nobody is told of anything."""
    gone = moves.remove_listener("on_connect", "on_connect", port=None)
    logs = play_in_browser(dialect, opened(moves.disconnect("c"), by("a", gone)))
    assert not any(logs.values())


@each_dialect
def test_one_of_two_listens_no_more(dialect: str) -> None:
    """The other one is told and answers; the opener does not learn that there were two."""
    gone = moves.remove_listener("on_connect", "on_connect", port=None)
    another = [moves.open_page("g1", "a", hidden=True), turn("g1/a", moves.listen())]
    logs = play_in_browser(dialect, [*another, *opened(by("a", gone)), turn("g1/a", moves.post(1, "c"))])
    assert told(logs) == {"g1/a"}
    assert [record.get("message") for record in logs["t1/a"]][:1] == [1]


@each_dialect
@pytest.mark.parametrize("event", ["on_connect", "on_connect_external"])
def test_a_listener_of_connections_changes_who_listens(dialect: str, event: Any) -> None:
    """One that it adds hears of the next connection; one that it removes is still called where the dialect says so."""
    second = moves.remove_listener(event, "second", port=None)
    changes = [second, moves.add_listener(event, "third", port=None)]
    listeners = [
        moves.add_listener(event, "first", *changes, port=None),
        moves.add_listener(event, "second", port=None),
    ]
    connect = partial(moves.connect, extension="a" if event == "on_connect" else "b")
    at = "a" if event == "on_connect" else "b"
    logs = play_in_browser(
        dialect,
        [
            moves.open_tab("t1"),
            turn(at, *listeners),
            turn("t1/a", connect("c")),
            turn(at, moves.has_listener(event, "second", port=None), moves.has_listener(event, "third", port=None)),
            turn("t1/a", connect("d")),
        ],
    )
    heard = [(record["port"], record["listener"]) for record in logs[at]]
    removed = [("c", "second")] if dialect == "chrome" else []
    assert heard == [("c", "first"), *removed, ("d", "first"), ("d", "third")]


def test_a_browser_that_raises() -> None:
    """Where what a listener raises leaves the browser, no listener of a connection raises in any story or history."""
    report = check_browser(trio_ports.open_browser, examples=5)
    assert {2, 9, 20} <= set(report.rules)
    assert report.histories > 100


def test_stories_only() -> None:
    """Whoever wants no random histories has the stories played."""
    told: list[tuple[int, int]] = []
    report = check_browser(
        trio_ports.open_browser, examples=0, on_progress=lambda done, all_: told.append((done, all_))
    )
    assert told == [(number, report.histories) for number in range(1, report.histories + 1)]


def test_a_browser_that_describes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A received port without a sender breaks the rule about senders."""
    monkeypatch.setattr(trio_ports.Port, "sender", property(lambda port: None))
    with pytest.raises(RuleBrokenError) as caught:
        check_browser(trio_ports.open_browser, examples=0)
    assert caught.value.rule == 9


@pytest.mark.parametrize(
    ("rule", "target", "name", "other"),
    [
        (3, routing, "_lets_in", lambda extension, dialect, call: True),
        (9, routing, "SenderTab", lambda tab_id, *_: SenderTab(tab_id, "")),
        (25, Script, "show_error", show_everybody),
    ],
)
def test_a_browser_with_a_fault(rule: int, target: Any, name: str, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stories find who is let in, what a tab is said to show, and an error that is shown in two places."""
    monkeypatch.setattr(target, name, other)
    with pytest.raises(RuleBrokenError) as caught:
        check_browser(trio_ports.open_browser, examples=0)
    assert caught.value.rule == rule
