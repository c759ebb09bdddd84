"""The forms of the report of `trio-ports check`: lines for people, JSON, and JUnit; and the baseline."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import attrs
import click
from rich.text import Text

from ..testing._applications.check import ApplicationReport, Finding
from ..testing._applications.checks import CHECKS, RULE_LINKS, Check, Status
from .output import printable

FORMAT: Final = 1
"""The number of the JSON report's form. It changes only if a field goes or means something else."""
_MANNERS: Final = {"echo": "It is an echo", "answers": "It answers", "silent": "It gives no answer that can be read"}
_LESS: Final[dict[Status, str]] = {"expected": "failed as expected", "skip": "skipped"}
STYLES: Final = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim", "expected": "dim"}


def list_check(check: Check) -> dict[str, Any]:
    """Return what is known of a check as a JSON value."""
    fields = {"rule": check.rule, "check": check.name, "sentence": check.sentence}
    return {**fields, "needs_echo": check.needs_echo, "link": RULE_LINKS[check.rule]}


def read_baseline(file: Path, *, strict: bool) -> frozenset[str]:
    """Return the names of the checks that a JSON report says have failed.

    Raises:
        click.BadParameter: it is not such a report, or names a check that there is not.
    """
    try:
        findings = json.loads(file.read_bytes())["findings"]
        failed = {each["check"] for each in findings if each["status"] in ("fail", "expected", *["warn"] * strict)}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise click.BadParameter(
            f"{file} is not a report that --json wrote: {error!r}", param_hint="--baseline"
        ) from error
    unknown = failed - {check.name for check in CHECKS}
    if unknown:
        raise click.BadParameter(f"{file} names no check of --list: {', '.join(unknown)}", param_hint="--baseline")
    return frozenset(failed)


def compare(finding: Finding, expected: Collection[str], *, strict: bool) -> Finding:
    """Return a finding in the light of a baseline: what fails as expected, and what passes although it should fail."""
    if finding.check not in expected or finding.status == "skip":
        return finding
    if finding.status == "fail" or (finding.status == "warn" and strict):
        return attrs.evolve(finding, status="expected")
    return attrs.evolve(finding, status="fail", detail="it no longer fails: take it out of the baseline")


def as_plain(report: ApplicationReport, *, manifest: Path | None, started: str, seconds: float) -> dict[str, Any]:
    """Return a report as a JSON value."""
    findings = [
        {"rule": each.rule, "sentence": each.sentence, **attrs.asdict(each), "grade": each.grade}
        for each in report.findings
    ]
    return {
        "format": FORMAT,
        "versions": {"trio_ports": version("trio_ports"), "python": platform.python_version()},
        "platform": platform.platform(),
        "started": started,
        "seconds": round(seconds, 3),
        "command": list(report.command),
        "manifest": None if manifest is None else str(manifest),
        "manner": report.manner,
        "ok": report.ok,
        "findings": findings,
    }


def as_junit(report: ApplicationReport) -> str:
    """Return a report as the text of a JUnit file."""
    count = Counter(finding.status for finding in report.findings)
    suite = ET.Element(
        "testsuite",
        name=f"trio-ports check {' '.join(report.command)}",
        tests=str(len(report.findings)),
        failures=str(count["fail"]),
        skipped=str(count["skip"] + count["expected"]),
        errors="0",
        time=str(round(sum(finding.seconds for finding in report.findings), 3)),
    )
    for finding in report.findings:
        case = ET.SubElement(
            suite, "testcase", classname=f"rule {finding.rule}", name=finding.check, time=str(finding.seconds)
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


def line(finding: Finding) -> Text:
    """Return a finding for people."""
    text = Text.assemble(
        (f"{finding.status:<4}", STYLES[finding.status]), f" rule {finding.rule:<3} {printable(finding.check)}"
    )
    if finding.status == "skip" and finding.cause:  # The line of the check that failed has the rest.
        text.append(f": {finding.detail.partition(': ')[0]}")
    elif finding.status != "pass":
        text.append(f": {printable(finding.detail)}")
    return text


def summary(report: ApplicationReport) -> Text:
    """Return the end of the report for people: the broken rules, and the numbers."""
    count = Counter(finding.status for finding in report.findings)
    text = Text("\n")
    for finding in report.findings:
        if finding.status == "fail":
            text.append(f"rule {finding.rule}: {finding.sentence}\n", "bold")
    manner = {"echo": "It is an echo", "answers": "It answers", "silent": "It gives no answer that can be read"}[
        report.manner
    ]
    text.append(f"{manner}. {count['pass']} passed, {count['fail']} failed")
    text.append(" (breaks in a browser)" if count["fail"] else "")
    text.append(f", {count['warn']} warnings")
    text.append(" (differs from the letter)" if count["warn"] else "")
    text.append("".join(f", {count[status]} {word}" for status, word in _LESS.items() if count[status]) + ".")
    if count["skip"] and report.manner != "echo":
        text.append(" An echo made with the same library could be checked more fully.")
    return text
