"""Native applications: whether a program in any language speaks the wire as browsers do.

The program is started, spoken to in frames, and looked at from outside. An echo can be asked everything; of a program
that answers something else, or nothing, it can still be seen whether it takes every message, keeps its output clean,
and leaves when it should.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, final

import attrs
import trio

from .._util import check_type
from .answers import NotAFrameError
from .examinations import Check, Examination, Status, UnwellError, find_manner
from .wire import CHECKS, SENTENCES

PATIENCE_SECONDS: Final = 5.0
"""How long an answer may take. A start may take twice as long."""


@final
@attrs.frozen
class Finding:
    """What came of one check."""

    rule: int
    """The rule that it is about."""
    check: str
    """What was checked."""
    status: Status
    detail: str = ""
    """What was found, where that is not what should be."""
    seconds: float = 0.0

    @property
    def sentence(self) -> str:
        """The rule as it concerns an application, in a sentence."""
        return SENTENCES[self.rule]


@final
@attrs.frozen
class ApplicationReport:
    """What was found, check by check."""

    command: tuple[str, ...]
    manner: str
    """``"echo"``, ``"answers"`` or ``"silent"``: what it does when it is spoken to."""
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing failed. There may be warnings."""
        return not any(finding.status == "fail" for finding in self.findings)

    @property
    def broken_rules(self) -> tuple[int, ...]:
        """The rules that something failed about."""
        return tuple(sorted({finding.rule for finding in self.findings if finding.status == "fail"}))


@final
class ApplicationBrokenError(AssertionError):
    """A native application breaks rules.

    Args:
        report: what was found.
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
        rules: only these, by number.
        patience: how long an answer may take, in seconds.
        strict: raise if something fails; otherwise look at the report.

    Raises:
        ApplicationBrokenError: something failed.
        FileNotFoundError, PermissionError: there is no such program, or none of the name that is given to a shell, an
            ``env`` or an interpreter.
        TypeError: the command is a text.
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
    """Do what `check_application` does, and tell each finding when it is made.

    Args:
        command: the program and its arguments.
        rules: only these, by number.
        patience: how long an answer may take, in seconds.
        on_finding: called with the finding, how many there are now, and how many there will be.
    """
    manner = await find_manner(command, patience)
    examination = Examination(command, patience, manner)
    findings: list[Finding] = []
    causes: dict[str, str] = {}
    chosen = [check for check in CHECKS if rules is None or check[0] in rules]
    for rule, name, needs_echo, check in chosen:
        began = time.perf_counter()
        status: Status
        if manner.kind == "silent" and findings and (findings[0].rule, findings[0].status) == (35, "fail"):
            status, detail = "skip", "it does not come as far as that"
        elif needs_echo and manner.kind != "echo":
            status, detail = "skip", f"it is no echo: it {'answers' if manner.kind == 'answers' else 'is silent'}"
        else:
            status, detail = await _carry_out(name, check, examination, causes)
        finding = Finding(rule, name, status, detail, round(time.perf_counter() - began, 3))
        findings.append(finding)
        on_finding(finding, len(findings), len(chosen))
    return ApplicationReport(command, manner.kind, tuple(findings))


async def _carry_out(name: str, check: Check, examination: Examination, causes: dict[str, str]) -> tuple[Status, str]:
    """Carry out a check. What is wrong whatever it is asked is a failure once; what would only repeat it is skipped.

    Args:
        name: of the check.
        check: what to carry out.
        examination: what it is given.
        causes: what was found already, and in which check.
    """
    try:
        return await check(examination)
    except (NotAFrameError, UnwellError) as error:
        cause = str(error)
        first = causes.setdefault(cause, name)
        return ("fail", cause) if first == name else ("skip", f"as in {first!r}: {cause}")
