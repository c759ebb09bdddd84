"""Each check: it finds the fault of an application, and accepts what is only unusual."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from testing.applications.faults import FAULTS, Fault, command

from trio_ports.testing import ApplicationReport, check_application


def find(report: ApplicationReport, status: str) -> list[str]:
    return [finding.check for finding in report.findings if finding.status == status]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_faults(fault: Fault, request: pytest.FixtureRequest) -> None:
    """Each fault is found, and the report names the rule that it breaks."""
    if not fault.leaves:
        request.getfixturevalue("as_in_a_browser")
    report = check_application(command(fault.name), rules=[fault.rule], strict=False)
    assert report.broken_rules == ((fault.rule,) if fault.status == "fail" else ())
    found = find(report, fault.status)
    assert len(found) == 1 if fault.status == "warn" else found


@pytest.mark.parametrize(("fault", "manner"), [("pong", "answers"), ("deaf", "silent")])
def test_no_echo(fault: str, manner: str) -> None:
    """An application that is not an echo is asked less: it takes every message, and leaves."""
    report = check_application(command(fault), rules=[35, 13, 12, 38])
    assert report.manner == manner
    assert find(report, "pass") == [
        "the arguments of either browser",
        "the end of its input",
        "what it leaves behind",
        "every JSON value",
    ]
    assert find(report, "skip") == ["numbers that no double holds"]


LEAVES_AT_A_NUMBER = """\
import struct, sys
while head := sys.stdin.buffer.read(4):
    body = sys.stdin.buffer.read(struct.unpack("=I", head)[0])
    if b"1e999" in body:
        sys.exit()
    sys.stdout.buffer.write(head + body)
    sys.stdout.buffer.flush()
"""


def test_an_echo_that_leaves_at_a_number() -> None:
    """No browser sends 1e999, so nothing can be said about its answer."""
    report = check_application([sys.executable, "-c", LEAVES_AT_A_NUMBER], rules=[12])
    assert find(report, "skip") == ["numbers that no double holds"]


def test_an_application_that_ends_inside_a_frame() -> None:
    """The report says that its output ends inside a frame."""
    program = "import sys; sys.stdin.buffer.read(4); sys.stdout.buffer.write(b'\\x04\\0\\0\\0[')"
    report = check_application([sys.executable, "-c", program], rules=[35], strict=False)
    assert "inside a frame" in report.findings[0].detail


def test_an_application_that_answers_only_at_first(tmp_path: Path) -> None:
    """The check of its end needs a conversation first, and fails when there is none."""
    report = check_application([*command("once"), str(tmp_path / "marker")], rules=[38], strict=False)
    assert find(report, "fail") == ["the end of its input"]


def test_an_application_that_answers_junk() -> None:
    """It may answer a frame that is not JSON with one that is."""
    assert check_application(command("apologizes"), rules=[36]).ok


def test_a_silent_application_that_cannot_take_everything() -> None:
    """The report names the value that ends it, although it answers none."""
    report = check_application(command("shy"), rules=[13], strict=False)
    assert report.findings[0].detail.startswith("null is too much: it exited with status 0")


@pytest.mark.parametrize(
    ("fault", "found"), [("prints", "'hello, this is my log"), ("mutters", r"hi\\n"), ("lines", r"'\\n'")]
)
def test_what_is_printed(fault: str, found: str) -> None:
    """The report shows what the application prints, however little, and the other checks are skipped."""
    report = check_application(command(fault), rules=[35, 13], strict=False)
    assert [finding.status for finding in report.findings] == ["fail", "skip"]
    assert re.search(found, report.findings[0].detail)


@pytest.mark.parametrize(("fault", "status"), [("explains", "pass"), ("gives up", "warn"), ("mute", "fail")])
def test_what_cannot_be_answered(fault: str, status: str) -> None:
    """Instead of sending too much it may leave, if it says why."""
    report = check_application(command(fault), rules=[34], strict=False)
    assert "a message that is too large to be sent back" in find(report, status)


def test_one_frame_at_a_time() -> None:
    """A program that loses frames which come in one piece is still asked about values."""
    report = check_application(command("alone"), rules=[33, 13], strict=False)
    assert find(report, "fail") == ["frames in every cut"]


def test_output_that_is_closed() -> None:
    """The report says that the program has closed its output and goes on."""
    report = check_application(command("closes"), rules=[13], strict=False)
    assert report.findings[0].detail.startswith("null is not answered: it is there, and has closed its output")


def test_an_answer_that_is_not_json() -> None:
    """The report shows it."""
    report = check_application(command("names"), rules=[13], strict=False)
    assert "a frame that is not JSON (NaN is not JSON): NaN" in report.findings[0].detail


def test_an_error_that_says_what_it_was() -> None:
    """It is accepted although nobody caught it, because it names the end of the input."""
    assert check_application(command("says"), rules=[36]).ok


def test_one_that_never_leaves(as_in_a_browser: None) -> None:
    """That is one failure, whatever comes before the end of its input."""
    report = check_application(command("stays"), rules=[36, 38], strict=False)
    assert [finding.status for finding in report.findings] == ["fail", *["skip"] * 4]
