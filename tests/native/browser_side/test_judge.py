"""What a port reports about an application that does not start, sends nonsense, or ends: rules 34, 36 and 37."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from native_support import (
    FIREFOX_ID,
    IDS,
    converse,
    encode,
    open_application,
    write_application,
    write_manifest,
    write_program,
)
from support import PATIENCE_SECONDS, each_dialect

from trio_ports import Cause, FrameTooLargeError, MalformedMessageError, NativeApplicationError, TruncatedError
from trio_ports._native.browser_side import start
from trio_ports._native.browser_side.start import run_application, start_application
from trio_ports._ports.connection import open_connection
from trio_ports._protocol.dialects import DIALECTS
from trio_ports._protocol.manifests import NativeManifest

pytestmark = pytest.mark.usefixtures("nothing_left")

ECHO = "while True: send(receive())"


# It does not start --------------------------------------------------------------------------------------------------


def _missing(folder: Path) -> None:
    pass


def _invalid(folder: Path) -> None:
    write_manifest(folder, "relative/path")


def _forbidden(folder: Path) -> None:
    write_manifest(folder, "/bin/true", allowed_extensions=["other@example.org"], allowed_origins=[])


def _no_program(folder: Path) -> None:
    write_manifest(folder, folder / "nothing")


def _not_executable(folder: Path) -> None:
    write_application(folder, ECHO)
    (folder / "app.py").chmod(0o644)


def _no_interpreter(folder: Path) -> None:
    write_manifest(folder, write_program(folder / "app.py", ECHO, interpreter=str(folder / "python9")))


def _carriage_return(folder: Path) -> None:
    program = write_program(folder / "app.py", ECHO)
    program.write_bytes(program.read_bytes().replace(b"\n", b"\r\n").replace(b" -IS\r", b"\r", 1))
    write_manifest(folder, program)


EXITED = "Native host has exited."
ABSENT = "Specified native messaging host not found."
FORBIDDEN = "Access to the specified native messaging host is forbidden."
NO_SUCH = "No such native application app"
UNEXPECTED = "An unexpected error occurred"


@pytest.mark.parametrize(
    ("prepare", "cause", "texts", "mend"),
    [
        (_missing, Cause.MANIFEST_NOT_FOUND, (NO_SUCH, ABSENT), "app.json"),
        (_invalid, Cause.MANIFEST_INVALID, (NO_SUCH, ABSENT), "absolute path"),
        (_forbidden, Cause.NOT_ALLOWED, (NO_SUCH, FORBIDDEN), "allowed_extensions"),
        (_no_program, Cause.PROGRAM_MISSING, (UNEXPECTED, ABSENT), "does not exist"),
        (_not_executable, Cause.NOT_EXECUTABLE, (UNEXPECTED, EXITED), "executed"),
        (_no_interpreter, Cause.INTERPRETER_MISSING, (None, EXITED), "python9"),
        (_carriage_return, Cause.INTERPRETER_MISSING, (None, EXITED), r"\r'"),
    ],
)
async def test_what_cannot_be_started(
    tmp_path: Path, prepare: Any, cause: Cause, texts: tuple[str | None, str], mend: str
) -> None:
    """Rule 37: the port opens, then ends once, with its own cause and the dialect's words, or what to mend."""
    prepare(tmp_path)
    firefox, chrome = texts
    for dialect, text in {"trio": None, "firefox": firefox, "chrome": chrome}.items():
        seen, error = await converse(tmp_path, dialect, "lost")
        assert seen == ["end"]
        if dialect == "firefox" and firefox is None:
            assert error is None
            continue
        assert isinstance(error, NativeApplicationError)
        assert (error.cause, error.application) == (cause, "app")
        assert str(error) == text if text is not None else mend in str(error)


async def test_a_name_that_chromium_refuses_ends_the_port(tmp_path: Path) -> None:
    """Rule 37: `Lab.Upper` is only absent for Firefox, and no name at all for Chromium."""
    async with open_application(tmp_path, "firefox", "Lab.Upper") as (port, _):
        await port.wait_disconnected()
        assert str(port._delivery.error) == "No such native application Lab.Upper"
    async with open_application(tmp_path, "chrome", "Lab.Upper") as (port, _):
        await port.wait_disconnected()
        assert port._delivery.error is not None
        assert (port._delivery.error.cause, str(port._delivery.error)) == (
            Cause.BAD_NAME,
            "Invalid native messaging host name specified.",
        )


