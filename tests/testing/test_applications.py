"""Native applications: a correct one has nothing to fear, and every fault is found."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pytest
import trio

from trio_ports.testing import ApplicationBrokenError, Finding, check_application, hosts, wire
from trio_ports.testing.answers import Answer, NotAFrameError, same_json
from trio_ports.testing.hosts import Manner

APPLICATION = Path(__file__).with_name("application.py")
FAULTS = {
    "arguments": 35,
    "prints": 35,
    "mumbles": 35,
    "hoards": 35,
    "bare": 36,
    "parses": 36,
    "believes": 36,
    "hangs": 36,
    "junk": 36,
    "null": 13,
    "false": 13,
    "changes": 13,
    "nan": 12,
    "large": 34,
    "flood": 17,
    "swaps": 17,
    "late": 21,
    "stays": 38,
    "sizes": 34,
    "mute": 34,
    "loses": 17,
}


WAITED_FOR = {"mute", "prints", "arguments", "stays", "hoards"}
"""They say nothing where something is expected, for as long as there is patience."""


@pytest.fixture(autouse=True)
def _leaving_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What never leaves is not waited for as long as by a browser."""
    monkeypatch.setattr(wire, "LEAVE_SECONDS", 0.7)


def command(fault: str) -> list[str]:
    return [sys.executable, "-S", "-E", str(APPLICATION), fault]


def find(findings: tuple[Finding, ...], status: str) -> list[str]:
    return [finding.check for finding in findings if finding.status == status]


def test_a_correct_application() -> None:
    """Nothing is found that is wrong, nothing is skipped."""
    report = check_application(command("none"))
    assert report.ok
    assert report.manner == "echo"
    assert {finding.status for finding in report.findings} == {"pass"}


def test_the_ping_pong_of_this_package() -> None:
    """Our own example is correct."""
    report = check_application([sys.executable, "-m", "trio_ports._native.ping_pong"], rules=[13, 33])
    assert {finding.status for finding in report.findings} == {"pass"}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(fault: str) -> None:
    """Each fault is found, under the number of its rule."""
    with pytest.raises(ApplicationBrokenError, match=f"rule {FAULTS[fault]}, ") as caught:
        check_application(command(fault), rules=[FAULTS[fault]], patience=1.5 if fault in WAITED_FOR else 5)
    assert caught.value.report.broken_rules == (FAULTS[fault],)


def test_lengths_in_characters() -> None:
    """Who counts letters instead of bytes is found out by the first letter beyond ASCII."""
    report = check_application(command("characters"), rules=[33], patience=3, strict=False)
    assert not report.ok


@pytest.mark.parametrize(("fault", "rule"), [("empty", 33), ("status", 38), ("dies", 38), ("small", 34)])
def test_warnings(fault: str, rule: int) -> None:
    """What is a pity and no fault is a warning."""
    report = check_application(command(fault), rules=[rule], patience=1)
    assert len(find(report.findings, "warn")) == 1


@pytest.mark.parametrize(("fault", "manner"), [("pong", "answers"), ("deaf", "silent")])
def test_no_echo(fault: str, manner: str) -> None:
    """Of what is no echo less can be seen: it takes everything, and leaves."""
    report = check_application(command(fault), rules=[35, 13, 12, 38], patience=1.5)
    assert report.manner == manner
    assert find(report.findings, "pass") == [
        "the arguments of either browser",
        "the end of its input",
        "every JSON value",
    ]
    assert find(report.findings, "skip") == ["numbers that no double holds"]


def test_nothing_is_asked_of_what_does_not_start() -> None:
    """After the first check has failed the others are skipped."""
    report = check_application([sys.executable, "-S", "-E", "-c", "raise SystemExit(4)"], strict=False)
    assert [finding.status for finding in report.findings] == ["fail", *["skip"] * 14]
    assert "exited with status 4" in report.findings[0].detail


def test_a_command_is_a_list() -> None:
    """A text would be taken letter by letter."""
    with pytest.raises(TypeError, match="a list of words"):
        check_application("./my-host")
    with pytest.raises(TypeError, match="a word of command"):
        check_application(["./my-host", 1])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["/nowhere/at/all"], "/nowhere/at/all"),
        ([sys.executable, "-E", "/nowhere/host.py"], "/nowhere/host.py"),
        (["sh", "/nowhere/host.sh"], "/nowhere/host.sh"),
        (["sh", "-c", "no-such-program"], "sh"),
        (["env", "no-such-program"], "env"),
    ],
)
def test_a_program_that_is_not_there(words: list[str], missing: str) -> None:
    """There is nothing to check, also where a shell or an interpreter finds that out: no rule is broken."""
    with pytest.raises(FileNotFoundError) as caught:
        check_application(words)
    assert caught.value.filename == missing


