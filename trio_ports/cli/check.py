"""The command `trio-ports check`: check a native application, and write a report for people or programs."""

from __future__ import annotations

import errno
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import attrs
import click
import rich.progress
from rich.console import Console
from rich.text import Text

from ..testing._applications.check import PATIENCE_SECONDS, ApplicationReport, Finding, examine_application
from ..testing._applications.checks import CHECKS
from .output import Output
from .running import run

STYLES: Final = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}
USAGE: Final = 2


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--json", "as_json", is_flag=True, help="Write the report as one JSON value, for programs.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to a JUnit file too.")
@click.option(
    "--patience", type=click.FloatRange(min=0.1), default=PATIENCE_SECONDS, show_default=True, metavar="SECONDS",
    help="How long an answer may take.",
)  # fmt: skip
@click.option(
    "--rule",
    "rules",
    multiple=True,
    type=click.Choice([str(rule) for rule in sorted({check.rule for check in CHECKS})]),
    help="Check this rule only; may be repeated.",
)
@click.option("--strict", is_flag=True, help="Count warnings as failures.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def check(
    *,
    command: tuple[str, ...],
    rules: tuple[str, ...],
    as_json: bool,
    junit: Path | None,
    patience: float,
    strict: bool,
) -> None:
    """Check that a native application talks to a browser by the rules.

    COMMAND starts the application, which may be in any language; a browser's arguments
    are added. An echo, a program that sends back what it gets, can be checked most
    thoroughly. Ends with 0 if nothing failed, with 1 if something did, and with 2 if
    COMMAND cannot be started. Options come before COMMAND; everything after it is passed
    to the application.
    """
    if junit is not None and not junit.parent.is_dir():
        raise click.BadParameter(f"there is no folder {junit.parent}", param_hint="--junit")
    output = Output()
    reports: list[ApplicationReport] = []

    async def program() -> int:
        with rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        ) as progress:
            task = progress.add_task("Checking", total=len(CHECKS))

            def on_finding(finding: Finding, done: int, total: int) -> None:
                progress.update(task, completed=done, total=total, description=finding.check)
                if not as_json:
                    output.write_text(_line(finding))

            try:
                report = await examine_application(
                    command, rules=[int(rule) for rule in rules] or None, patience=patience, on_finding=on_finding
                )
            except OSError as error:
                program = error.filename if error.filename in command else command[0]
                click.echo(f"trio-ports: cannot start {program}: {_why(error, Path(program))}", err=True)
                return USAGE
        reports.append(report)
        if as_json:
            output.write(json.dumps(as_plain(report), ensure_ascii=False, indent=2) + "\n")
        else:
            output.write_text(_summary(report))
        warned = any(finding.status == "warn" for finding in report.findings)
        return 0 if report.ok and not (strict and warned) else 1

    status = run(program, output)
    if junit is not None and reports:
        junit.write_text(as_junit(reports[0]), encoding="utf-8")
    sys.exit(status)


def _why(error: OSError, program: Path) -> str:
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


def as_plain(report: ApplicationReport) -> dict[str, Any]:
    """Return a report as a JSON value."""
    findings = [{"rule": each.rule, "sentence": each.sentence, **attrs.asdict(each)} for each in report.findings]
    return {"command": list(report.command), "manner": report.manner, "ok": report.ok, "findings": findings}


def as_junit(report: ApplicationReport) -> str:
    """Return a report as the text of a JUnit file."""
    count = Counter(finding.status for finding in report.findings)
    suite = ET.Element(
        "testsuite",
        name=f"trio-ports check {' '.join(report.command)}",
        tests=str(len(report.findings)),
        failures=str(count["fail"]),
        skipped=str(count["skip"]),
        errors="0",
        time=str(round(sum(finding.seconds for finding in report.findings), 3)),
    )
    for finding in report.findings:
        case = ET.SubElement(
            suite, "testcase", classname=f"rule {finding.rule}", name=finding.check, time=str(finding.seconds)
        )
        detail = _printable(finding.detail)
        if finding.status == "fail":
            ET.SubElement(case, "failure", message=detail).text = finding.sentence
        elif finding.status == "skip":
            ET.SubElement(case, "skipped", message=detail)
        elif finding.status == "warn":
            ET.SubElement(case, "system-out").text = f"warning: {detail}"
    ET.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _printable(text: str) -> str:
    """Escape the characters that XML or a terminal cannot show."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _line(finding: Finding) -> Text:
    text = Text.assemble(
        (f"{finding.status:<5}", STYLES[finding.status]), f"rule {finding.rule:<3} {_printable(finding.check)}"
    )
    if finding.status in ("warn", "fail"):
        text.append(f": {_printable(finding.detail)}")
    return text


def _summary(report: ApplicationReport) -> Text:
    count = Counter(finding.status for finding in report.findings)
    text = Text("\n")
    for finding in report.findings:
        if finding.status == "fail":
            text.append(f"rule {finding.rule}: {finding.sentence}\n", "bold")
    manner = {"echo": "It is an echo", "answers": "It answers", "silent": "It gives no answer"}[report.manner]
    text.append(f"{manner}. {count['pass']} passed, {count['fail']} failed, {count['warn']} warnings")
    text.append(f", {count['skip']} skipped." if count["skip"] else ".")
    if count["skip"] and report.manner != "echo":
        text.append(" An echo made with the same library could be checked more fully.")
    return text
