"""A native application of ours, driven from outside: by hand, as a foreign browser, with every kind of input."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native_support import CHROMIUM_ID, FIREFOX_ID, PACKAGES, encode, open_descriptors
from support import PATIENCE_SECONDS

from trio_ports import Cause, FrameTooLargeError, MalformedMessageError, Port, TruncatedError
from trio_ports._native.started import port as module
from trio_ports._native.started.port import carry_descriptors, for_application, open_native_port
from trio_ports._ports.connection import End
from trio_ports._ports.options import make_options
from trio_ports._protocol.frames import FrameDecoder
from trio_ports._transports import stdio
from trio_ports._transports.carried import open_carried_port
from trio_ports._transports.stdio import Waiting

ENVIRONMENT = {**os.environ, "PYTHONPATH": PACKAGES, "PYTHONWARNINGS": "error"}
START = """
import os, signal, sys, trio
from trio_ports.native import open_native_port
async def main():
    async with open_native_port({options}) as port:
        {body}
trio.run(main)
print("the program goes on", flush=True)
"""
ECHO = "port.on_message.add_listener(lambda m, p: p.post_message(m)); await port.wait_disconnected()"


class Host:
    """A program of ours, and its pipes."""

    def __init__(self, body: str = ECHO, *arguments: str, options: str = "", **kwargs: Any) -> None:
        code = START.format(body=body.replace("\n", "\n        "), options=options)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], env=ENVIRONMENT, bufsize=0, **{**pipes, **kwargs}
        )

    def write(self, *frames: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(map(encode, frames)))

    def read(self) -> Any:
        (size,) = struct.unpack("=I", self.take(4))
        return json.loads(self.take(size))

    def take(self, size: int) -> bytes:
        assert self.process.stdout is not None
        data = b""
        while len(data) < size:
            data += self.process.stdout.read(size - len(data))
        return data

    def finish(self, data: bytes = b"") -> tuple[bytes, str, int]:
        """Write the rest, close, and return what came, what it said on standard error, and how it exited."""
        out, error = self.process.communicate(data, timeout=PATIENCE_SECONDS)
        return out, error.decode(), self.process.returncode


@contextmanager
def host(body: str = ECHO, *arguments: str, **options: Any) -> Iterator[Host]:
    it = Host(body, *arguments, **options)
    try:
        yield it
    finally:
        it.process.kill()
        it.process.wait()
        for pipe in (it.process.stdin, it.process.stdout, it.process.stderr):
            if pipe is not None:
                pipe.close()


def split(data: bytes) -> list[Any]:
    return [json.loads(frame) for frame in FrameDecoder(max_frame_bytes=2**32).receive_data(data)] if data else []


def test_every_json_value_comes_back() -> None:
    """Rules 12, 13 and 33: none of them is an end of file; Firefox's empty frame is None."""
    values = [None, 0, False, "", [], {}, 1.5, "ä😀", {"a": [None]}, "x" * 100_000]
    data = b"".join(map(encode, values)) + encode(b"") + encode(b"\xef\xbb\xbf1") + encode(b'"\\ud800"')
    with host() as it:
        out, error, status = it.finish(data)
        assert split(out) == [*values, None, 1, "\ud800"]
        assert status == 0
        assert "goes on" in error


@pytest.mark.parametrize(
    ("arguments", "name", "fields"),
    [
        (("/somewhere/com.example.app.json", FIREFOX_ID), "com.example.app", {"id": FIREFOX_ID}),
        (
            (f"chrome-extension://{CHROMIUM_ID}/", "--parent-window=0"),
            "",
            {"id": CHROMIUM_ID, "origin": f"chrome-extension://{CHROMIUM_ID}"},
        ),
        ((), "", None),
        (("--verbose",), "", None),
    ],
    ids=["firefox", "chromium", "none", "other"],
)
def test_the_arguments_say_who_started_it(arguments: tuple[str, ...], name: str, fields: Any) -> None:
    """Rule 35: the sender, and the name where the browser tells it."""
    body = "s = port.sender; port.post_message([port.name, s and s.id, s and s.origin])"
    with host(body, *arguments) as it:
        assert it.read() == [name, *((fields.get("id"), fields.get("origin")) if fields else (None, None))]