def test_a_program_that_a_shell_may_not_start(tmp_path: Path) -> None:
    """That is an error of the call too."""
    program = tmp_path / "host"
    program.touch(mode=0o644)
    with pytest.raises(PermissionError):
        check_application(["sh", "-c", str(program)])


def test_a_file_that_is_missing_for_another_reason() -> None:
    """A program that is there and fails is checked, whatever it says about the files that it lacks."""
    program = "import sys; sys.exit('cannot read settings.toml')"
    report = check_application([sys.executable, "-c", program, "settings.toml"], patience=0.5, strict=False)
    assert report.broken_rules == (35,)


def test_a_program_that_never_reads() -> None:
    """That is said, and nothing else is asked."""
    report = check_application([sys.executable, "-c", "import time; time.sleep(60)"], patience=0.2, strict=False)
    assert [finding.status for finding in report.findings] == ["fail", *["skip"] * 14]
    assert report.findings[0].detail == "it does not read its input"


def test_a_program_that_reads_no_longer() -> None:
    """So it is said of one that takes what it was asked first, and then no more."""

    async def main() -> str:
        program = "import os, time; os.read(0, 1); time.sleep(60)"
        async with hosts.open_host([sys.executable, "-c", program], patience=0.2, start_seconds=0.5) as host:
            assert not await host.is_well(Manner("silent", "ping"))
            return host.fate()

    assert trio.run(main) == "it is there and does not read its input"


def test_a_program_whose_input_has_ended() -> None:
    """Whether it reads cannot be told any more, and is not said."""

    async def main() -> str:
        program = "import time; time.sleep(60)"
        async with hosts.open_host([sys.executable, "-c", program], patience=0.2, start_seconds=0.1) as host:
            host.write(b"1234")
            host.end_input()
            assert not await host.wait_gone(0.1)
            return host.fate()

    assert trio.run(main) == "it is there and says nothing"


def test_one_cause_is_one_line(tmp_path: Path) -> None:
    """What is wrong whatever is asked is said once, and waited for in full once."""
    began = time.perf_counter()
    report = check_application([*command("once"), str(tmp_path / "marker")], patience=3, strict=False)
    assert len(find(report.findings, "fail")) == 1
    assert report.findings[0].detail == "it is there and says nothing"
    skipped = [finding for finding in report.findings if finding.status == "skip"]
    assert {finding.detail for finding in skipped} == {
        "as in 'the arguments of either browser': it is there and says nothing"
    }
    assert time.perf_counter() - began < 3 * len(skipped)


def test_one_that_never_leaves() -> None:
    """After that was said, what comes before the end of its input is no other finding."""
    report = check_application(command("stays"), rules=[36, 38], strict=False)
    assert [finding.status for finding in report.findings] == ["fail", "skip", "skip", "skip"]


def test_sentences() -> None:
    """There is one for every rule that is checked, from the application's point of view."""
    assert set(wire.SENTENCES) == {rule for rule, *_ in wire.CHECKS}
    with pytest.raises(ApplicationBrokenError, match=re.escape(wire.SENTENCES[13])) as caught:
        check_application(command("null"), rules=[13])
    assert caught.value.report.findings[0].sentence == wire.SENTENCES[13]


def test_an_application_that_ends_inside_a_frame() -> None:
    """What it writes is not all of a frame, and that is said."""
    program = "import sys; sys.stdin.buffer.read(4); sys.stdout.buffer.write(b'1234'[:3])"
    report = check_application([sys.executable, "-c", program], rules=[35], strict=False)
    assert "inside a frame" in report.findings[0].detail


def test_an_application_that_answers_only_at_first(tmp_path: Path) -> None:
    """The end of its input is asked for after a conversation, which it does not hold."""
    report = check_application([*command("once"), str(tmp_path / "marker")], rules=[38], patience=0.5, strict=False)
    assert find(report.findings, "fail") == ["the end of its input"]


def test_an_application_that_answers_junk() -> None:
    """A frame that is no JSON is answered with one that is."""
    assert check_application(command("apologizes"), rules=[36]).ok


