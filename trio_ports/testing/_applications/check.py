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
from .candidate import CALLERS, Candidate
from .causes import Cause, Trouble
from .checks import CHECKS, RULE_SENTENCES, Check, Status, Verdict
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
    """``"pass"``; ``"fail"``: it breaks in a browser; ``"warn"``: it only differs from the letter of the rule;
    ``"skip"``: nothing could be seen; ``"expected"``: it fails as a baseline says."""
    detail: str = ""
    """What the application did wrong, or why the check was skipped."""
    cause: Cause = ""
    """What many checks would fail for, if it is that: the first fails, and the others are skipped."""
    seconds: float = 0.0
    """How long the check took."""

    @property
    def grade(self) -> str:
        """How bad it is, in words; empty unless it failed or is a warning."""
        return {"fail": "breaks in a browser", "warn": "differs from the letter"}.get(self.status, "")

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
    callers: tuple[tuple[str, ...], ...] = CALLERS,
    on_finding: Callable[[Finding, int, int], object] = lambda _finding, _done, _all: None,
) -> ApplicationReport:
    """Do what `check_application` does inside Trio, and report each finding at once. It never raises for a failure.

    Args:
        command: the program and its arguments.
        rules: check only the rules with these numbers.
        patience: how long an answer may take, in seconds.
        callers: the arguments that different browsers add.
        on_finding: called after each check with the finding, the number of findings so far, and the number of checks.
    """
    candidate = Candidate(command, patience, callers)
    candidate.manner = manner = await find_manner(candidate)
    findings: list[Finding] = []
    causes: dict[Cause, str] = {}
    chosen = [check for check in CHECKS if rules is None or check.rule in rules]
    for check in chosen:
        began = time.perf_counter()
        finding = await _carry_out(check, candidate, causes)
        findings.append(attrs.evolve(finding, seconds=round(time.perf_counter() - began, 3)))
        on_finding(findings[-1], len(findings), len(chosen))
    return ApplicationReport(command, manner.kind, tuple(findings))


async def _carry_out(check: Check, candidate: Candidate, causes: dict[Cause, str]) -> Finding:
    """Carry out a check. Each of the causes fails only the check that met it first; the others are skipped."""
    manner = candidate.manner
    try:
        if manner.trouble is not None:
            raise manner.trouble
        if check.needs_echo and manner.kind != "echo":
            raise Verdict("skip", f"it is not an echo: it {'answers' if manner.kind == 'answers' else 'is silent'}")
        await check.carry_out(candidate)
    except Verdict as verdict:
        return Finding(check.rule, check.name, verdict.status, str(verdict))
    except Trouble as trouble:
        cause = trouble.cause
        if cause in ("not a frame", "not JSON"):
            # What follows a wrong frame means nothing: it is not a cause of its own.
            wrong_frames: list[Cause] = [known for known in causes if known != "no response"]
            cause = wrong_frames[0] if wrong_frames else cause
        if cause in causes:
            return Finding(check.rule, check.name, "skip", f"as in {causes[cause]!r}: {trouble}", cause)
        causes[cause] = check.name
        return Finding(check.rule, check.name, "fail", str(trouble), cause)
    return Finding(check.rule, check.name, "pass")
