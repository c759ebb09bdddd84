"""The doctor's report: lines for people, and JSON."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

import attrs
from rich.text import Text

from ..output import printable
from .examine import BrowserReport, Seen
from .findings import Finding

FORMAT: Final = 1
"""The number of the JSON report's form. It changes only if a field goes or means something else."""
PAGE: Final = "https://trio-ports.readthedocs.io/en/stable/reference/doctor.html"
_STYLES: Final = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


def lines_of(report: BrowserReport) -> list[Text]:
    """Return what was found for one browser, for people."""
    who = f", for {report.extension_id}" if report.extension_id else ""
    lines = [Text(f"{report.browser}{printable(who)}", "bold")]
    for finding in report.findings:
        lines += _lines_of(finding)
    lines.append(Text(f"  The extension sees {printable(_seen(report.seen, ok=report.ok))}", "bold"))
    return lines


def _lines_of(finding: Finding) -> list[Text]:
    line = Text.assemble("  ", (finding.status.upper(), _STYLES[finding.status]), f"  {finding.check:<9}")
    if finding.id:
        line.append(f"{finding.id}: ", "bold")
    line.append(printable(finding.detail))
    line.rstrip()
    return [line, Text(f"                 {printable(finding.remedy)}", "italic")] if finding.remedy else [line]


def _seen(seen: Seen, *, ok: bool) -> str:
    if seen.event == "exception":
        return f"an exception at the call: {seen.text}"
    if seen.event == "disconnect":
        return "its port end without any text." if seen.text is None else f"its port end: {seen.text}"
    return "a port that works." if ok else "a port that stays open, and no error."


def summary(reports: Sequence[BrowserReport]) -> Text:
    """Return the last line for people: what it comes to in each browser."""
    text = Text("\n")
    for report in reports:
        grave = sorted({finding.id for finding in report.findings if finding.status == "fail"})
        light = sorted({finding.id for finding in report.findings if finding.status == "warn"})
        text.append(f"{report.browser}: ", "bold")
        text.append(", ".join(grave) if grave else "nothing fails", "bold red" if grave else "green")
        text.append(f" (warnings: {', '.join(light)})\n" if light else "\n")
    text.append(f"What each finding means: {PAGE}")
    return text


def as_plain(name: str, reports: Sequence[BrowserReport], *, seconds: float) -> dict[str, Any]:
    """Return the report as a JSON value."""
    return {
        "format": FORMAT,
        "versions": {"trio_ports": version("trio_ports"), "python": platform.python_version()},
        "platform": platform.platform(),
        "name": name,
        "seconds": round(seconds, 3),
        "ok": all(report.ok for report in reports),
        "browsers": [
            {
                "browser": report.browser,
                "family": report.family,
                "ok": report.ok,
                "extension": report.extension_id,
                "manifest": None if report.file is None else str(report.file),
                "seen": attrs.asdict(report.seen),
                "findings": [
                    {**attrs.asdict(finding), "cause": finding.cause and finding.cause.value}
                    for finding in report.findings
                ],
            }
            for report in reports
        ],
    }