def test_a_silent_application_that_cannot_take_everything() -> None:
    """It is silent, and a value ends it."""
    report = check_application(command("shy"), rules=[13], patience=1, strict=False)
    assert report.findings[0].detail.startswith("null is too much: it exited with status 0")


def test_a_word_of_welcome() -> None:
    """An echo may say something before it is spoken to."""
    report = check_application(command("greets"), rules=[35, 12])
    assert report.ok
    assert report.manner == "echo"


@pytest.mark.parametrize(
    ("fault", "found"), [("prints", "'hello, this is my log"), ("mutters", r"hi\\n"), ("lines", r"'\\n'")]
)
def test_what_is_printed(fault: str, found: str) -> None:
    """Whatever is printed, and however little, it is shown, and nothing else is asked."""
    report = check_application(command(fault), rules=[35, 13], patience=2, strict=False)
    assert [finding.status for finding in report.findings] == ["fail", "skip"]
    assert re.search(found, report.findings[0].detail)


def test_one_that_never_stops() -> None:
    """It chatters before it is asked, and after its input has ended."""
    report = check_application(command("chatters"), rules=[38], strict=False)
    assert report.manner == "answers"
    assert find(report.findings, "fail") == ["the end of its input"]


@pytest.mark.parametrize("limit", ["MOST_UNREAD", "MOST_UNREAD_BYTES"])
def test_more_than_anybody_reads(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """What nobody asked for does not fill the memory."""
    monkeypatch.setattr(hosts, limit, 10)

    async def main() -> str:
        async with hosts.open_host(command("chatters"), patience=5, start_seconds=10) as host:
            assert not await host.wait_gone(1)
            return host.fate()

    assert "goes on writing frames that nobody asked for" in trio.run(main)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """What an application has started, and what holds its output, ends with it."""
    children = tmp_path / "children"
    report = check_application([*command("parent"), str(children)], rules=[38])
    assert report.ok
    for child in children.read_text().split():
        with pytest.raises(ProcessLookupError):
            wait_until_gone(int(child))


def wait_until_gone(number: int) -> None:
    """Look for a process until there is none; who is nobody's child any more is buried by the system in a moment."""
    for _ in range(1000):
        if Path(f"/proc/{number}/stat").exists() and ") Z " in Path(f"/proc/{number}/stat").read_text():
            raise ProcessLookupError
        os.kill(number, 0)
        time.sleep(0.01)


@pytest.mark.parametrize(("fault", "status"), [("explains", "pass"), ("gives up", "warn"), ("mute", "fail")])
def test_what_cannot_be_answered(fault: str, status: str) -> None:
    """Rather than send too much it may end, if it says why."""
    report = check_application(command(fault), rules=[34], patience=1, strict=False)
    assert "a message that is too large to be sent back" in find(report.findings, status)


def test_one_frame_at_a_time() -> None:
    """Who loses what comes together with something else can still be asked about values."""
    report = check_application(command("alone"), rules=[33, 13], patience=1, strict=False)
    assert find(report.findings, "fail") == ["frames in every cut"]


def test_output_that_is_closed() -> None:
    """It lives on, without its output."""
    report = check_application(command("closes"), rules=[13], patience=1, strict=False)
    assert report.findings[0].detail.startswith("null is not answered: it is there, and has closed its output")


def test_a_frame_that_is_no_json() -> None:
    """It is shown."""
    report = check_application(command("names"), rules=[13], patience=1, strict=False)
    assert "a frame that is no JSON (NaN is not JSON): NaN" in report.findings[0].detail


def test_an_error_that_says_what_it_was() -> None:
    """Nobody caught it, but it is no riddle."""
    assert check_application(command("says"), rules=[36]).ok


def test_same_json() -> None:
    """Numbers are numbers, and true is none of them."""
    assert same_json({"a": [1, 2.0]}, {"a": [1.0, 2]})
    assert not same_json(True, 1)
    assert not same_json([1], [1, 2])
    assert not same_json({"a": 1}, {"b": 1})
    assert not same_json("1", 1)


def test_answers() -> None:
    """What is no JSON, or no text, is told from what is."""
    assert Answer(b"1").is_json()
    assert not Answer(b"NaN").is_json()
    assert Answer(b"\xff").text() is None
    with pytest.raises(NotAFrameError, match="no JSON"):
        Answer(b"x" * 100).value()
