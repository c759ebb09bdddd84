"""The command `trio-ports check`: check a native application, and write a report for people or programs."""

from __future__ import annotations

import errno
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import attrs
import click
import rich.progress
from rich.console import Console
from rich.text import Text

from ..testing._applications.check import PATIENCE_SECONDS, ApplicationReport, Finding, examine_application
from ..testing._applications.checks import CHECKS
from .application import complete_name
from .check_report import as_junit, as_plain, compare, line, list_check, read_baseline, summary
from .check_subject import find_subject
from .output import Output
from .running import run

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
@click.option(
    "--baseline", type=click.Path(dir_okay=False, path_type=Path),
    help="A report that --json wrote: what failed there may fail, and must not pass.",
)  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="List the checks, each with its rule and a link, and end.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_name)
def check(
    *,
    command: tuple[str, ...],
    rules: tuple[str, ...],
    as_json: bool,
    junit: Path | None,
    patience: float,
    strict: bool,
    baseline: Path | None,
    listing: bool,
) -> None:
    """Check that a native application talks to a browser by the rules.

    COMMAND starts the application, which may be in any language; a browser's arguments
    are added. The name of an installed application, or the path of its manifest, will do
    too. An echo, a program that sends back what it gets, can be checked most thoroughly.
    Ends with 0 if nothing failed, with 1 if something did, and with 2 if COMMAND cannot
    be started. Options come before COMMAND; everything after it is passed to the
    application.

    Example: trio-ports check --rule 13 ./my-host
    """
    if listing:
        _write_list(Output(), as_json=as_json)
        return
    if not command:
        raise click.UsageError("Missing argument 'COMMAND...'.")
    if junit is not None and not junit.parent.is_dir():
        raise click.BadParameter(f"there is no folder {junit.parent}", param_hint="--junit")
    expected = frozenset[str]() if baseline is None else read_baseline(baseline, strict=strict)
    subject = find_subject(command)
    output = Output()
    reports: list[ApplicationReport] = []
    started, began = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()

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
                    output.write_text(line(compare(finding, expected, strict=strict)))

            try:
                report = await examine_application(
                    subject.command,
                    rules=[int(rule) for rule in rules] or None,
                    patience=patience,
                    callers=subject.callers,
                    on_finding=on_finding,
                )
            except OSError as error:
                program = error.filename if error.filename in subject.command else subject.command[0]
                click.echo(f"trio-ports: cannot start {program}: {_why(error, Path(program))}", err=True)
                return USAGE
        findings = tuple(compare(finding, expected, strict=strict) for finding in report.findings)
        report = attrs.evolve(report, findings=findings)
        reports.append(report)
        if as_json:
            seconds = time.perf_counter() - began
            plain = as_plain(report, manifest=subject.manifest, started=started, seconds=seconds)
            output.write(json.dumps(plain, ensure_ascii=False, indent=2) + "\n")
        else:
            output.write_text(summary(report))
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


def _write_list(output: Output, *, as_json: bool) -> None:
    entries = [list_check(check) for check in CHECKS]
    if as_json:
        output.write(json.dumps(entries, ensure_ascii=False, indent=2) + "\n")
        return
    for each in entries:
        output.write_text(Text(f"rule {each['rule']:<3} {each['check']}: {each['sentence']}\n         {each['link']}"))