async def test_a_script_without_a_first_line_is_not_executable(tmp_path: Path) -> None:
    """The operating system says so, and the error what to mend."""
    program = tmp_path / "app"
    program.write_text("print(1)")
    program.chmod(0o755)
    write_manifest(tmp_path, program)
    _, error = await converse(tmp_path, "trio")
    assert isinstance(error, NativeApplicationError)
    assert error.cause is Cause.NOT_EXECUTABLE
    assert "#!" in str(error)


async def test_a_program_that_cannot_even_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that the operating system refuses to look at counts as missing."""
    manifest = NativeManifest(name="app", description="", path=str(tmp_path / ("x" * 5000)))
    with pytest.raises(NativeApplicationError) as caught:
        await start_application(manifest, FIREFOX_ID, "firefox")
    assert caught.value.cause is Cause.PROGRAM_MISSING

    async def refuse(arguments: object, folder: object, environment: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "nothing")

    monkeypatch.setattr(start, "start_program", refuse)
    with pytest.raises(NativeApplicationError) as caught:
        await start_application(attrs.evolve(manifest, path=str(tmp_path)), FIREFOX_ID, "firefox")
    assert caught.value.cause is Cause.INTERPRETER_MISSING


# What it sends ----------------------------------------------------------------------------------------------------


def _sends(data: bytes) -> str:
    return f"write({data!r}); take(1)"


@pytest.mark.parametrize(
    "data", [b"{bad}", b"", b" ", b"1 2", b"NaN", b"\xff"], ids=["no json", "empty", "space", "two", "nan", "bytes"]
)
async def test_malformed_messages(tmp_path: Path, data: bytes) -> None:
    """Rule 36: what came before is delivered; then Firefox and trio disconnect, and Chromium takes no notice."""
    write_application(tmp_path, f"send(1); write({encode(data)!r}); send(2); receive()")
    seen, error = await converse(tmp_path, "firefox")
    assert (seen, str(error)) == ([1, "end"], UNEXPECTED)
    seen, error = await converse(tmp_path, "trio")
    assert seen == [1, "end"]
    assert isinstance(error, MalformedMessageError)
    assert error.raw == data
    assert f"It has {len(data)} bytes" in str(error)
    seen, error = await converse(tmp_path, "chrome", "go")
    assert seen == [1, 2, "end"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xef\xbb\xbf1", {"trio": [1], "firefox": [1], "chrome": []}),
        (b'"\xff"', {"trio": [], "firefox": ["\ufffd"], "chrome": ["\ufffd"]}),
        (b'"\\ud800"', {"trio": ["\ud800"], "firefox": ["\ud800"], "chrome": ["\ud800"]}),
        (b" null ", {"trio": [None], "firefox": [None], "chrome": [None]}),
    ],
    ids=["bom", "utf-8", "surrogate", "null"],
)
async def test_unusual_messages(tmp_path: Path, data: bytes, expected: dict[str, list[Any]]) -> None:
    """Rules 12, 13 and 36: a byte order mark, bad UTF-8 in a text, a lone surrogate, and null, which is no end."""
    write_application(tmp_path, _sends(encode(data)))
    for dialect, messages in expected.items():
        seen, _ = await converse(tmp_path, dialect, "go")
        assert seen == [*messages, "end"]


@pytest.mark.parametrize("size", [1048577, 2**32 - 1])
async def test_too_large_messages(tmp_path: Path, size: int) -> None:
    """Rules 34 and 36: refused by the length alone, after what came before."""
    write_application(tmp_path, f"send(1); write(struct.pack('=I', {size})); take(1)")
    firefox = f"Native application tried to send a message of {size} bytes, which exceeds the limit of 1048576 bytes."
    chrome = "Error when communicating with the native messaging host."
    for dialect, text in {"trio": firefox, "firefox": firefox, "chrome": chrome}.items():
        seen, error = await converse(tmp_path, dialect)
        assert seen == [1, "end"]
        assert isinstance(error, FrameTooLargeError)
        assert str(error) == text


@each_dialect
async def test_the_largest_message_passes(tmp_path: Path, dialect: str) -> None:
    """Rule 34: 1,048,576 bytes exactly; the limit can be moved."""
    write_application(tmp_path, "send('x' * 1048574)")
    seen, _ = await converse(tmp_path, dialect)
    assert seen == ["x" * 1048574, "end"]
    near, (far,) = open_connection(max_buffer_size=10)
    table = DIALECTS[dialect]
    await run_application(
        far, "app", extension_id=IDS[dialect], dialect=table, manifest_folders=[tmp_path], max_message_bytes=10
    )
    assert isinstance(near.peer_error, FrameTooLargeError)


async def test_a_print_is_named(tmp_path: Path) -> None:
    """Rule 36: in trio the error quotes what was printed into the stream; the browsers' words stay their own."""
    write_application(tmp_path, "print('Loading model...', flush=True); take(1)")
    _, error = await converse(tmp_path, "trio")
    assert isinstance(error, FrameTooLargeError)
    assert error.printed == "Loading model...\n"
    assert "'Loading model...\\n'" in str(error)
    _, error = await converse(tmp_path, "firefox")
    assert "Loading" not in str(error)