def test_prints_go_to_standard_error_with_their_place() -> None:
    """From Python, C code and child processes; named once for each line; the messages are not touched."""
    body = (
        "import logging, subprocess\n"
        "logging.basicConfig(stream=sys.stdout)\n"
        "for _ in range(3): print('stray', 1)\n"
        "sys.stdout.buffer.write(b'binary\\n')\n"
        "logging.warning('logged')\n"
        "os.write(1, b'raw\\n'); subprocess.run(['echo', 'child'])\n"
        "port.post_message('whole')"
    )
    with host(body) as it:
        out, error, status = it.finish()
        assert (split(out), status) == (["whole"], 0)
        lines = error.splitlines()
        assert lines[0].startswith("<string>:8: printed to standard output, which carries messages")
        assert lines[1:4] == ["stray 1"] * 3
        assert lines[4].startswith("<string>:9: printed")
        assert lines[5] == "binary"
        assert lines[6].startswith("<string>:10: printed")
        assert [lines[7].rpartition(":")[2], *lines[8:]] == ["logged", "raw", "child", "the program goes on"]


def test_a_replaced_standard_output_is_left_alone() -> None:
    """Who redirects `sys.stdout` inside the block finds it as they left it."""
    body = "import io; sys.stdout = mine = io.StringIO(); print('kept')\nport.post_message(mine.getvalue())"
    with host(body) as it:
        out, error, status = it.finish()
        assert (split(out), error, status) == (["kept\n"], "", 0)


def test_a_closed_standard_output_object_is_no_obstacle() -> None:
    """A program without `sys.stdout`, or with a closed one, is a native application all the same."""
    code = START.format(body="port.post_message(1)", options="").replace("trio.run", "sys.stdout = None; trio.run")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=ENVIRONMENT, input=b"")
    assert split(run.stdout) == [1]


def test_what_was_posted_is_flushed_at_the_end() -> None:
    """Posting and leaving at once loses nothing, however much it is."""
    with host("for n in range(900): port.post_message([n, 'x' * 1000])") as it:
        out, _, status = it.finish()
        assert [number for number, _ in split(out)] == list(range(900))
        assert status == 0


def test_end_of_file_ends_the_conversation_at_once() -> None:
    """Rule 38: an application must leave within two seconds; everything that came before is delivered."""
    with host("port.post_message([m async for m in port]); await port.wait_disconnected()", options="") as it:
        out, error, status = it.finish(encode(1) + encode(2))
        assert status == 0
        assert (out, error) == (b"", "the program goes on\n")
    with host("got = [m async for m in port]; print(got, port.error, port.statistics().state)") as it:
        _, error, status = it.finish(encode(1) + encode(2))
        assert "[1, 2] None ended" in error
        assert status == 0


@pytest.mark.parametrize("body", ["await trio.sleep_forever()", ECHO], ids=["sleeping", "listening"])
def test_sigterm_is_an_orderly_end(body: str) -> None:
    """The block is cancelled, what was posted is flushed, and the program goes on behind the block."""
    with host(f"port.post_message('ready'); port.post_message('x' * 300_000)\n{body}") as it:
        assert it.read() == "ready"
        it.process.send_signal(signal.SIGTERM)
        out, error, status = it.finish()
        assert len(out) == 300_006
        assert status == 0
        assert error == "the program goes on\n"


def test_sigterm_means_what_it_did_before_once_the_block_is_over() -> None:
    """The handler goes with the block."""
    code = START.format(body="pass", options="").replace("trio.run", "was = signal.getsignal(15); trio.run")
    code += "\nassert signal.getsignal(signal.SIGTERM) is was"
    subprocess.run([sys.executable, "-c", code], input=b"", check=True, capture_output=True, env=ENVIRONMENT)


@pytest.mark.parametrize(
    ("data", "printed"),
    [
        (encode(b"{bad}"), "malformed"),
        (encode(b"1 2"), "malformed"),
        (encode(b'"\xff"'), "malformed"),
        (struct.pack("=I", 2**26 + 1), "too-large"),
        (b"GET / HTTP/1.1\r\n", "too-large"),
        (encode(1)[:3], "truncated"),
        (encode("long")[:-2], "truncated"),
    ],
)
def test_nonsense_from_the_browser_is_an_error(data: bytes, printed: str) -> None:
    """Rule 36: as in trio's column; what came before is delivered."""
    body = "port.on_message.add_listener(lambda m, p: print('got', m))\nawait port.wait_disconnected()\n"
    with host(body + "print(port.error.cause.value)") as it:
        _, error, status = it.finish(encode("first") + data)
        assert "got first\n" in error
        assert f"\n{printed}\n" in error
        assert status == 0


