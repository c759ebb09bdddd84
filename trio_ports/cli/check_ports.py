"""The command `trio-ports check-ports`: check the ports of a program in any language, and write a report."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import click

from ..testing._conformance.options import DialectName
from ..testing._conformance.rules import RULES
from ..testing._conformance.subjects.chart import draw_lines
from ..testing._conformance.subjects.process import PATIENCE_SECONDS
from .output import Output
from .ports_page import write_page
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

if TYPE_CHECKING:
    from ..testing._conformance.survey import Plan, PortFinding, SurveyReport

USAGE: Final = 2
PLAYER: Final = Path(__file__).parent.parent / "testing" / "_conformance" / "subjects" / "node" / "player.mjs"
LAST_RULE: Final = 32
"""Later rules are about native applications, but for rule 43."""
FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--node", metavar="MODULE", help="Check what this JavaScript module exports, in Node, instead of COMMAND."
)
@click.option("--browser", type=click.Choice(["firefox", "chromium"]), help="Check a real browser instead of COMMAND.")
@click.option("--dialect", type=click.Choice(["trio", "firefox", "chrome"]), help="Whose rules count.")
@click.option(
    "--rule", "rules", multiple=True, metavar="NUMBER",
    type=click.Choice([str(rule) for rule in RULES if rule <= LAST_RULE or rule == 43]),
    help="Play the stories of this rule only; may be repeated.",
)  # fmt: skip
@click.option("--examples", type=click.IntRange(min=0), default=100, show_default=True, help="Random histories.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Chooses the random histories.")
@click.option(
    "--patience", type=click.FloatRange(min=0.1), default=PATIENCE_SECONDS, show_default=True, metavar="SECONDS",
    help="How long an answer may take.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Count warnings as failures.")
@click.option(
    "--baseline", type=FILE, help="A report that --json wrote: what failed there may fail, and must not pass."
)
@click.option("--json", "as_json", is_flag=True, help="Write the report as one JSON value, for programs.")
@click.option("--junit", type=FILE, help="Write the report to a JUnit file too.")
@click.option("--html", type=FILE, help="Write the report to a page too.")
@click.option(
    "--beside", multiple=True, type=FILE, help="Another subject's JSON report, for the page; may be repeated."
)
@click.option("--list", "listing", is_flag=True, help="List the stories, each with its rule and a link, and end.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def check_ports(
    *,
    command: tuple[str, ...],
    node: str | None,
    browser: str | None,
    dialect: DialectName | None,
    rules: tuple[str, ...],
    examples: int,
    seed: int,
    patience: float,
    listing: bool,
    as_json: bool,
    **files: Any,
) -> None:
    """Check that the ports of a program obey the rules.

    COMMAND starts a subject: a program in any language that has ports and speaks the
    protocol of subjects. Every story is played with it, and random histories. Ends with 0
    if nothing failed, with 1 if something did, and with 2 if COMMAND cannot be started.
    Options come before COMMAND; everything after it is passed to the subject.

    Example: trio-ports check-ports --html report.html python my_subject.py
    """
    survey = _import_survey()
    if listing:
        write_list(Output(), [_list_story(*story) for story in survey.list_stories()], as_json=as_json)
        return
    report = Report(Stopwatch(), Output(), as_json=as_json, **_read_files(**files))
    plan = survey.Plan(dialect=dialect, rules=[int(rule) for rule in rules], examples=examples, number=seed)
    subject = _find_command(command, node, browser)
    status = run(lambda: report.survey(subject, plan, patience), report.output)
    report.write_files()
    sys.exit(status)


@attrs.define(eq=False)
class Report:
    """The report of one subject, in every form that was asked for."""

    stopwatch: Stopwatch
    output: Output
    as_json: bool = attrs.field(kw_only=True)
    strict: bool = attrs.field(kw_only=True)
    expected: Collection[str] = attrs.field(kw_only=True)
    """The names of the stories that may fail."""
    junit: Path | None = attrs.field(kw_only=True)
    html: Path | None = attrs.field(kw_only=True)
    beside: Sequence[Mapping[str, Any]] = attrs.field(kw_only=True)
    done: SurveyReport | None = None

    async def survey(self, command: Sequence[str], plan: Plan, patience: float) -> int:
        """Check the subject, write what comes of it, and return the exit status."""
        with progress(1) as show:

            def on_finding(finding: PortFinding, done: int, total: int) -> None:
                show(done, total, finding.check)
                if not self.as_json:
                    self.output.write_text(line(self._judge(finding)))

            try:
                report: SurveyReport = await _import_survey().survey_subject(
                    command, plan=plan, patience=patience, on_finding=on_finding
                )
            except OSError as error:
                why = why_not_started(error, Path(command[0]))
                click.echo(f"trio-ports: cannot start {command[0]}: {why}", err=True)
                return USAGE
        self.done = attrs.evolve(report, findings=tuple(map(self._judge, report.findings)))
        if self.as_json:
            self.output.write(json.dumps(self._as_plain(self.done), ensure_ascii=False, indent=2) + "\n")
        else:
            self.output.write_text(summary(self.done.findings, _describe_subject(self.done)))
        warned = any(finding.status == "warn" for finding in self.done.findings)
        return 0 if self.done.ok and not (self.strict and warned) else 1

    def write_files(self) -> None:
        """Write the files, if the subject was checked to the end."""
        if self.done is None:
            return
        if self.junit is not None:
            name = f"trio-ports check-ports {' '.join(self.done.command)}"
            self.junit.write_text(as_junit(name, self.done.findings), encoding="utf-8")
        if self.html is not None:
            page = write_page([self._as_plain(self.done), *self.beside])
            self.html.write_text(page, encoding="utf-8", errors="backslashreplace")

    def _judge(self, finding: PortFinding) -> PortFinding:
        return compare(finding, self.expected, strict=self.strict)

    def _as_plain(self, done: SurveyReport) -> dict[str, Any]:
        hello = done.hello
        subject = None if hello is None else {"name": hello.name, "version": hello.version}
        more = {"subject": subject, "dialect": done.dialect, "seed": done.number, "ok": done.ok}
        findings = [_plain_finding(finding) for finding in done.findings]
        return as_plain(self.stopwatch, done.command, findings, **more)


def _import_survey() -> Any:
    try:
        from ..testing._conformance import survey
    except ModuleNotFoundError as error:
        raise click.ClickException(
            "`check-ports` needs Hypothesis: python -m pip install 'trio_ports[testing]'"
        ) from error
    return survey


def _read_files(
    *, strict: bool, baseline: Path | None, junit: Path | None, html: Path | None, beside: Sequence[Path]
) -> dict[str, Any]:
    """Read the files that are given and check the folders of those that will be written."""
    require_folder(junit, "--junit")
    require_folder(html, "--html")
    if beside and html is None:
        raise click.UsageError("--beside is for the page: give --html too")
    survey = _import_survey()
    known = [survey.GREETING, survey.OPENING, *(sentence for _, sentence in survey.list_stories())]
    known += [survey.name_random(rule) for rule in (0, *RULES)]
    expected = frozenset[str]() if baseline is None else read_baseline(baseline, known, strict=strict)
    others = [_read_report(file) for file in beside]
    return {"strict": strict, "expected": expected, "junit": junit, "html": html, "beside": others}


def _read_report(file: Path) -> Mapping[str, Any]:
    try:
        report = json.loads(file.read_bytes())
        write_page([report])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise click.BadParameter(
            f"{file} is not a report that --json wrote: {error!r}", param_hint="--beside"
        ) from error
    return dict(report)


def _find_command(command: tuple[str, ...], node: str | None, browser: str | None) -> tuple[str, ...]:
    """Return the command that starts the subject."""
    if sum(map(bool, (command, node, browser))) != 1:
        raise click.UsageError("give either COMMAND..., or --node, or --browser")
    if node is not None:
        program = shutil.which("node")
        if program is None:
            raise click.ClickException("--node needs Node, and there is no program `node` on the PATH")
        return (program, str(PLAYER), node)
    if browser is not None:
        return (sys.executable, "-m", "trio_ports._laboratory.subject", browser)
    return command


def _list_story(rule: int, sentence: str) -> dict[str, Any]:
    return {"rule": rule, "check": sentence, "sentence": "", "link": _import_survey().RULE_LINKS[rule]}


def _plain_finding(finding: PortFinding) -> dict[str, Any]:
    survey = _import_survey()
    return {
        "rule": finding.rule,
        "sentence": finding.sentence,
        "check": finding.check,
        "status": finding.status,
        "grade": finding.grade,
        "detail": finding.detail,
        "cause": finding.cause,
        "seconds": finding.seconds,
        "history": finding.history,
        "story": survey.describe_finding(finding),
        "chart": draw_lines(finding.lines),
        "wire": "\n".join(f"{direction} {text}" for direction, text in finding.lines),
    }


def _describe_subject(done: SurveyReport) -> str:
    if done.hello is None:
        return "It is not a subject."
    return f"{done.hello.name} {done.hello.version}".strip() + f", by the rules of {done.dialect}:"
