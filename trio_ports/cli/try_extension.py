"""`trio-ports try --extension`: one's own extension and application, talking in throw-away browsers."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import attrs
import click
import trio
from rich.highlighter import JSONHighlighter
from rich.text import Text

from .._laboratory.browsers.errors import BrowserCommandError, BrowserGoneError
from .._laboratory.browsers.find import BrowserKind
from .._laboratory.browsers.process import Browser
from .._laboratory.console import ConsoleLine
from .._laboratory.trial import Report, Subject, open_trial
from .._native.installing.command import check_words
from .._protocol.errors import MalformedMessageError, ManifestError, RemoteProtocolError
from .._protocol.frames import FROM_APPLICATION_BYTES, TO_APPLICATION_BYTES, FrameDecoder
from .._protocol.manifests import is_application_name
from .._transports.processes import LastLines
from .application import absolute_words, find_application
from .extension_id import MANIFEST, ids_of
from .output import Output

LOOK_SECONDS: Final = 0.5
"""How often files are looked at for changes."""
FIRST_SECONDS: Final = 20.0
"""How long, without a window, the extension may take until it connects."""
QUIET_SECONDS: Final = 3.0
"""How long, without a window, nothing may be said until the conversation counts as over."""
SHOWN_LETTERS: Final = 2000
SCRIPTS: Final = (".js", ".mjs", ".cjs", ".html")
CALL: Final = re.compile(r"""\b(?:connectNative|sendNativeMessage)\(\s*(["'`])([\w.]+)\1""")
PERMISSIONS: Final = ("permissions", "optional_permissions")


# What is tried ------------------------------------------------------------------------------------------------------


def find_subjects(
    extension: Path, app: str, name: str | None, kinds: Sequence[BrowserKind]
) -> dict[BrowserKind, Subject]:
    """Return what is tried in each browser.

    Args:
        extension: the extension's folder.
        app: an application's name, the path of a manifest, or a command, as in a shell.
        name: what the extension calls the application; found out unless given.
        kinds: the browsers.

    Raises:
        click.UsageError: the application or the extension cannot be tried.
    """
    found, command = _find_command(app)
    folder = extension.resolve()
    if not (folder / MANIFEST).is_file():
        raise click.UsageError(f"{folder} is not an extension: it has no {MANIFEST}")
    ids = ids_of(str(folder))
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    if not any("nativeMessaging" in manifest.get(field, []) for field in PERMISSIONS):
        raise click.UsageError(
            f'{folder / MANIFEST} does not ask for the permission: "permissions": ["nativeMessaging"]'
        )
    name = name or found or _called_by(folder)
    for kind in kinds:
        if not is_application_name(name, kind):
            raise click.UsageError(f"{name!r} cannot be the name of a native application in {kind}")
        if kind not in ids:
            wanted = '"browser_specific_settings": {"gecko": {"id": "notes@example.org"}}'
            raise click.UsageError(f"Firefox starts applications only for an extension with an id of its own: {wanted}")
    return {kind: Subject(folder, ids[kind], name, command) for kind in kinds}


def _find_command(app: str) -> tuple[str | None, Sequence[str]]:
    """Return the application's name, if it has one, and the words that start it, the first of them absolute."""
    try:
        words = shlex.split(app)
    except ValueError as error:
        raise click.UsageError(f"--app {app}: {error}") from error
    if not words:
        raise click.UsageError("--app is empty")
    application = find_application(words)
    if application.command:
        command = absolute_words(application.command)
        try:
            check_words(command, windows=False)
        except ManifestError as error:
            raise click.UsageError(f"--app {app}: {error}") from error
        return None, command
    problems: list[str] = []
    for manifest in application.manifests:
        try:
            return application.name, [manifest.read().path]
        except (ManifestError, OSError) as error:
            problems.append(str(error))
    raise click.UsageError(f"no browser would accept the manifest of {application.name}: {problems[0]}")


def _called_by(folder: Path) -> str:
    """Return the name of the application that the extension's scripts call; UsageError unless it is exactly one."""
    scripts = [file for file in sorted(folder.rglob("*")) if file.suffix in SCRIPTS and file.is_file()]
    calls = [
        match[2] for file in scripts for match in CALL.finditer(file.read_text(encoding="utf-8", errors="replace"))
    ]
    names = sorted({*calls})
    if len(names) != 1:
        found = f"the scripts call {', '.join(names)}" if names else "no script calls connectNative with a plain name"
        raise click.UsageError(f"{found}: give the application's name with --name")
    return names[0]


# What is shown ------------------------------------------------------------------------------------------------------


@final
@attrs.define(eq=False)
class Connection:
    """One connection of the extension to the application, with what is not a whole message or line yet."""

    asked: FrameDecoder
    answered: FrameDecoder
    stderr: LastLines


@final
class Teller:
    """Shows what is said in one browser."""

    def __init__(self, kind: BrowserKind, output: Output, *, as_json: bool, ends: bool) -> None:
        self._kind: BrowserKind = kind
        self._output = output
        self._as_json = as_json
        self._ends = ends
        self._connections: dict[int, Connection] = {}
        self._highlight = JSONHighlighter()
        self._arrows = {"asked": output.either("→", "->"), "answered": output.either("←", "<-")}
        self._began = trio.current_time()
        self.answered: bool = False
        """Whether the application has said anything."""
        self.scope: trio.CancelScope = trio.CancelScope()
        """Cancelled when nothing more is expected, if that is to end it."""

    def note_activity(self) -> None:
        """Wait for what comes next, if `scope` is to end it."""
        if self._ends:
            self.scope.deadline = trio.current_time() + (QUIET_SECONDS if self.answered else FIRST_SECONDS)

    def receive(self, number: int, report: Report) -> None:
        """Take what a tap reports."""
        match report.event:
            case "started":
                self._connections[number] = Connection(
                    FrameDecoder(max_frame_bytes=TO_APPLICATION_BYTES[self._kind]),
                    FrameDecoder(max_frame_bytes=FROM_APPLICATION_BYTES),
                    LastLines(partial(self._tell_stderr, number)),
                )
                self.tell("started", f"The browser has started the application, process {report.pid}.", number)
            case "asked" | "answered":
                self._receive_data(number, report.event, report.data)
            case "stderr":
                self._connections[number].stderr.receive_data(report.data)
            case "exited":
                self._connections[number].stderr.receive_data(b"")
                how = f"with status {report.status}" if report.status >= 0 else f"by signal {-report.status}"
                self.tell("exited", f"The application has ended, {how}.", number, bad=report.status > 0)
            case _:
                self.tell(report.event, report.text, number, bad=True)
        self.note_activity()

    def show_console(self, line: ConsoleLine) -> None:
        """Show what the extension writes to its console."""
        fields = {"text": line.text, "place": line.place, "is_error": line.is_error}
        text = "\n        ".join(line.text.splitlines())
        said = Text.assemble(("console ", "yellow"), (text, "red" if line.is_error else ""))
        self._show("console", fields, said.append(f"  {line.place}" if line.place else "", "dim"))

    def tell(self, event: str, text: str, number: int | None = None, *, bad: bool = False) -> None:
        """Show a sentence."""
        self._show(event, {"text": text}, Text(text, "bold red" if bad else "dim"), number)

    def _tell_stderr(self, number: int, line: str) -> None:
        self._show("stderr", {"text": line}, Text.assemble(("stderr ", "yellow"), line), number)

    def _receive_data(self, number: int, event: str, data: bytes) -> None:
        decoder: FrameDecoder = getattr(self._connections[number], event)
        if decoder.error is not None:
            return
        try:
            for frame in decoder.receive_data(data):
                self._tell_frame(number, event, frame)
            if decoder.error is not None:
                raise decoder.error
        except RemoteProtocolError as error:
            decoder.error = error  # What comes after it is no message any more.
            self.tell("broken", f"The browser ends the connection: {error}", number, bad=True)

    def _tell_frame(self, number: int, event: str, frame: bytes) -> None:
        text = frame.decode("utf-8", "backslashreplace")
        try:
            message = json.loads(frame)
        except ValueError:
            raise MalformedMessageError(f"This is not JSON: {text[:SHOWN_LETTERS]}", raw=frame) from None
        self.answered = self.answered or event == "answered"
        if len(text) > SHOWN_LETTERS:
            text = f"{text[:SHOWN_LETTERS]} … and {len(text) - SHOWN_LETTERS} more characters"
        line = Text.assemble((f"{self._arrows[event]} ", "bold"), (f"{len(frame):>6} B  ", "dim"))
        self._show(event, {"message": message}, line.append_text(self._highlight(text)), number)

    def _show(self, event: str, fields: Mapping[str, Any], line: Text, number: int | None = None) -> None:
        seconds = trio.current_time() - self._began
        if self._as_json:
            plain = {"event": event, "browser": self._kind, "connection": number, **fields}
            self._output.write(json.dumps({**plain, "seconds": round(seconds, 6)}) + "\n")
            return
        head = (f"{self._kind:<8} ", "bold"), (f"{number or '':>2} {seconds:8.3f} ", "dim")
        self._output.write_text(Text.assemble(*head, line))


# How it is tried ----------------------------------------------------------------------------------------------------


@final
@attrs.define
class Outcome:
    """What came of a conversation, as far as it went."""

    complete: bool = False
    """Whether all was said that had to be."""


async def try_subjects(
    subjects: Mapping[BrowserKind, Subject],
    output: Output,
    outcome: Outcome,
    *,
    headless: bool,
    watches: bool,
    as_json: bool,
) -> None:
    """Try the subjects until the browsers are closed, or without a window until nothing more is said.

    The outcome is complete if the application has said something in each browser.
    """
    ends = headless and not watches
    tellers: list[Teller] = []
    async with trio.open_nursery() as nursery:
        for kind, subject in subjects.items():
            tellers.append(Teller(kind, output, as_json=as_json, ends=ends))
            nursery.start_soon(partial(_try, kind, subject, tellers[-1], headless=headless, watches=watches))
    outcome.complete = all(teller.answered for teller in tellers)


async def _try(kind: BrowserKind, subject: Subject, teller: Teller, *, headless: bool, watches: bool) -> None:
    files = files_of(subject)
    try:
        async with open_trial(kind, subject, teller.receive, teller.show_console, headless=headless) as browser:
            teller.tell("opened", f"{browser.name} {browser.version}, with a profile of its own")
            await browser.load_extension(subject.extension)
            teller.note_activity()
            with teller.scope:
                if watches:
                    await reload_on_change(browser, subject, files, teller)
                await trio.sleep_forever()
    except* BrowserGoneError:
        teller.tell("closed", "The browser was closed.")


async def reload_on_change(
    browser: Browser, subject: Subject, files: dict[Path, tuple[int, int]], teller: Teller
) -> None:
    """Load the extension again whenever one of the files has changed, and is as it was a moment ago."""
    loaded = files
    while True:
        await trio.sleep(LOOK_SECONDS)
        before, files = files, files_of(subject)
        if files == loaded or files != before:
            continue
        changed = ", ".join(sorted({file.name for file, _ in files.items() ^ loaded.items()}))
        loaded = files
        try:
            await browser.load_extension(subject.extension)
        except BrowserCommandError as error:
            teller.tell("refused", f"The browser refuses the extension: {error.error}", bad=True)
        else:
            teller.tell("loaded", f"{changed} has changed: the extension was loaded again.")


def files_of(subject: Subject) -> dict[Path, tuple[int, int]]:
    """Return the files of an extension and of the application's command, each with what shows that it has changed."""
    files: dict[Path, tuple[int, int]] = {}
    for file in [*subject.extension.rglob("*"), *map(Path, subject.command)]:
        try:
            stat = file.stat()
        except OSError:
            continue
        if file.is_file():
            files[file] = stat.st_mtime_ns, stat.st_size
    return files
