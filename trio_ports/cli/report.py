"""The forms of the reports of checks: lines for people, JSON, JUnit, and the baseline."""

from __future__ import annotations

import errno
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar
from xml.etree import ElementTree as ET

import attrs
import click
import rich.progress
from rich.console import Console
from rich.text import Text

from .output import Output, printable

Status: TypeAlias = Literal["pass", "warn", "fail", "skip", "expected"]

FORMAT: Final = 1
"""The number of the JSON report's form. It changes only if a field goes or means something else."""
_LESS: Final[dict[Status, str]] = {"expected": "failed as expected", "skip": "skipped"}
STYLES: Final = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim", "expected": "dim"}


class AnyFinding(Protocol):
    """What came of one check, of an application or of ports."""

    @property
    def rule(self) -> int:
        """The rule that it is about."""
        raise NotImplementedError

    @property
    def check(self) -> str:
        """The check's name."""
        raise NotImplementedError

    @property
    def status(self) -> Status:
        """The verdict."""
        raise NotImplementedError

    @property
    def detail(self) -> str:
        """What is wrong, in one line."""
        raise NotImplementedError

    @property
    def cause(self) -> str:
        """What many checks would fail for."""
        raise NotImplementedError

    @property
    def seconds(self) -> float:
        """How long the check took."""
        raise NotImplementedError

    @property
    def grade(self) -> str:
        """How bad it is, in words."""
        raise NotImplementedError

    @property
    def sentence(self) -> str:
        """The rule."""
        raise NotImplementedError


F = TypeVar("F", bound=AnyFinding)


def read_baseline(file: Path, known: Collection[str], *, strict: bool) -> frozenset[str]:
    """Return the names of the checks that a JSON report says have failed.

    Raises:
        click.BadParameter: it is not such a report, or names a check that is not ``known``.
    """
    try:
        findings = json.loads(file.read_bytes())["findings"]
        failed = {each["check"] for each in findings if each["status"] in ("fail", "expected", *["warn"] * strict)}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise click.BadParameter(
            f"{file} is not a report that --json wrote: {error!r}", param_hint="--baseline"
        ) from error
    unknown = failed.difference(known)
    if unknown:
        raise click.BadParameter(f"{file} names no check of --list: {', '.join(unknown)}", param_hint="--baseline")
    return frozenset(failed)


def compare(finding: F, expected: Collection[str], *, strict: bool) -> F:
    """Return a finding in the light of a baseline: what fails as expected, and what passes although it should fail."""
    if finding.check not in expected or finding.status == "skip":
        return finding
    if finding.status == "fail" or (finding.status == "warn" and strict):
        return _with_status(finding, "expected", finding.detail)
    return _with_status(finding, "fail", "it no longer fails: take it out of the baseline")


def _with_status(finding: F, status: Status, detail: str) -> F:
    anything: Any = finding  # The bound of F says nothing about attrs, though every finding is one of its classes.
    evolved: F = attrs.evolve(anything, status=status, detail=detail)
    return evolved


