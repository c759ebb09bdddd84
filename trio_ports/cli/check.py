"""The command `trio-ports check`: check a native application, and write a report for people or programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import attrs
import click
from rich.text import Text

from ..testing._applications.check import PATIENCE_SECONDS, ApplicationReport, Finding, examine_application
from ..testing._applications.checks import CHECKS, RULE_LINKS, Check
from .application import complete_name
from .check_subject import find_subject
from .output import Output
from .report import (
    Stopwatch,
    as_junit,
    as_plain,
    compare,
    line,
    progress,
    read_baseline,
    require_folder,
    summary,
    why_not_started,
    write_list,
)
from .running import run

MANNERS: Final = {
    "echo": "It is an echo.",
    "answers": "It answers.",
    "silent": "It gives no answer that can be read.",
}
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
        write_list(Output(), [_list_check(check) for check in CHECKS], as_json=as_json)
        return
    if not command:
        raise click.UsageError("Missing argument 'COMMAND...'.")
    require_folder(junit, "--junit")
    known = [check.name for check in CHECKS]
    expected = frozenset[str]() if baseline is None else read_baseline(baseline, known, strict=strict)
    subject = find_subject(command)
    output = Output()
    reports: list[ApplicationReport] = []
    stopwatch = Stopwatch()

    async def program() -> int:
        with progress(len(CHECKS)) as show:

            def on_finding(finding: Finding, done: int, total: int) -> None:
                show(done, total, finding.check)
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
                click.echo(f"trio-ports: cannot start {program}: {why_not_started(error, Path(program))}", err=True)
                return USAGE
        findings = tuple(compare(finding, expected, strict=strict) for finding in report.findings)
        report = attrs.evolve(report, findings=findings)
        reports.append(report)
        if as_json:
            plain = _as_plain(report, stopwatch, subject.manifest)
            output.write(json.dumps(plain, ensure_ascii=False, indent=2) + "\n")
        else:
            output.write_text(_summary(report))
        warned = any(finding.status == "warn" for finding in report.findings)
        return 0 if report.ok and not (strict and warned) else 1

    status = run(program, output)
    if junit is not None and reports:
        name = f"trio-ports check {' '.join(reports[0].command)}"
        junit.write_text(as_junit(name, reports[0].findings), encoding="utf-8")
    sys.exit(status)


def _list_check(check: Check) -> dict[str, Any]:
    fields = {"rule": check.rule, "check": check.name, "sentence": check.sentence}
    return {**fields, "needs_echo": check.needs_echo, "link": RULE_LINKS[check.rule]}


def _as_plain(report: ApplicationReport, stopwatch: Stopwatch, manifest: Path | None) -> dict[str, Any]:
    findings = [
        {"rule": each.rule, "sentence": each.sentence, **attrs.asdict(each), "grade": each.grade}
        for each in report.findings
    ]
    named = None if manifest is None else str(manifest)
    return as_plain(stopwatch, report.command, findings, manifest=named, manner=report.manner, ok=report.ok)


def _summary(report: ApplicationReport) -> Text:
    text = summary(report.findings, MANNERS[report.manner])
    if report.manner != "echo" and any(finding.status == "skip" for finding in report.findings):
        text.append(" An echo made with the same library could be checked more fully.")
    return text