# How it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "number"),
    [
        ("sys.exit(0)", 0, None),
        ("sys.exit(3)", 3, None),
        ("os.kill(os.getpid(), 9)", None, signal.SIGKILL),
        ("os.kill(os.getpid(), 50)", None, 50),
    ],
    ids=["0", "3", "killed", "unnamed signal"],
)
async def test_it_ends_by_itself(tmp_path: Path, body: str, status: int | None, number: int | None) -> None:
    """Rule 36: what it wrote is delivered; Firefox gives no error, Chromium always one, trio unless the status is 0."""
    write_application(tmp_path, f"sys.stderr.write('a\\nlast words'); sys.stderr.flush(); send(receive()); {body}")
    seen, error = await converse(tmp_path, "trio", "x")
    assert seen == ["x", "end"]
    if status == 0:
        assert error is None
    else:
        assert isinstance(error, NativeApplicationError)
        assert (error.cause, error.status, error.signal) == (Cause.EXITED, status, number)
        assert error.stderr == ("a", "last words")
        assert "a | last words" in str(error)
        assert ("SIGKILL" in str(error)) == (number == signal.SIGKILL)
    seen, error = await converse(tmp_path, "firefox", "x")
    assert (seen, error) == (["x", "end"], None)
    seen, error = await converse(tmp_path, "chrome", "x")
    assert (seen, str(error)) == (["x", "end"], EXITED)


@each_dialect
async def test_everything_it_wrote_is_delivered_before_the_end(tmp_path: Path, dialect: str) -> None:
    """Rule 36: 100 messages of 20 kB, and an exit at once."""
    write_application(tmp_path, "for n in range(100): send([n, 'x' * 20000])")
    seen, _ = await converse(tmp_path, dialect)
    assert [each if each == "end" else each[0] for each in seen] == [*range(100), "end"]


@pytest.mark.parametrize("status", [0, 1])
async def test_an_end_inside_a_frame(tmp_path: Path, status: int) -> None:
    """Rule 36: truncated in trio, with the exit status behind it; the browsers see a plain end."""
    write_application(tmp_path, f"send(1); write(struct.pack('=I', 9) + b'half'); sys.exit({status})")
    seen, error = await converse(tmp_path, "trio")
    assert seen == [1, "end"]
    assert isinstance(error, TruncatedError)
    assert (error.received, error.expected) == (8, 13)
    assert (error.__cause__ is None) == (status == 0)
    assert (await converse(tmp_path, "firefox"))[1] is None
    assert str((await converse(tmp_path, "chrome"))[1]) == EXITED


async def test_an_end_inside_a_frame_has_its_last_lines(tmp_path: Path) -> None:
    """What it wrote to standard error is on every error that ends a conversation."""
    write_application(tmp_path, "os.write(2, b'because\\n'); write(struct.pack('=I', 9) + b'half')")
    _, error = await converse(tmp_path, "trio")
    assert isinstance(error, TruncatedError)
    assert error.stderr == ("because",)


async def test_it_closes_its_output_and_leaves_when_it_may(tmp_path: Path) -> None:
    """One that waits for the end of its input before it leaves has left in good order."""
    write_application(tmp_path, "send(1); os.close(1); os.read(0, 1)")
    assert await converse(tmp_path, "trio") == ([1, "end"], None)