class Stopwatch:
    """When a check began, and how long it has taken."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.started: str = datetime.now(UTC).isoformat(timespec="seconds")

    @property
    def seconds(self) -> float:
        """The time since the beginning."""
        return round(time.perf_counter() - self._began, 3)


def as_plain(stopwatch: Stopwatch, command: Sequence[str], findings: Sequence[Any], **more: Any) -> dict[str, Any]:
    """Return a report as a JSON value; ``findings`` are JSON values too."""
    return {
        "format": FORMAT,
        "versions": {"trio_ports": version("trio_ports"), "python": platform.python_version()},
        "platform": platform.platform(),
        "started": stopwatch.started,
        "seconds": stopwatch.seconds,
        "command": list(command),
        **more,
        "findings": list(findings),
    }


def as_junit(name: str, findings: Sequence[AnyFinding]) -> str:
    """Return a report as the text of a JUnit file; ``name`` is that of the suite."""
    count = Counter(finding.status for finding in findings)
    suite = ET.Element(
        "testsuite",
        name=printable(name),
        tests=str(len(findings)),
        failures=str(count["fail"]),
        skipped=str(count["skip"] + count["expected"]),
        errors="0",
        time=str(round(sum(finding.seconds for finding in findings), 3)),
    )
    for finding in findings:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"rule {finding.rule}",
            name=printable(finding.check),
            time=str(finding.seconds),
        )
        detail = printable(finding.detail)
        if finding.status == "fail":
            ET.SubElement(case, "failure", message=detail).text = finding.sentence
        elif finding.status in ("skip", "expected"):
            ET.SubElement(case, "skipped", message=detail)
        elif finding.status == "warn":
            ET.SubElement(case, "system-out").text = f"warning: {detail}"
    ET.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def line(finding: AnyFinding) -> Text:
    """Return a finding for people."""
    text = Text.assemble(
        (f"{finding.status:<4}", STYLES[finding.status]), f" rule {finding.rule:<3} {printable(finding.check)}"
    )
    if finding.status == "skip" and finding.cause:  # The line of the check that failed has the rest.
        text.append(f": {finding.detail.partition(': ')[0]}")
    elif finding.status != "pass":
        text.append(f": {printable(finding.detail)}")
    return text


def summary(findings: Sequence[AnyFinding], opening: str) -> Text:
    """Return the end of the report for people: the broken rules, and the numbers after an opening sentence."""
    count = Counter(finding.status for finding in findings)
    grades = {finding.status: f" ({finding.grade})" for finding in findings if finding.grade}
    text = Text("\n")
    for broken in dict.fromkeys(
        f"rule {finding.rule}: {finding.sentence}\n" for finding in findings if finding.status == "fail"
    ):
        text.append(broken, "bold")
    text.append(f"{opening} {count['pass']} passed, {count['fail']} failed{grades.get('fail', '')}")
    text.append(f", {count['warn']} warnings{grades.get('warn', '')}")
    text.append("".join(f", {count[status]} {word}" for status, word in _LESS.items() if count[status]) + ".")
    return text


@contextmanager
def progress(total: int) -> Generator[Callable[[int, int, str], None]]:
    """Show a bar on standard error while a check runs, if that is a terminal: a function of done, total and a name."""
    with rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task("Checking", total=total)

        def show(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=name)

        yield show


def require_folder(file: Path | None, option: str) -> None:
    """Raise click.BadParameter if a file is to be written into a folder that is not there."""
    if file is not None and not file.parent.is_dir():
        raise click.BadParameter(f"there is no folder {file.parent}", param_hint=option)


def why_not_started(error: OSError, program: Path) -> str:
    """Return why a program cannot be started, with a hint if the system's message is misleading."""
    if program.is_dir():
        return "It is a folder"
    hint = ""
    if isinstance(error, FileNotFoundError) and program.is_file() and program.parent == Path():
        hint = f" on the PATH (the one in this folder is ./{program})"
    elif isinstance(error, FileNotFoundError) and program.is_file():
        hint = " (the file exists, but the interpreter that its first line names does not)"
    elif isinstance(error, PermissionError):
        hint = " (try chmod +x)"
    elif error.errno == errno.ENOEXEC:
        hint = " (a script needs a first line such as #!/usr/bin/env python3)"
    return f"{error.strerror}{hint}"


def write_list(output: Output, entries: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Write what can be checked: each with its ``rule``, ``check``, ``sentence`` and ``link``."""
    if as_json:
        output.write(json.dumps(entries, ensure_ascii=False, indent=2) + "\n")
        return
    for each in entries:
        sentence = f": {each['sentence']}" if each["sentence"] else ""
        output.write_text(Text(f"rule {each['rule']:<3} {each['check']}{sentence}\n         {each['link']}"))
