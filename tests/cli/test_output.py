"""Standard output in all its states."""

import errno
import io
import sys

import pytest
from rich.text import Text

from trio_ports.cli.output import Output


class Terminal(io.TextIOWrapper):
    """A terminal."""

    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    """A pipe whose reader has gone."""

    def flush(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def open_terminal(monkeypatch: pytest.MonkeyPatch, columns: int, encoding: str = "utf-8", **environment: str) -> Output:
    for name, value in {"TERM": "xterm-256color", "COLUMNS": str(columns), **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Terminal(io.BytesIO(), encoding=encoding, newline="\n"))
    return Output()


def written() -> str:
    return sys.stdout.buffer.getvalue().decode(sys.stdout.encoding)  # type: ignore[attr-defined]


def test_pipe_gets_whole_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe a line is a line, however long, and there are no colours."""
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    output = Output()
    output.write_text(Text("word " * 100, style="red"))
    output.write_text(Text("next [not markup] :smile:"))
    assert pipe.getvalue().splitlines() == ["word " * 100, "next [not markup] :smile:"]
    assert not output.is_terminal


def test_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long line is broken between words, and goes on indented."""
    output = open_terminal(monkeypatch, 30)
    output.write_text(Text("   one two three four five six seven eight nine ten"))
    assert output.width == 30
    assert written().splitlines() == ["   one two three four five six", "      seven eight nine ten"]


def test_narrower_than_anybody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal of a few characters the terminal itself may break the lines."""
    assert open_terminal(monkeypatch, 3).width == 20


def test_colours_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colours."""
    open_terminal(monkeypatch, 80).write_text(Text("red", style="red"))
    assert written() == "\x1b[31mred\x1b[0m\n"


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless somebody wants none."""
    open_terminal(monkeypatch, 80, NO_COLOR="1").write_text(Text("red", style="red"))
    assert written() == "red\n"


def test_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a terminal that knows no colours."""
    open_terminal(monkeypatch, 80, TERM="dumb").write_text(Text("red", style="bold red"))
    assert written() == "red\n"


def test_other_encodings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is not UTF-8 gets plain signs, and escapes for what cannot be replaced."""
    output = open_terminal(monkeypatch, 80, "ascii")
    assert output.either("→", "->") == "->"
    assert output.either("-", "minus") == "-"
    output.write_text(Text("Grüße"))
    assert written() == "Gr\\xfc\\xdfe\n"


def test_reader_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing never raises: the loss is told once, and nothing is written any more."""
    stream = Broken()
    monkeypatch.setattr(sys, "stdout", stream)
    output = Output()
    losses: list[object] = []
    output.on_lost = lambda: losses.append(output.error)
    output.write("one")
    output.write_text(Text("two"))
    assert losses == [output.error]
    assert isinstance(output.error, BrokenPipeError)
    assert stream.getvalue() == "one"
    output.abandon()  # Nothing to abandon: this stream has no descriptor.


def test_no_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that was started without a standard output writes nowhere."""
    monkeypatch.setattr(sys, "stdout", None)
    output = Output()
    output.write("something")
    assert output.error is None
