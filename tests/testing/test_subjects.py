"""Subjects: ports in other processes, as `survey_subject` sees them, whatever they do."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trio
from support import lacking

import trio_ports
from trio_ports.testing import moves
from trio_ports.testing._conformance.subjects import process
from trio_ports.testing._conformance.subjects.chart import draw_lines
from trio_ports.testing._conformance.subjects.protocol import Hello, whole
from trio_ports.testing._conformance.survey import (
    GREETING,
    OPENING,
    Plan,
    PortFinding,
    SurveyReport,
    describe_finding,
    list_stories,
    survey_subject,
)

HERE = Path(__file__).parent
PLAYER = Path(process.__file__).parent / "node" / "player.mjs"
PATHS = [str(Path(trio_ports.__file__).parent.parent), str(HERE.parent)]


@pytest.fixture(autouse=True)
def paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """The subjects find the package under test, and the tests' helpers."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*PATHS, os.environ.get("PYTHONPATH", "")]))


def survey(*command: str, patience: float = 5.0, **plan: Any) -> SurveyReport:
    return trio.run(lambda: survey_subject(command, plan=Plan(**{"examples": 0, **plan}), patience=patience))


def subject(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(HERE / "subjects" / f"{name}.py"), *arguments]


def failed(report: SurveyReport) -> list[PortFinding]:
    return [finding for finding in report.findings if finding.status == "fail"]


def test_ports_that_are_right() -> None:
    """Every story is played in another process, and passes; random histories too."""
    report = survey(*subject("pair", "is right"), examples=5)
    assert report.ok
    skipped = [finding for finding in report.findings if finding.status == "skip"]
    assert all("race" in finding.detail or "finish" in finding.detail for finding in skipped)
    assert report.hello is not None
    assert (report.hello.name, report.hello.version, report.dialect) == ("is right", "1.2", "trio")
    assert [finding.check for finding in report.findings[:2]] == [GREETING, OPENING]
    assert {(finding.rule, finding.check) for finding in report.findings[2:-1]} <= set(list_stories())


def test_ports_that_are_wrong() -> None:
    """The rule is named, with the shortest history and what went over the wire."""
    report = survey(*subject("pair", "does not post null"), rules=[13])
    first = failed(report)[0]
    assert (first.rule, first.grade) == (13, "no browser does this")
    assert first.detail == "port p of receiver: expected message(null), found nothing"
    assert "p.post_message(null)" in describe_finding(first)
    directions = [direction for direction, _ in first.lines]
    assert directions[:2] == [">", "<"]
    assert "null" in draw_lines(first.lines)
    assert first.sentence.startswith("Every JSON value is a message")
    assert (report.findings[0].sentence, describe_finding(report.findings[0])) == ("A subject speaks the protocol.", "")


