"""What an application does when it receives a message, and whether there is an application at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from testing.applications.faults import command

from trio_ports.testing import check_application


def test_a_word_of_welcome() -> None:
    """An echo may write something before the first message."""
    report = check_application(command("greets"), rules=[35, 12])
    assert report.ok
    assert report.manner == "echo"


def test_one_that_never_stops(as_in_a_browser: None) -> None:
    """A program that goes on writing when its input has ended is not an echo, and fails."""
    report = check_application(command("chatters"), rules=[38], strict=False)
    assert report.manner == "answers"
    assert report.broken_rules == (38,)


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
    """A missing program is an error of the call, not a broken rule, even if it is a shell that misses it."""
    with pytest.raises(FileNotFoundError) as caught:
        check_application(words)
    assert caught.value.filename == missing


def test_a_program_that_a_shell_may_not_start(tmp_path: Path) -> None:
    """A program that may not be started is an error of the call too."""
    program = tmp_path / "host"
    program.touch(mode=0o644)
    with pytest.raises(PermissionError):
        check_application(["sh", "-c", str(program)])


def test_a_file_that_is_missing_for_another_reason() -> None:
    """A program that fails because it misses a file is checked, and breaks a rule."""
    program = "import sys; sys.exit('cannot read settings.toml')"
    report = check_application([sys.executable, "-c", program, "settings.toml"], strict=False)
    assert report.broken_rules == (35,)


def test_a_program_that_answers_once_and_leaves() -> None:
    """One that says something else than it was sent and ends is no echo, and is not waited for."""
    program = "import os, struct\nos.read(0, 65536)\nos.write(1, struct.pack('=I', 13) + b'{\"other\": 1} ')\n"
    report = check_application([sys.executable, "-c", program], rules=[13], strict=False)
    assert report.manner == "answers"


def test_a_program_that_prints_when_its_input_has_ended() -> None:
    """A program that writes text instead of frames, and only then, is not taken for a silent one."""
    program = "import sys; sys.stdin.read(); print('read it all')"
    report = check_application([sys.executable, "-c", program], rules=[35, 13], strict=False)
    assert [finding.status for finding in report.findings] == ["fail", "skip"]
    assert report.findings[0].cause == "print"


def test_a_program_that_talks_in_lines() -> None:
    """A program that waits for lines, answers with lines, and says nothing without them, is not silent either."""
    program = "import sys\nfor line in sys.stdin.buffer:\n    if line.endswith(b'\\n'): print('a line', flush=True)\n"
    report = check_application([sys.executable, "-c", program], rules=[35], patience=2, strict=False)
    assert report.findings[0].cause == "print"


def test_a_program_that_answers_something_else_once() -> None:
    """One that leaves at the end of its input is asked on; it need not answer the same message twice."""
    program = (
        "import os, struct\nos.read(0, 99)\nos.write(1, struct.pack('=I', 2) + b'{}')\nwhile os.read(0, 99): pass\n"
    )
    report = check_application([sys.executable, "-c", program], rules=[12], patience=2)
    assert [finding.status for finding in report.findings] == ["skip"]
    assert report.manner == "answers"
