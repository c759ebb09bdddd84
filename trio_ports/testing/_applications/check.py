"""Check a native application: whether a program in any language speaks the wire as browsers do.

An echo can be asked everything. Of a program that answers something else, or nothing,
the check still sees whether it takes every message, writes nothing but frames, and
leaves when it should.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, final

import attrs
import trio

from ..._util import check_type
from .candidate import Candidate, UnresponsiveError
from .checks import CHECKS, RULE_SENTENCES, Check, Status, Verdict
from .frames import NotAFrameError
from .probe import find_manner

PATIENCE_SECONDS: Final = 5.0
"""How long an answer may take, unless the caller says otherwise. A start may take twice as long."""


@final
@attrs.frozen
class Finding:
    """What came of one check."""

    rule: int
    """The rule that it is about."""
    check: str
    """The name of the check."""
    status: Status
    detail: str = ""
    """What the application did wrong, or why the check was skipped."""
    seconds: float = 0.0
    """How long the check took."""

    @property
    def sentence(self) -> str:
        """What the rule asks of an application, in one sentence."""
        return RULE_SENTENCES[self.rule]


@final
@attrs.frozen
class ApplicationReport:
    """What came of all checks of an application."""

    command: tuple[str, ...]
    """The program and its arguments."""
    manner: str
    """``"echo"``, ``"answers"`` or ``"silent"``: what it does when it receives a message."""
    findings: tuple[Finding, ...]
    """One for each check, in the order in which they were carried out."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed. There may be warnings."""
        return not any(finding.status == "fail" for finding in self.findings)

    @property
    def broken_rules(self) -> tuple[int, ...]:
        """The numbers of the rules that a failed check is about."""
        return tuple(sorted({finding.rule for finding in self.findings if finding.status == "fail"}))


@final
class ApplicationBrokenError(AssertionError):
    """A native application breaks rules.

    Args:
        report: what came of all checks.
    """

    def __init__(self, report: ApplicationReport) -> None:
        failed = [finding for finding in report.findings if finding.status == "fail"]
        lines = [f"rule {f.rule}, {f.check}: {f.detail}\n  ({f.sentence})" for f in failed]
        super().__init__("\n".join([f"{' '.join(report.command)} breaks {len(failed)} rules", *lines]))
        self.report = report


def check_application(
    command: Sequence[str],
    *,
    rules: Collection[int] | None = None,
    patience: float = PATIENCE_SECONDS,
    strict: bool = True,
) -> ApplicationReport:
    """Check that a native application speaks the wire as browsers do. Call it outside Trio.

    ::

        def test_my_host():
            check_application(["./my-host"])

    Args:
        command: the program and its arguments; a browser's arguments are added.
        rules: check only the rules with these numbers.
        patience: how long an answer may take, in seconds.
        strict: raise if a check fails; otherwise only the report says so.

    Raises:
        ApplicationBrokenError: a check failed.
        FileNotFoundError, PermissionError: the program does not exist or may not be started. This includes a program
            that a shell, an ``env`` or an interpreter in the command is to start.
        TypeError: the command is one text, not a list of words.
    """
    if isinstance(command, str):
        raise TypeError(f"command must be a list of words, not {command!r}")
    for word in command:
        check_type("a word of command", word, str)
    report = trio.run(partial(examine_application, tuple(command), rules=rules, patience=patience))
    if strict and not report.ok:
        raise ApplicationBrokenError(report)
    return report


async def examine_application(
    command: tuple[str, ...],
    *,
    rules: Collection[int] | None = None,
    patience: float = PATIENCE_SECONDS,
    on_finding: Callable[[Finding, int, int], object] = lambda _finding, _done, _all: None,
) -> ApplicationReport:
    """Do what `check_application` does inside Trio, and report each finding at once. It never raises for a failure.

    Args:
        command: the program and its arguments.
        rules: check only the rules with these numbers.
        patience: how long an answer may take, in seconds.
        on_finding: called after each check with the finding, the number of findings so far, and the number of checks.
    """
    manner = await find_manner(command, patience)
    candidate = Candidate(command, patience, manner)
    findings: list[Finding] = []
    causes: dict[str, str] = {}
    chosen = [check for check in CHECKS if rules is None or check.rule in rules]
    for check in chosen:
        began = time.perf_counter()
        status: Status
        if manner.kind == "silent" and findings and (findings[0].rule, findings[0].status) == (35, "fail"):
            status, detail = "skip", "it does not come as far as that"
        elif check.needs_echo and manner.kind != "echo":
            status, detail = "skip", f"it is not an echo: it {'answers' if manner.kind == 'answers' else 'is silent'}"
        else:
            status, detail = await _carry_out(check, candidate, causes)
        finding = Finding(check.rule, check.name, status, detail, round(time.perf_counter() - began, 3))
        findings.append(finding)
        on_finding(finding, len(findings), len(chosen))
    return ApplicationReport(command, manner.kind, tuple(findings))


async def _carry_out(check: Check, candidate: Candidate, causes: dict[str, str]) -> tuple[Status, str]:
    """Carry out a check. Each of the causes fails only the check that met it first; the others are skipped."""
    try:
        await check.carry_out(candidate)
    except Verdict as verdict:
        return verdict.status, str(verdict)
    except (NotAFrameError, UnresponsiveError) as error:
        cause = str(error)
        first = causes.setdefault(cause, check.name)
        return ("fail", cause) if first == check.name else ("skip", f"as in {first!r}: {cause}")
    return "pass", ""
