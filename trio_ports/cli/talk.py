"""The command `trio-ports talk`: a conversation with a native application, by hand or from a script."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import IO, Any, Final, final

import click
import trio
from rich.highlighter import JSONHighlighter
from rich.text import Text

from .._native.browser_side.connect import open_application as start_application
from .._ports.observers import Delivered, Disconnected, Observation, Posted
from .._ports.options import make_options
from .._ports.port import Port
from .._protocol.errors import MessageTooLargeError, NativeApplicationError, PortError
from .._protocol.manifests import Family
from .._protocol.messages import refuse_constant
from .._protocol.places import BROWSERS
from .application import complete_name, open_application
from .output import Output
from .raw_bytes import RawBytes, parse_bytes, show_bytes
from .running import run
from .target import Target, choose_target

PROMPT: Final = "> "
PIECE_BYTES: Final = 65536
HELP: Final = """\
A message is JSON, in one line or in several until it is complete. An empty line drops what is not complete.
/disconnect ends the conversation. /raw shows the bytes on the wire, or no longer, and
/raw \\x02\\x00\\x00\\x0042 sends some as they are. /help shows this."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--as", "family", type=click.Choice(["firefox", "chromium"]), help="Start it as this family of browsers does."
)
@click.option("--browser", type=click.Choice(list(BROWSERS)), help="Search the places of this browser.")
@click.option("--extension", metavar="ID", help="The extension that asks; the first that is allowed unless given.")
@click.option("--json-lines", is_flag=True, help="Write only the messages, each as JSON in a line, for programs.")
@click.option(
    "--linger",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the next message once the input has ended.",
)
@click.option(
    "--record", type=click.Path(dir_okay=False, path_type=Path), help="Write what is said to a file too, as JSON lines."
)
@click.argument("name", nargs=-1, required=True, type=click.UNPROCESSED, shell_complete=complete_name)
def talk(
    *,
    name: tuple[str, ...],
    family: Family | None,
    browser: str | None,
    extension: str | None,
    json_lines: bool,
    linger: float,
    record: Path | None,
) -> None:
    """Start a native application as a browser does, and talk to it.

    NAME is an installed application's name, the path of a manifest, or a command with
    its words. What you type is sent, and what the application says is shown. Ends with 0
    if the conversation ended in good order, and with 1 if not. Options come before NAME.

    Example: trio-ports talk com.example.app
    """
    output = Output()
    with contextlib.ExitStack() as stack:
        application = stack.enter_context(open_application(name, browser=browser, extension_id=extension))
        target = choose_target(application, family=family, browser=browser, extension_id=extension)
        try:
            file = None if record is None else stack.enter_context(record.open("w", encoding="utf-8"))
        except OSError as error:
            raise click.BadParameter(f"cannot write {record}: {error.strerror}", param_hint="--record") from error
        by_hand = os.name == "posix" and sys.stdin is not None and sys.stdin.isatty() and output.is_terminal
        if by_hand:
            stack.enter_context(_terminal_restored())
        talking = _Conversation(target, output, file, by_hand=by_hand, json_lines=json_lines, linger=linger)
        status = run(talking.hold, output)
    sys.exit(status)