def test_what_a_browser_would_not_accept_is_refused_at_the_call() -> None:
    """Rule 34: 1 MiB passes, one byte more raises on the sender's line; both limits can be moved."""
    body = (
        "port.post_message('x' * 1048574)\n"
        "try: port.post_message('x' * 1048575)\n"
        "except Exception as error: port.post_message([type(error).__name__, error.size, error.limit])"
    )
    with host(body) as it:
        assert it.read() == "x" * 1048574
        assert it.read() == ["MessageTooLargeError", 1048577, 1048576]
    with host(options="max_message_bytes=10, max_incoming_bytes=20, max_buffer_size=1") as it:
        it.write("12345678")
        assert it.read() == "12345678"
        _, error, status = it.finish(struct.pack("=I", 21))
        assert status == 0, error


def test_in_a_terminal_it_says_how_to_try_it() -> None:
    """Instead of hanging on a keyboard; the exit status says that nothing was done."""
    controller, terminal = os.openpty()
    try:
        with host(stdin=terminal) as it:
            _, error = it.process.communicate(timeout=PATIENCE_SECONDS)
            assert b"is a native application" in error
            assert b"connect_native" in error
            assert it.process.returncode == 1
    finally:
        os.close(controller)
        os.close(terminal)


@pytest.mark.parametrize("kind", ["socket", "files", "null"])
def test_standard_input_and_output_of_every_kind(kind: str, tmp_path: Path) -> None:
    """Sockets, files and the null device work as pipes do, and keep their flags."""
    if kind == "socket":
        ours, theirs = socket.socketpair()
        with host(stdin=theirs, stdout=theirs) as it, ours:
            ours.sendall(encode("x" * 300_000) + encode(2))
            ours.shutdown(socket.SHUT_WR)
            data = b""
            while len(data) < 300_011 and (piece := ours.recv(100_000)):
                data += piece
            assert split(data) == ["x" * 300_000, 2]
            assert it.process.wait(60) == 0
            assert os.get_blocking(theirs.fileno())
        theirs.close()
    elif kind == "files":
        (tmp_path / "in").write_bytes(encode(1) + encode("x" * 300_000))
        files = (tmp_path / "in").open("rb"), (tmp_path / "out").open("wb")
        with files[0] as stdin, files[1] as stdout, host(stdin=stdin, stdout=stdout) as it:
            assert it.process.wait(60) == 0
        assert split((tmp_path / "out").read_bytes()) == [1, "x" * 300_000]
    else:
        with host("port.post_message(1); " + ECHO, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as it:
            assert it.process.wait(60) == 0


def test_a_browser_that_goes_without_a_word() -> None:
    """Chromium closes both pipes: what it had written is delivered, the end is orderly, and nothing is raised."""
    body = "got = [m async for m in port if not port.post_message('x' * 100_000)]\nprint(len(got), port.error)"
    with host(body) as it:
        assert it.process.stdin is not None
        assert it.process.stdout is not None
        it.process.stdout.close()
        it.process.stdin.write(encode(1) * 20)
        it.process.stdin.close()
        assert it.process.stderr is not None
        error = b"".join(it.process.stderr).decode()
        assert "20 None" in error
        assert it.process.wait(60) == 0


def test_a_browser_that_reads_no_more_is_leaving() -> None:
    """Only its reading end is closed: the application is told an orderly end soon after its next message."""
    with host("port.post_message(1)\nawait port.wait_disconnected()\nprint('end', port.error)") as it:
        assert it.process.stdout is not None
        assert it.process.stderr is not None
        it.process.stdout.close()
        assert b"end None" in b"".join(it.process.stderr)
        assert it.process.wait(60) == 0


LOOP = "async for m in port:\n    await trio.to_thread.run_sync(int)\n    await port.send(m)"
LISTENER = (
    "@port.on_message.add_listener\nasync def answer(m, p):\n    await trio.to_thread.run_sync(int)\n"
    "    p.post_message(m)\nawait port.wait_disconnected()"
)


@pytest.mark.parametrize("body", [LOOP, LISTENER], ids=["loop", "listener"])
def test_the_answer_to_the_last_question_is_written(body: str) -> None:
    """A client that closes its end after its questions gets all answers, although giving one takes a turn or two."""
    with host(body) as it:
        out, error, status = it.finish(encode(1) + encode(2) + encode(3))
        assert (split(out), status) == ([1, 2, 3], 0), error


def test_sigterm_ends_what_is_done_after_the_end_of_file() -> None:
    """Firefox closes, waits, and sends SIGTERM: the block is cancelled, and its cleanup runs."""
    body = (
        "await port.wait_disconnected()\ntry:\n    os.write(2, b'waiting\\n')\n    await trio.sleep_forever()\n"
        "finally:\n    os.write(2, b'cleanup\\n')"
    )
    with host(body) as it:
        assert it.process.stdin is not None
        assert it.process.stderr is not None
        it.process.stdin.close()
        assert it.process.stderr.readline() == b"waiting\n"
        it.process.send_signal(signal.SIGTERM)
        assert it.process.stderr.read().startswith(b"cleanup\n")
        assert it.process.wait(60) == 0


FORKED = """
import multiprocessing
worker = multiprocessing.get_context("fork").Process(target=signal.pause)
worker.start()
port.post_message(worker.pid)
await port.wait_disconnected()
os._exit(0)
"""


FLOODS = {
    "print": "print('x' * 100_000)",
    "standard error": "print('x' * 100_000, file=sys.stderr)",
    "a logger": "logging.error('x' * 100_000)",
    "a child": "subprocess.run([sys.executable, '-c', 'print(100_000 * chr(120))'])",
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_standard_error_that_nobody_reads_stops_nothing(flood: str) -> None:
    """What it does not take is lost: the program answers and ends, also with a last word after the block."""
    body = (
        f"import logging, subprocess\nlogging.basicConfig()\n{flood}\n"
        f"async for m in port:\n    for _ in range(5): {flood}\n    await port.send(m)\n"
        "print('x' * 100_000, file=sys.stderr)"
    )
    with host(body) as it:
        it.write(1)
        assert it.read() == 1
        assert it.process.stdin is not None
        it.process.stdin.close()
        assert it.process.wait(60) == 0


def test_a_forked_child_does_not_keep_the_browsers_pipes() -> None:
    """The browser sees the end although a worker lives on; and the worker is not deaf to SIGTERM."""
    with host(FORKED) as it:
        worker = it.read()
        assert it.process.stdin is not None
        assert it.process.stdout is not None
        assert it.process.stderr is not None
        it.process.stdin.close()
        assert it.process.stdout.read() == b""
        assert it.process.wait(60) == 0
        os.kill(worker, signal.SIGTERM)
        assert it.process.stderr.read() == b""  # Now nobody has it any more.


def test_a_browser_that_dies_while_nobody_takes_its_messages() -> None:
    """Its end of file lies behind them: that it reads no more is noticed all the same."""
    with host("await port.wait_disconnected()", options="max_buffer_size=1") as it:
        assert it.process.stdin is not None
        assert it.process.stdout is not None
        it.write(*["x" * 1000] * 50)
        it.process.stdin.close()
        it.process.stdout.close()
        assert it.process.wait(60) == 0


def test_standard_input_and_output_are_taken_once() -> None:
    """A second port would hear nothing, and be heard by nobody."""
    body = "async with open_native_port():\n    pass"
    with host(body) as it:
        _, error, status = it.finish()
        assert status == 1
        assert error.rstrip().endswith(
            "RuntimeError: this process's standard input and output belong to another port, or did"
        )


@pytest.mark.parametrize("closed", [0, 1])
def test_a_standard_descriptor_that_is_closed_from_the_start(closed: int) -> None:
    """Something else has its number when the port is opened, and is left alone."""
    with host(preexec_fn=lambda: os.close(closed)) as it:
        _, error, status = it.finish()
        assert status == 1
        assert "standard input or output is closed" in error


def test_without_standard_error_prints_go_nowhere() -> None:
    """Its number belongs to something else, Trio's own poll for one."""
    with host(f"print('hello')\n{ECHO}", preexec_fn=lambda: os.close(2)) as it:
        out, _, status = it.finish(encode(1))
        assert (split(out), status) == ([1], 0)


def test_a_crash_leaves_as_it_is() -> None:
    """The block's own exception is the program's traceback, not in a group; what was posted is flushed."""
    with host("port.post_message(1)\nraise ZeroDivisionError") as it:
        out, error, status = it.finish()
        assert (split(out), status) == ([1], 1)
        assert "ZeroDivisionError" in error
        assert "ExceptionGroup" not in error


def test_the_start_path_is_light() -> None:
    """What a native application does not need is not imported when it starts."""
    code = "import sys, trio_ports.native as n; n.open_native_port; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, env=ENVIRONMENT)
    modules = set(run.stdout.split())
    assert "trio_ports._native.started.port" in modules
    heavy = {"click", "rich", "hypothesis", "asyncio", "pytest", "platformdirs"}
    ours = {f"trio_ports._native.{name}" for name in ("clients", "applications", "finding", "installing")}
    ours |= {"trio_ports._browser.browser", "trio_ports._transports.processes", "trio_ports._protocol.manifests"}
    assert modules & (heavy | ours) == set()


# The same, inside this process ------------------------------------------------------------------------------------


@contextmanager
def pipes() -> Iterator[tuple[int, int, int, int]]:
    """Two pipes, as an application sees them, and as its browser does: in, out, and their other ends."""
    before = open_descriptors()
    incoming, browser_writes = os.pipe()
    browser_reads, outgoing = os.pipe()
    descriptors = [incoming, outgoing, browser_writes, browser_reads]
    yield incoming, outgoing, browser_writes, browser_reads
    for fd in descriptors:
        with suppress(OSError):
            os.close(fd)
    assert open_descriptors() <= before


async def echo(incoming: int, outgoing: int) -> Any:
    """Run an echoing application over two descriptors, and return why it ended."""
    options = for_application(make_options(dialect="trio"))

    async def carry(end: End) -> None:
        await carry_descriptors(end, incoming, outgoing, FrameDecoder(max_frame_bytes=10_000))

    async with open_carried_port(carry, options, options.decoder(Any)) as port:
        port.on_message.add_listener(lambda m, p: p.post_message(m))
        await port.wait_disconnected()
        return port.error


@pytest.mark.parametrize("way", [Waiting.POLL, Waiting.THREAD])
async def test_both_ways_of_waiting_behave_alike(way: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads that Windows needs carry the same frames, and leave flags alone."""
    monkeypatch.setattr(module, "way_of", lambda fd: way)
    with pipes() as (incoming, outgoing, writing, reading):
        os.write(writing, encode({"a": 1}) + encode(b"") + encode("x" * 5000))
        os.close(writing)
        assert await echo(incoming, outgoing) is None
        assert split(os.read(reading, 100_000)) == [{"a": 1}, None, "x" * 5000]
        assert os.get_blocking(incoming)
        assert os.get_blocking(outgoing)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=12) | st.builds(encode, st.integers() | st.text()), max_size=8))
def test_fuzzed(pieces: list[bytes]) -> None:
    """Whatever the browser sends: the echo of every whole message up to the nonsense, and one of three errors."""
    data = b"".join(pieces)

    async def main() -> Any:
        with pipes() as (incoming, outgoing, writing, reading):
            os.write(writing, data)
            os.close(writing)
            error = await echo(incoming, outgoing)
            os.close(outgoing)
            return error, split(os.read(reading, 100_000))

    error, answers = trio.run(main)
    assert error is None or type(error) in (TruncatedError, FrameTooLargeError, MalformedMessageError)
    rest, expected = data, []
    while len(rest) >= 4 and len(rest) >= 4 + (size := struct.unpack_from("=I", rest)[0]):
        try:
            expected.append(json.loads(rest[4 : 4 + size]) if size else None)
        except ValueError:
            assert error is not None
            break
        rest = rest[4 + size :]
    assert answers == json.loads(json.dumps(expected))[: len(answers)]
    if error is None:
        assert answers == expected


async def test_a_broken_pipe_in_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading fails: the wire broke, and the port says so."""
    monkeypatch.setattr(module, "way_of", lambda fd: Waiting.NEVER)
    with pipes() as (_, outgoing, writing, _reading):
        error = await echo(writing, outgoing)
        assert error.cause is Cause.WIRE_BROKEN


async def test_outside_the_main_thread_there_are_no_signals() -> None:
    """Trio may run in any thread; SIGTERM then stays what it was."""

    async def main() -> None:
        with module._signals() as signals:
            assert signals is None
            await module._cancel_at_signal(signals, trio.CancelScope())

    before = signal.getsignal(signal.SIGTERM)
    await trio.to_thread.run_sync(trio.run, main)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_type_that_cannot_be_is_refused_before_anything_is_touched() -> None:
    """What the program prints afterwards is on standard output, and nowhere else."""
    code = (
        "import trio; from trio_ports.native import open_native_port\n"
        "async def main():\n"
        "    try:\n"
        "        await open_native_port(message_type=3).__aenter__()\n"
        "    except TypeError:\n"
        "        print('still mine')\n"
        "trio.run(main)\n"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert (run.stdout, run.stderr) == (b"still mine\n", b"")


async def test_wrong_arguments_are_refused_before_anything_is_touched() -> None:
    """Standard input and output stay as they are."""
    for options in ({"max_incoming_bytes": 0}, {"max_buffer_size": 0}, {"max_message_bytes": -1}):
        with pytest.raises(ValueError, match="must be at least 1"):
            async with open_native_port(**options):  # type: ignore[arg-type]
                pass
    assert isinstance(Port, type)
    assert stdio.way_of(0) is not None
