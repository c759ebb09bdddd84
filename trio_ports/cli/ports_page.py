"""The page of `trio-ports check-ports`: subjects beside rules, and for each broken rule what happened, as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from ..testing import RULES

WORST: Final = ("fail", "warn", "expected", "pass", "skip")
"""The verdicts, the one that counts most first: a rule has the first that one of its stories has."""
SIGNS: Final = {"fail": "✗", "warn": "△", "expected": "(✗)", "skip": "–", "pass": "✓"}
MEANINGS: Final = {
    "fail": "broken, and no browser does this",
    "warn": "otherwise, as another dialect has it",
    "expected": "broken, as the baseline says",
    "skip": "could not be played",
    "pass": "obeyed",
}
STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { border: 1px solid #bbb; padding: .2rem .6rem; text-align: left; }
td.verdict { text-align: center; } td a { text-decoration: none; }
.fail { background: #fbd5d5; } .warn { background: #fdf0c4; } .pass { background: #ddf3dd; }
.skip, .expected { background: #eee; } pre { background: #f6f6f6; padding: .6rem; overflow-x: auto; }
section:target { outline: 3px solid #4a7bd0; padding: 0 .6rem; }
@media (prefers-color-scheme: dark) {
  body { background: #1b1b1b; color: #ddd; } a { color: #8ab4f8; } pre { background: #2a2a2a; }
  .fail { background: #5b2626; } .warn { background: #544715; } .pass { background: #234023; }
  .skip, .expected { background: #333; }
}
"""


def write_page(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return the page for reports that `--json` writes, one for each subject."""
    return "\n".join(
        ["<!doctype html>", '<html lang="en">', *_head(), "<body>", *_body(reports), "</body>", "</html>\n"]
    )


def _head() -> Iterator[str]:
    yield '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    yield f"<title>Ports and their rules</title><style>{STYLE}</style></head>"


def _body(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "<h1>Ports and their rules</h1>"
    yield "<ul>"
    for report in reports:
        yield f"<li><b>{escape(_name(report))}</b>: {escape(_circumstances(report))}</li>"
    yield "</ul>"
    yield "<p>" + "; ".join(f"{SIGNS[status]} {MEANINGS[status]}" for status in WORST) + ".</p>"
    yield from _table(reports)
    for number, report in enumerate(reports, 1):
        for rule, findings in _by_rule(report).items():
            yield from _section(f"s{number}-r{rule}", _name(report), rule, findings)


def _table(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "<table><thead><tr><th>Rule</th>"
    yield from (f"<th>{escape(_name(report))}</th>" for report in reports)
    yield "</tr></thead><tbody>"
    grouped = [_by_rule(report) for report in reports]
    for rule in sorted({rule for group in grouped for rule in group}):
        yield f"<tr><th>{rule or ''} {escape(_sentence(rule))}</th>"
        for number, group in enumerate(grouped, 1):
            yield _cell(f"s{number}-r{rule}", group.get(rule, []))
        yield "</tr>"
    yield "</tbody></table>"


def _cell(target: str, findings: Sequence[Mapping[str, Any]]) -> str:
    if not findings:
        return "<td></td>"
    status = min((finding["status"] for finding in findings), key=WORST.index)
    sign = SIGNS[status]
    shown = sign if status == "pass" else f'<a href="#{target}">{sign}</a>'
    return f'<td class="verdict {status}" title="{escape(MEANINGS[status])}">{shown}</td>'


def _section(target: str, name: str, rule: int, findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    passed = any(finding["status"] == "pass" for finding in findings)
    unshown = ("pass", "skip") if passed else ("pass",)
    shown = [finding for finding in findings if finding["status"] not in unshown]
    if not shown:
        return
    yield f'<section id="{target}"><h2>{escape(name)}: {f"rule {rule}" if rule else "the protocol"}</h2>'
    yield f"<p>{escape(_sentence(rule))}</p>"
    for finding in shown:
        yield f'<h3><span class="{finding["status"]}">{finding["status"]}</span> {escape(finding["check"])}</h3>'
        yield f"<p>{escape(finding['detail'])}</p>"
        for title, key in (("The history", "story"), ("A chart", "chart"), ("The lines both ways", "wire")):
            if finding.get(key):
                opened = " open" if key != "wire" else ""
                yield f"<details{opened}><summary>{title}</summary><pre>{escape(finding[key])}</pre></details>"
    yield "</section>"


def _by_rule(report: Mapping[str, Any]) -> dict[int, list[Mapping[str, Any]]]:
    groups: dict[int, list[Mapping[str, Any]]] = {}
    for finding in sorted(report["findings"], key=lambda each: each["rule"]):
        groups.setdefault(finding["rule"], []).append(finding)
    return groups


def _name(report: Mapping[str, Any]) -> str:
    subject = report["subject"]
    return f"{subject['name']} {subject['version']}".strip() if subject else " ".join(report["command"])


def _circumstances(report: Mapping[str, Any]) -> str:
    versions = report["versions"]
    return (
        f"by the rules of {report['dialect']}, with trio_ports {versions['trio_ports']} on Python "
        f"{versions['python']}, {report['platform']}, {report['started']}, in {report['seconds']:g} seconds; "
        f"random histories of the seed {report['seed']}"
    )


def _sentence(rule: int) -> str:
    return (
        RULES[rule].sentence if rule in RULES else "A subject speaks the protocol, and no random history breaks a rule."
    )