@final
class _Conversation:
    """One conversation, from the start of the application to its end."""

    def __init__(
        self, target: Target, output: Output, record: IO[str] | None, *, by_hand: bool, json_lines: bool, linger: float
    ) -> None:
        self._target = target
        self._output = output
        self._record = record
        self._json_lines = json_lines
        self._linger = linger
        self._by_hand = by_hand
        self._highlight = JSONHighlighter()
        self._sent, self._got = output.either("→", "->"), output.either("←", "<-")
        self._began: float = 0
        self._lingering = trio.CancelScope()
        """Ends when nothing was said for a while."""
        self._typing = False
        """Whether the prompt is shown, and a line may be half typed."""
        self._raw = RawBytes(self._show_bytes)
        self._partial: str = ""
        """The lines of a message that is not complete."""

    async def hold(self) -> int:
        """Hold the conversation and return the exit status."""
        self._began = trio.current_time()
        self._note_activity()
        target = self._target
        try:
            options = make_options("trio", None, None, None, self._observe)
            async with start_application(
                target.application,
                target.extension_id,
                options,
                options.decoder(Any),
                browser=target.browser,
                manifest_folders=target.manifest_folders,
                on_stderr=self._show_stderr,
                tap=self._raw.tap,
            ) as port:
                port.on_message.add_listener(_ignore)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._send_input, port)
                    await port.wait_disconnected()
                    nursery.cancel_scope.cancel()
        except NativeApplicationError as error:
            click.echo(f"trio-ports: {error}", err=True)
            return 1
        return 0 if port.error is None else 1

    # What is said ----------------------------------------------------------------------------

    async def _send_input(self, port: Port[Any, Any]) -> None:
        """Send what is typed, or comes through a pipe, and disconnect at its end."""
        if self._by_hand:
            self._note(HELP)
        async with contextlib.aclosing(self._lines()) as lines:
            async for line in lines:
                if line.startswith("/") and not self._partial:
                    command, _, rest = line.partition(" ")
                    if command == "/disconnect":
                        port.disconnect()
                        return
                    if command == "/raw":
                        await self._send_raw(port, rest)
                    else:
                        self._note(HELP)
                    continue
                try:
                    messages = self._parse(line)
                except ValueError as error:
                    self._note(f"This is not JSON: {error}")
                    continue
                for message in messages:
                    await self._send(port, message)
        if self._partial:
            self._note(f"This is not complete: {self._partial.strip()}")
        with self._lingering:
            await trio.sleep_forever()
        port.disconnect()

    async def _send(self, port: Port[Any, Any], message: Any) -> None:
        # If the application has ended, that is being shown, and ends this too.
        with contextlib.suppress(trio.BrokenResourceError):
            try:
                await port.send(message)
            except MessageTooLargeError as error:
                self._note(str(error))

    async def _send_raw(self, port: Port[Any, Any], text: str) -> None:
        """Send bytes as they are, after what was posted; without any, show those on the wire, or no longer."""
        if not text:
            self._raw.shows = not self._raw.shows
            self._note(f"The bytes on the wire are {'shown' if self._raw.shows else 'no longer shown'}.")
            return
        try:
            data = parse_bytes(text)
        except ValueError as error:
            self._note(f"These are not bytes: {error}")
            return
        # If the application has ended, that is being shown, and ends this too.
        with contextlib.suppress(trio.BrokenResourceError):
            await self._raw.send_after(lambda: port.statistics().messages_unsent > 0, data)
            self._note_activity()
            self._write_record("raw", text=show_bytes(data))

    async def _lines(self) -> AsyncGenerator[str]:
        """Read lines without their ends, in a thread that may be left behind."""
        rest = bytearray()
        if self._by_hand:
            import readline

            readline.set_pre_input_hook(self._note_prompt)
        while self._by_hand:
            try:
                typed = await trio.to_thread.run_sync(input, PROMPT, abandon_on_cancel=True)
            except EOFError:
                return
            finally:
                self._typing = False
            yield typed
        # Not through sys.stdin: a thread that is left behind would hold its lock, and Python could not exit.
        while data := await trio.to_thread.run_sync(os.read, 0, PIECE_BYTES, abandon_on_cancel=True):
            rest += data
            if b"\n" in data:
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    yield line.decode("utf-8", "replace")
        if rest:
            yield rest.decode("utf-8", "replace")

    def _note_prompt(self) -> None:
        """Note that the prompt stands there. Called in the thread that reads the line."""
        self._typing = True

    def _parse(self, line: str) -> list[Any]:
        """Return a message, once it is complete; raise ValueError if it can never become one."""
        text, self._partial = f"{self._partial}{line}\n", ""
        if not text.strip():
            return []
        try:
            return [json.loads(text, parse_constant=refuse_constant)]
        except json.JSONDecodeError as error:
            complete = error.pos < len(text.rstrip()) and not error.msg.startswith("Unterminated")
            if complete or not line.strip():
                raise
        self._partial = text
        return []

    # What is shown ---------------------------------------------------------------------------

    def _note_activity(self) -> None:
        self._lingering.deadline = trio.current_time() + self._linger

    def _observe(self, observation: Observation) -> None:
        match observation:
            case Posted():
                self._note_activity()
                self._tell("posted", self._sent, observation.frame)
            case Delivered():
                self._note_activity()
                self._tell("delivered", self._got, observation.frame)
            case Disconnected():
                self._tell_end(observation.error, here=observation.here)
            case _:
                pass

    def _tell(self, event: str, arrow: str, frame: bytes) -> None:
        text = frame.decode("utf-8", "backslashreplace")
        self._write_record(event, message=json.loads(frame))
        if self._json_lines:
            if event == "delivered":
                self._output.write(f"{text}\n")
            return
        line = Text.assemble((f"{self._seconds():8.3f} ", "dim"), (arrow, "bold"), (f" {len(frame):>6} B  ", "dim"))
        self._show(line.append_text(self._highlight(text)))

    def _tell_end(self, error: PortError | None, *, here: bool) -> None:
        if self._typing:
            self._output.write("\n")
        self._typing = False
        who = "You have" if here else "The application has"
        reason = f"{who} disconnected." if error is None else str(error)
        self._write_record("disconnected", here=here, error=None if error is None else error.cause.value)
        if self._json_lines:
            if error is not None:
                click.echo(f"trio-ports: {reason}", err=True)
            return
        self._show(Text(reason, "bold red" if error is not None else "bold"))

    def _show_stderr(self, line: str) -> None:
        self._write_record("stderr", text=line)
        if self._json_lines:
            click.echo(line, err=True)
        else:
            self._show(Text.assemble((f"{self._seconds():8.3f} ", "dim"), ("stderr  ", "yellow"), line))

    def _show_bytes(self, sent: bool, data: bytes) -> None:
        self._note(f"{self._seconds():8.3f} {self._sent if sent else self._got} raw {show_bytes(data)}")

    def _note(self, text: str) -> None:
        if self._json_lines:
            click.echo(f"trio-ports: {text}", err=True)
        else:
            self._show(Text(text, "dim"))

    def _show(self, line: Text) -> None:
        """Write a line, and put what is being typed below it."""
        if self._typing:
            self._output.write("\r\x1b[K")
        self._output.write_text(line)
        if self._typing:
            self._output.write(PROMPT + _being_typed())

    def _write_record(self, event: str, **fields: Any) -> None:
        if self._record is not None:
            self._record.write(json.dumps({"seconds": round(self._seconds(), 6), "event": event, **fields}) + "\n")
            self._record.flush()

    def _seconds(self) -> float:
        return trio.current_time() - self._began


@contextlib.contextmanager
def _terminal_restored() -> Generator[None]:
    """Leave the terminal as it was, even if a thread is left behind that waits for a line."""
    import termios

    before = termios.tcgetattr(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _being_typed() -> str:
    """Return what stands in the line that is being typed."""
    import readline

    return readline.get_line_buffer()


def _ignore(message: Any, port: Port[Any, Any]) -> None:
    """Take a message; the observer has shown it."""
