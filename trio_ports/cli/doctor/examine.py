"""Examine a native application for one browser: each check in the browser's order, and what its extension would see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, final

import attrs

from ..._native.browser_side.judge import in_dialect
from ..._native.browser_side.present import find_flatpak, find_snap
from ..._native.programs import program_faults
from ..._protocol.dialects import CHROME, FIREFOX, Dialect
from ..._protocol.errors import Cause, FrameTooLargeError, NativeApplicationError
from ..._protocol.manifests import Family
from .conversation import Conversation, converse
from .environment import environment_of
from .findings import CHECKS, Finding, found
from .manifest import Answer, Question, examine_manifest
from .outcome import judge_conversation

DIALECTS: Final[dict[Family, Dialect]] = {"firefox": FIREFOX, "chromium": CHROME}
ASKING: Final[dict[Family, str]] = {"firefox": "trio-ports@example.invalid", "chromium": "a" * 32}
"""Who asks if the manifest allows nobody."""
_BEFORE_START: Final = (
    *(Cause.BAD_NAME, Cause.MANIFEST_NOT_FOUND, Cause.MANIFEST_INVALID, Cause.NOT_ALLOWED),
    *(Cause.PROGRAM_MISSING, Cause.NOT_EXECUTABLE, Cause.INTERPRETER_MISSING),
)
"""What a browser comes upon before the program runs, in this order."""


@final
@attrs.frozen
class Seen:
    """What the extension sees in that browser."""

    event: Literal["open", "disconnect", "exception"]
    """Its port stays open, ends, or is not even made."""
    text: str | None = None
    """The text that it gets, if any."""


@final
@attrs.frozen
class BrowserReport:
    """What was found for one browser."""

    browser: str
    family: Family
    extension_id: str | None
    file: Path | None
    """The manifest that counts."""
    findings: tuple[Finding, ...]
    seen: Seen

    @property
    def ok(self) -> bool:
        """Nothing is wrong that an extension would notice."""
        return all(finding.status != "fail" for finding in self.findings)


async def examine_browser(question: Question, *, frame: bytes | None, patience: float) -> BrowserReport:
    """Examine an application for one browser; it is started, unless something is in the way.

    Args:
        question: which application, and for which browser.
        frame: what the application is sent; nothing unless given.
        patience: how long an answer may take, in seconds.
    """
    family, dialect = question.family, DIALECTS[question.family]
    answer = examine_manifest(question)
    findings = [*_examine_sandbox(question), *answer.findings]
    seen: Seen | None = None
    if answer.manifest is not None:
        environment = environment_of(family)
        faults = program_faults(Path(answer.manifest.path), environment.get("PATH"))
        findings += [found(fault.kind, fault.text) for fault in faults]
        if not faults:
            findings.append(Finding("program", "pass", answer.manifest.path))
            in_run, seen = await _run(answer, family, environment, frame, patience)
            findings += in_run
    findings += [Finding(check, "skip") for check in CHECKS if check not in {finding.check for finding in findings}]
    findings.sort(key=lambda finding: CHECKS.index(finding.check))
    seen = _seen_before_start(question, findings, dialect) or seen or Seen("open")
    return BrowserReport(question.browser, family, answer.extension_id, answer.file, tuple(findings), seen)


def _examine_sandbox(question: Question) -> list[Finding]:
    """Say what a browser from Snap or Flatpak cannot see."""
    if question.manifest_folders is not None:
        return []
    findings: list[Finding] = []
    for kind, folder in ("snap", find_snap(question.browser)), ("flatpak", find_flatpak(question.browser)):
        if folder is not None:
            detail = (
                f"{question.browser} is installed in {folder}, from {kind.title()}: it runs in a sandbox, sees none of "
                "the user's and the system's manifests, and can start no program outside, unless the desktop's portal "
                "for web extensions does it. What follows is true for a browser without a sandbox"
            )
            findings.append(found(kind, detail))
    return findings or [Finding("browser", "pass", question.browser)]


def _seen_before_start(question: Question, findings: list[Finding], dialect: Dialect) -> Seen | None:
    """Return what the extension sees if something is in the way before the program runs: the first counts."""
    causes = [each.cause for each in findings if each.status == "fail" and each.cause in _BEFORE_START]
    if Cause.BAD_NAME in causes and question.family == "firefox":
        pattern = r"/^\w+(\.\w+)*$/"
        wanted = f'(String "{question.name}" must match {pattern})'
        return Seen("exception", f"Type error for parameter application {wanted} for runtime.connectNative.")
    first = min(causes, key=_BEFORE_START.index, default=None)
    return None if first is None else _ended(question.name, first, dialect)


def _ended(name: str, cause: Cause, dialect: Dialect) -> Seen:
    error = in_dialect(NativeApplicationError("", cause=cause, application=name), dialect)
    return Seen("disconnect", None if error is None else str(error))


async def _run(
    answer: Answer, family: Family, environment: Mapping[str, str], frame: bytes | None, patience: float
) -> tuple[list[Finding], Seen]:
    """Start the application, and return what is wrong with what it does, and what the extension sees of that."""
    manifest, dialect = answer.manifest, DIALECTS[family]
    assert manifest is not None

    async def start(environment: Mapping[str, str] | None) -> Conversation:
        asking = answer.extension_id or ASKING[family]
        return await converse(
            manifest, asking, family, dialect, environment=environment, frame=frame, patience=patience
        )

    try:
        talk = await start(environment)
    except NativeApplicationError as error:
        cause: Any = error.__cause__
        loader = ", or the loader that it needs" if isinstance(cause, FileNotFoundError) else ""
        detail = f"the system does not start {manifest.path}{loader}: {cause.strerror}"
        return [found("cannot-start", detail)], _ended(manifest.name, error.cause, dialect)
    findings = judge_conversation(talk, manifest.name, asked=frame is not None, patience=patience)
    if findings[0].id == "crashed" and not (await start(None)).exited:
        detail = f"{findings[0].detail}; with the environment of your shell it does not"
        findings[0] = found("needs-environment", detail)
    return findings, _seen_in_conversation(talk, manifest.name)


def _seen_in_conversation(talk: Conversation, name: str) -> Seen:
    dialect = talk.dialect
    assert dialect.native_texts is not None
    if isinstance(talk.error, FrameTooLargeError):
        return Seen("disconnect", str(talk.error))
    if talk.error is not None and not dialect.ignores_malformed:
        return Seen("disconnect", dialect.native_texts.malformed)
    if talk.exited is not None:
        return _ended(name, Cause.EXITED, dialect)
    if talk.closed_output:
        return _ended(name, Cause.STDOUT_CLOSED, dialect)
    return Seen("open")
