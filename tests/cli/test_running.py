"""How a command ends: by itself, by a signal, or because nobody reads it."""

import errno
import io
import signal
import sys

import pytest
import trio

from trio_ports.cli.output import Output
from trio_ports.cli.running import run


class Unwritable(io.StringIO):
    """Output that cannot be written."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def flush(self) -> None:
        raise OSError(self.number, "no room")


@pytest.mark.parametrize("status", [0, 1])
def test_own_status(status: int) -> None:
    """A command that is done has its own status, and the signals are what they were."""
    before = signal.getsignal(signal.SIGINT)

    async def program() -> int:
        return status

    assert run(program, Output()) == status
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif("sys.platform == 'win32'", reason="Windows has other signals")
@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signal(number: str, status: int) -> None:
    """A signal cancels the command, which leaves its scopes in order."""
    left: list[str] = []

    async def program() -> int:
        try:
            signal.raise_signal(signal.Signals[number])
            await trio.sleep_forever()
        finally:
            left.append("in order")
        return 0

    assert run(program, Output()) == status
    assert left == ["in order"]


def test_second_interrupt() -> None:
    """Whoever presses Ctrl-C again, because leaving takes too long, is obeyed at once."""

    async def program() -> int:
        try:
            signal.raise_signal(signal.SIGINT)
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.testing.wait_all_tasks_blocked()
                signal.raise_signal(signal.SIGINT)
                await trio.sleep_forever()
        return 0

    with pytest.RaisesGroup(KeyboardInterrupt, allow_unwrapped=True, flatten_subgroups=True):
        run(program, Output())


@pytest.mark.parametrize("ignored", [True, False])
def test_ignored_signals_stay_ignored(ignored: bool) -> None:
    """`nohup` and shells that start something in the background decide what stops it."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN if ignored else signal.SIG_DFL)
    handled: list[bool] = []

    async def program() -> int:
        handled.append(signal.getsignal(signal.SIGTERM) not in (signal.SIG_IGN, signal.SIG_DFL))
        return 0

    try:
        run(program, Output())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert handled == [not ignored]


@pytest.mark.parametrize(
    ("number", "status", "told"),
    [(errno.EPIPE, 141, ""), (errno.ENOSPC, 1, "trio-ports: cannot write the output: no room\n")],
)
def test_output_is_lost(
    number: int, status: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody reads any more: the command is cancelled. A broken pipe is silent, a full disk is not."""
    monkeypatch.setattr(sys, "stdout", Unwritable(number))
    output = Output()

    async def program() -> int:
        output.write("something")
        await trio.sleep_forever()
        return 0

    assert run(program, output) == status
    assert capsys.readouterr().err == told
