"""The check of an application: what its report says, and how it ends."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest
from support import PATIENCE_SECONDS
from testing.applications.faults import command
from testing.applications.remains import wait_until_gone

from trio_ports.testing import ApplicationBrokenError, check_application
from trio_ports.testing._applications import checks


def test_a_correct_application() -> None:
    """All checks pass, and none is skipped."""
    report = check_application(command("none"), patience=PATIENCE_SECONDS)
    assert report.ok
    assert report.manner == "echo"
    assert {finding.status for finding in report.findings} == {"pass"}


def test_the_ping_pong_of_this_package() -> None:
    """Our own example passes."""
    report = check_application(
        [sys.executable, "-m", "trio_ports._native.ping_pong"], rules=[13, 33], patience=PATIENCE_SECONDS
    )
    assert {finding.status for finding in report.findings} == {"pass"}


def test_one_cause_is_one_line(tmp_path: Path) -> None:
    """A program that stops answering fails one check and is waited for in full once; the others are skipped."""
    began = time.perf_counter()
    report = check_application([*command("once"), str(tmp_path / "marker")], patience=5, strict=False)
    assert [finding.status for finding in report.findings].count("fail") == 1
    assert report.findings[0].detail == "it is there and says nothing"
    skipped = [finding for finding in report.findings if finding.status == "skip"]
    assert {finding.detail for finding in skipped} == {
        "as in 'the arguments of either browser': it is there and says nothing"
    }
    assert time.perf_counter() - began < 5 * len(skipped)


def test_nothing_is_asked_of_what_does_not_start() -> None:
    """A program that ends at once fails the first check, and the others are skipped."""
    report = check_application([sys.executable, "-S", "-E", "-c", "raise SystemExit(4)"], strict=False)
    assert [finding.status for finding in report.findings] == ["fail", *["skip"] * 15]
    assert "exited with status 4" in report.findings[0].detail


def test_a_program_that_never_reads() -> None:
    """The report says so, and the other checks are skipped."""
    report = check_application([sys.executable, "-c", "import time; time.sleep(60)"], patience=0.2, strict=False)
    assert [finding.status for finding in report.findings] == ["fail", *["skip"] * 15]
    assert report.findings[0].detail == "it does not read its input"


def test_a_command_is_a_list() -> None:
    """A text is refused, as it would be taken letter by letter."""
    with pytest.raises(TypeError, match="a list of words"):
        check_application("./my-host")
    with pytest.raises(TypeError, match="a word of command"):
        check_application(["./my-host", 1])  # type: ignore[list-item]


def test_sentences() -> None:
    """Every rule that is checked has a sentence about applications, which a failure shows."""
    assert set(checks.RULE_SENTENCES) == set(checks.RULE_LINKS) == {check.rule for check in checks.CHECKS}
    with pytest.raises(ApplicationBrokenError, match=re.escape(checks.RULE_SENTENCES[13])) as caught:
        check_application(command("null"), rules=[13])
    assert caught.value.report.findings[0].sentence == checks.RULE_SENTENCES[13]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """Processes that an application has started end with it, even if they hold its output open."""
    children = tmp_path / "children"
    report = check_application([*command("parent"), str(children)], rules=[38], strict=False)
    assert [finding.status for finding in report.findings] == ["pass", "fail"]
    assert re.search(r"process \d+ \(\w+\)[^:]* holds its output: no browser sees its end", report.findings[1].detail)
    for child in children.read_text().split():
        with pytest.raises(ProcessLookupError):
            wait_until_gone(int(child))


def test_daemons_are_not_left_behind(tmp_path: Path) -> None:
    """A process in a session of its own ends with the application too, whether or not it holds a pipe."""
    code = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    for number in range(3):\n"
        "        os.dup2(os.open(os.devnull, os.O_RDWR), number)\n"
        f"    open({str(tmp_path / 'daemons')!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        "    time.sleep(60)\n"
        "sys.stdin.read()\n"
    )
    check_application([sys.executable, "-S", "-E", "-c", code], rules=[38])
    for daemon in (tmp_path / "daemons").read_text().split():
        with pytest.raises(ProcessLookupError):
            wait_until_gone(int(daemon))


@pytest.mark.parametrize("how", ["leaves", "stays"])
def test_an_application_may_clean_up(tmp_path: Path, how: str, request: pytest.FixtureRequest) -> None:
    """It is given the end of its input first, then SIGTERM, and removes what it made after either of them."""
    code = (
        "import signal, sys, tempfile\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit())\n"
        f"with tempfile.TemporaryDirectory(dir={str(tmp_path)!r}):\n"
        "    while data := sys.stdin.buffer.raw.read(65536): pass\n"
        "    if sys.argv[1] == 'stays': signal.pause()\n"
    )
    if how == "stays":
        request.getfixturevalue("as_in_a_browser")
    report = check_application([sys.executable, "-S", "-E", "-c", code, how], rules=[38], strict=False)
    assert report.ok == (how == "leaves")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", ["mumbles", "characters", "reads characters", "lines", "byte order", "text mode"])
def test_one_cause_is_one_failure(fault: str) -> None:
    """What many checks meet fails the first of them, and is named."""
    report = check_application(command(fault), strict=False)
    failed = [finding for finding in report.findings if finding.status == "fail"]
    causes = {"mumbles": "print", "reads characters": "characters", "lines": "line end"}
    assert [finding.cause for finding in failed] == [causes.get(fault, fault)]
    skipped = [finding for finding in report.findings if finding.status == "skip"]
    assert all(finding.detail.startswith(f"as in {failed[0].check!r}: ") for finding in skipped)


@pytest.mark.parametrize("fault", ["hangs at once", "hangs after one"])
def test_nothing_passes_that_hangs(as_in_a_browser: None, fault: str) -> None:
    """Of a program that hangs after its first message nothing more can be seen, whichever checks are chosen."""
    for rules in ([35, 13, 12], [36, 38]):
        report = check_application(command(fault), rules=rules, patience=2, strict=False)
        assert [finding.status for finding in report.findings] == ["fail", *["skip"] * (len(report.findings) - 1)]
        assert {finding.cause for finding in report.findings} == {"no response"}