def test_random_histories_of_wrong_ports() -> None:
    """One finding for each rule that they break, named so that a baseline can name it."""
    report = survey(*subject("pair", "calls listeners without the port"), examples=10)
    named = [finding for finding in failed(report) if finding.check.startswith("random histories")]
    assert named
    assert all(finding.check == f"random histories that break rule {finding.rule}" for finding in named)
    assert len({finding.rule for finding in named}) == len(named)


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("dies", "it exited with status 3"),
        ("hangs", "it did not answer within 2 seconds"),
        ("talks", "it wrote a line that is not of the protocol: 'null!'"),
    ],
)
def test_ports_that_fail_as_programs(does: str, why: str) -> None:
    """It is started again for the next story; after some failures the rest is skipped."""
    report = survey(*subject("pair", does), rules=[13], patience=2.0)
    assert [finding.detail.startswith(why) for finding in failed(report)] == [True] * 3
    assert {finding.cause for finding in failed(report)} == {"subject"}
    skipped = [finding for finding in report.findings if finding.status == "skip"]
    assert {finding.detail.partition(": ")[0] for finding in skipped} <= {"as the subject fails"}
    assert "pass" in {finding.status for finding in report.findings[2:]}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("exits", "it exited with status 0"),
        ("last words", "it exited with status 1, and its last words were: no more"),
        ("a signal", "it was ended by SIGKILL"),
        ("closes its output", "it closed its standard output"),
        ("hangs", "it did not answer within 0.6 seconds"),
        ("prints", "it wrote a line that is not of the protocol: 'hello': "),
        ("a long line", "it wrote a line of more than 50000 bytes"),
        ("a record without an event", "a record lacks an event: "),
        ("a record without a message", "a record lacks message: "),
        ("a context that is not there", "there is no context 'x': "),
        ("greets again", "it wrote an answer that nobody waits for: "),
        ("another number", "it wrote an answer that nobody waits for: "),
        ("too few results", "it gave 0 results for 1 steps"),
        ("no state", "its results say nothing about its ports: they lack the field state"),
        ("a port that is not there", "it has a context 'x', which the history does not have"),
        ("a mistake", "it takes a step for a mistake: there is no port p"),
    ],
)
def test_nonsense(wrong: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a finding that says what was wrong, and the check comes to an end."""
    monkeypatch.setattr(process, "SETTLE_SECONDS", 0.2)
    monkeypatch.setattr(process, "MAX_LINE_BYTES", 50_000)
    began = time.monotonic()
    report = survey(*subject("nonsense", wrong), rules=[10], patience=0.6)
    assert [finding.detail.startswith(why) for finding in failed(report)][:1] == [True], failed(report)
    assert failed(report)[0].rule == 10
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("does not greet", "it did not greet within 0.4 seconds"),
        ("another version", "it speaks version 99 of the protocol, and this is version 1"),
        ("no receiver", "it has connections with 0 receivers"),
        ("results first", "it did not greet first: "),
    ],
)
def test_bad_greetings(wrong: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a greeting nothing can be played: the one finding says why."""
    monkeypatch.setattr(process, "START_SECONDS", 0.4 if wrong == "does not greet" else 60.0)
    report = survey(*subject("nonsense", wrong), patience=0.1 if wrong == "does not greet" else 5)
    (finding,) = report.findings
    assert (finding.check, finding.status, finding.cause) == (GREETING, "fail", "subject")
    assert finding.detail.startswith(why)
    assert (report.hello, report.dialect, report.ok) == (None, "trio", False)


@pytest.mark.parametrize(("wrong", "why"), [("no connection", "nobody there"), ("one end", "receiver has no port")])
def test_no_connection(wrong: str, why: str) -> None:
    """That is rule 2, and the rest is skipped, random histories too."""
    report = survey(*subject("nonsense", wrong), examples=3)
    (opening,) = failed(report)
    assert (opening.rule, opening.detail) == (2, f"it opened no connection: {why}")
    assert {finding.status for finding in report.findings[2:]} == {"skip"}
    assert report.findings[-1].check == "random histories"


def test_a_random_history_ends_the_subject() -> None:
    """After some failures no more are played."""
    report = survey(*subject("nonsense", "exits"), examples=5)
    assert len(failed(report)) == 3


def test_reports_that_come_late() -> None:
    """A subject may answer before all has happened, and report it afterwards."""
    report = survey(*subject("nonsense", "late"), rules=[10])
    assert "pass" in {finding.status for finding in report.findings if finding.rule == 10}


def test_another_dialect() -> None:
    """What only another dialect has so is a warning that names it."""
    report = survey(*subject("pair", "is right"), dialect="chrome", rules=[15])
    warned = [finding for finding in report.findings if finding.status == "warn"]
    assert warned
    assert all(finding.detail.startswith("as the dialect trio does: ") for finding in warned)
    assert warned[0].grade == "another dialect does this"


def test_a_program_that_is_not_there() -> None:
    """It cannot be started, and no rule is broken."""
    with pytest.raises(FileNotFoundError):
        survey("/nowhere/at/all")


def test_a_cancelled_survey() -> None:
    """It ends soon, and so does the subject."""

    async def main() -> None:
        with trio.move_on_after(1.5) as scope:
            await survey_subject(subject("nonsense", "hangs"), patience=60)
        assert scope.cancelled_caught

    began = time.monotonic()
    trio.run(main)
    assert time.monotonic() - began < 30


def test_asked_too_early() -> None:
    """A process that has not begun a history can't be asked."""

    async def main() -> None:
        async with process.open_subject(subject("nonsense", "nothing")) as asked:
            with pytest.raises(process.SubjectError, match="not started"):
                await asked.ask(look=True)

    trio.run(main)


def test_limits_of_a_subject() -> None:
    """``"none"`` is no limit, and null the dialect's own."""
    options = Hello(1, "x", max_buffer_size="none", max_message_bytes=5).make_options("firefox")
    assert (options.dialect, options.limits.max_buffer_size, options.limits.max_message_bytes) == (
        "firefox",
        math.inf,
        5,
    )
    assert Hello(1, "x").make_options().limits.max_buffer_size is None


def test_what_a_subject_lacks() -> None:
    """Moves, calls, steps in listeners, and values inside messages."""
    hello = Hello(1, "x", moves=("turn", "start"), calls=("send",))
    listener = {"do": "add_listener", "port": "p", "actions": [{"do": "hold"}]}
    posted = {"do": "post", "message": {"a": [{"$": "bytes"}, {"$": "long", "length": 1}]}}
    assert hello.lacks({"move": "turn", "steps": [listener, posted]}) == {"hold", "bytes"}
    assert hello.lacks({"move": "start", "call": "receive"}) == {"receive"}
    assert hello.lacks({"move": "start", "call": "send", "message": 1}) == set()
    assert hello.lacks({"move": "cancel"}) == {"cancel"}


def test_numbers() -> None:
    """Whole numbers are ints, as a language with one kind of number writes them; the others stay."""
    assert repr(whole({"a": [1.0, 1.5, -6.583314995754644e16, True, "1.0", None, 3, {}]})) == (
        "{'a': [1, 1.5, -65833149957546440, True, '1.0', None, 3, {}]}"
    )


def test_a_chart() -> None:
    """Who posted, what was refused, who was called and told; lines that are no JSON are left out."""
    steps = [*(moves.post(1), moves.post(2)), moves.fill(7, 2), moves.disconnect(), moves.change()]
    lines = [
        (">", '{"id": 1, "begin": true}'),
        ("<", "nonsense"),
        ("<", "[]"),
        (">", json.dumps({"id": 2, "move": {"move": "turn", "at": "opener", "steps": steps}})),
        ("<", '{"type": "called", "at": "receiver", "record": {"port": "p", "event": "on_message", "message": 1}}'),
        ("<", '{"type": "called", "at": "receiver", "record": {"port": "p", "event": "raised", "error": "closed"}}'),
        ("<", '{"type": "called", "at": "receiver", "record": {"port": "p", "event": "on_disconnect", "error": null}}'),
        ("<", '{"type": "called", "at": "receiver", "record": {"port": "p", "event": "on_disconnect", "error": "x"}}'),
        ("<", '{"id": 2, "results": [{}, {"error": "full"}, {}, {}, {}]}'),
        (">", '{"id": 3, "move": {"move": "start", "call": "send", "at": "receiver", "message": 5}}'),
    ]  # fmt: skip
    drawn = draw_lines(lines).splitlines()
    assert "1: opener 'opener'" in drawn[0]
    assert "2: receiver 'receiver'" in drawn[0]
    assert [row.strip("│ ") for row in drawn[1:]] == [
        "├─ posts 1 ─▶                     │".strip("│ "),
        "├─ posts 7 ─▶                     │".strip("│ "),
        "├─ posts 8 ─▶                     │".strip("│ "),
        "× disconnects                     │".strip("│ "),
        "├◀ gets 1",
        "├ a listener: RuntimeError",
        "× is told of the end",
        "× is told of the end (crashed)",
        "├─ posts 5 ─▶",
    ]
    assert draw_lines(lines[:3]) == ""


def node_subject(name: str) -> list[str]:
    node = shutil.which("node")
    if node is None:
        lacking("Node is not installed")
    return [str(node), str(PLAYER), str(HERE / "doubles" / name)]


def test_a_double_in_node() -> None:
    """A JavaScript double that obeys Chromium's rules passes all that it can be asked."""
    report = survey(*node_subject("right.mjs"), examples=5)
    assert failed(report) == []
    assert {finding.status for finding in report.findings} == {"pass", "skip"}
    assert report.dialect == "chrome"
    assert sum(finding.status == "pass" for finding in report.findings) > 60


def test_wrong_doubles_in_node() -> None:
    """What is wrong with a JavaScript double is named; what others print is no line of the protocol."""
    report = survey(*node_subject("wrong.mjs"), rules=[10, 23])
    assert {finding.rule for finding in failed(report)} == {14, 23}
    first = failed(report)[0]
    assert "the listener was called with no port" in first.detail
    assert "inside post()" in first.detail


@pytest.mark.parametrize(
    ("export", "why"),
    [
        ("nothing", "there is no runtime.connect"),
        ("throws", "runtime.connect threw Error: not implemented"),
        ("unlistened", "runtime.onConnect.addListener threw TypeError: "),
        ("returns", "runtime.connect returned undefined, which is not a port"),
        ("alone", "no listener of onConnect was called"),
        ("inside", "a listener of onConnect ran inside runtime.connect"),
    ],
)
def test_doubles_without_connections(export: str, why: str) -> None:
    """It is said how far they come."""
    (opening,) = failed(survey(*node_subject(f"partial.mjs#{export}"), rules=[10]))
    assert opening.detail.startswith(f"it opened no connection: {why}")


def test_a_module_that_is_not_there() -> None:
    """The subject's last words say so."""
    (finding,) = failed(survey(*node_subject("nowhere.mjs")))
    assert finding.detail.startswith("it exited with status 1, and its last words were: ")