@pytest.mark.usefixtures("impatient")
async def test_something_that_it_started_keeps_its_pipes(tmp_path: Path) -> None:
    """The application has gone all the same, and that is told."""
    # It leaves when the pipe ends that it has kept.
    write_application(tmp_path, "import subprocess; send(1); subprocess.Popen(['cat']); sys.exit(7)")
    seen, error = await converse(tmp_path, "trio")
    assert seen == [1, "end"]
    assert isinstance(error, NativeApplicationError)
    assert (error.cause, error.status) == (Cause.EXITED, 7)


@pytest.mark.parametrize(("fd", "cause"), [(0, Cause.STDIN_CLOSED), (1, Cause.STDOUT_CLOSED)])
@pytest.mark.usefixtures("impatient")
async def test_it_closes_a_pipe_and_lives_on(tmp_path: Path, fd: int, cause: Cause) -> None:
    """Rule 36: noticed without a write; the error says which pipe."""
    write_application(tmp_path, f"send(1); os.close({fd}); import time; time.sleep(60)")
    seen, error = await converse(tmp_path, "trio")
    assert seen == [1, "end"]
    assert isinstance(error, NativeApplicationError)
    assert error.cause is cause
    assert ("input" in str(error)) == (fd == 0)
    if fd == 1:
        assert (await converse(tmp_path, "firefox"))[1] is None
        assert str((await converse(tmp_path, "chrome"))[1]) == EXITED


@pytest.mark.parametrize(
    ("dialect", "text"),
    [("firefox", None), ("chrome", "Error when communicating with the native messaging host.")],
)
@pytest.mark.usefixtures("impatient")
async def test_browsers_notice_a_closed_standard_input_when_they_write(
    tmp_path: Path, dialect: str, text: str | None
) -> None:
    """Rule 36: until then the port stays open."""
    write_application(tmp_path, "os.close(0); send(1); import time; time.sleep(60)")
    async with open_application(tmp_path, dialect) as (port, witness):
        port.on_message.add_listener(lambda message, port: port.post_message("into nothing"))
        with trio.fail_after(PATIENCE_SECONDS):
            await port.wait_disconnected()
        error = port._delivery.error
    assert witness.seen == [1, "end"]
    assert (None if error is None else str(error)) == text


@pytest.mark.usefixtures("impatient")
async def test_a_child_that_keeps_the_pipes_does_not_keep_us(tmp_path: Path) -> None:
    """The application is gone, a child of it holds its standard error: nothing waits for that."""
    write_application(
        tmp_path,
        "import subprocess; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " stdin=-3, stdout=-3); send(child.pid)",
    )
    seen, error = await converse(tmp_path, "trio")
    os.kill(seen[0], signal.SIGKILL)
    assert seen[1:] == ["end"]
    assert error is None


async def test_standard_error_is_read_all_the_time(tmp_path: Path) -> None:
    """A chatty application never blocks, whatever the length of its lines, and only its last lines are kept."""
    write_application(
        tmp_path,
        "for n in range(3000): print('line', n, 'x' * 200, file=sys.stderr)\n"
        "sys.stderr.write('y' * 500_000); sys.stderr.flush(); send('alive'); receive(); sys.exit(1)",
    )
    seen, error = await converse(tmp_path, "trio", "go")
    assert seen == ["alive", "end"]
    assert isinstance(error, NativeApplicationError)
    assert len(error.stderr) == 20
    assert all(len(line) <= 2000 for line in error.stderr)


async def test_a_fatal_error_of_python_keeps_its_reason(tmp_path: Path) -> None:
    """What it says about its threads after that may be long; the text has the reason all the same."""
    lines = ["before", "Fatal Python error: no room", "Python runtime state: initialized", "", *["  a frame"] * 100]
    for count in (6, 100):
        text = "\n".join(lines[:count])
        write_application(tmp_path, f"print({text!r}, file=sys.stderr)\nsys.exit(1)")
        _, error = await converse(tmp_path, "trio")
        assert isinstance(error, NativeApplicationError)
        assert "Its last lines on standard error: Fatal Python error: no room | " in str(error)
        assert lines[1] in error.stderr
        assert error.stderr[-1] == lines[count - 1]
