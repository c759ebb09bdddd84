"""What is wrong with a native application's manifest, in the eyes of one browser."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast, final

import attrs

from ..._native.browser_side.find import Look, files_of, look, read_bytes
from ..._protocol.errors import Cause, ManifestError
from ..._protocol.manifests import (
    Family,
    NativeManifest,
    fields_of,
    is_application_name,
    list_of,
    manifest_faults,
)
from ..._protocol.places import BROWSERS
from .findings import Finding, found

_KINDS: Final = {
    "": "manifest-json",
    "name": "manifest-name",
    "description": "manifest-description",
    "type": "manifest-type",
    "path": "manifest-path",
    "allowed_extensions": "manifest-allowed",
    "allowed_origins": "manifest-allowed",
}
"""Which finding a broken rule is, by the field that breaks it."""
_OTHERS: Final[dict[str, str]] = {"allowed_extensions": "allowed_origins", "allowed_origins": "allowed_extensions"}


@final
@attrs.frozen
class Question:
    """What a browser is asked for."""

    name: str
    browser: str
    family: Family
    extension_id: str | None = None
    """The extension that asks; the first that the manifest allows unless given."""
    manifest_folders: Sequence[Path] | None = None
    """Where the manifest is, instead of the browser's places."""

    def look(self) -> list[Look]:
        """Look for the manifest as the browser does."""
        browser = self.browser if self.manifest_folders is None else None
        return [*look(self.name, self.family, browser, self.manifest_folders, extension_id=self.extension_id)]


@final
@attrs.frozen
class Answer:
    """What a browser finds."""

    findings: tuple[Finding, ...]
    file: Path | None = None
    """The manifest that counts."""
    manifest: NativeManifest | None = None
    """As much of it as it takes to start the program: its path; None if there is not even that."""
    extension_id: str | None = None
    """The extension that asks."""


def examine_manifest(question: Question) -> Answer:
    """Look for the manifest as the browser does, and find everything that is wrong with it."""
    if not is_application_name(question.name, question.family):
        case = ", in lower case" if question.family == "chromium" else ""
        detail = f"{question.name!r} is not a name: only letters{case}, digits, underscores and single dots are"
        return Answer((found("bad-name", detail),))
    looks = question.look()
    there = [each for each in looks if each.absent is None]
    if not there:
        return Answer((found("manifest-not-found", _nowhere(question, looks)),))
    chosen = next((each for each in there if each.refusal is None), there[0])
    skipped = [each for each in there if chosen.refusal is None and each is not chosen]
    findings = [found("manifest-skipped", f"{question.browser} passes over this: {each.refusal}") for each in skipped]
    try:
        data = read_bytes(chosen.file)
    except (OSError, ManifestError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return Answer((*findings, found("manifest-unreadable", f"{chosen.file}: {why}")), chosen.file)
    findings.append(Finding("manifest", "pass", _describe_place(question, chosen.file, len(looks))))
    return _examine_content(question, chosen.file, data, findings)


def _examine_content(question: Question, file: Path, data: bytes, findings: list[Finding]) -> Answer:
    family = question.family
    listing = list_of(family)
    fields = fields_of(data)
    broken = manifest_faults(data, family, name=question.name, windows=os.name == "nt")
    for fault in broken:
        cause = _cause_of_tilde(fault.value) if fault.field == "path" and family == "firefox" else None
        findings.append(found(_KINDS[fault.field], _describe_fault(fault, fields), cause=cause, listing=listing))
    if not broken:
        findings.append(Finding("rules", "pass", f"valid for {question.browser}"))
    wrong = {fault.field for fault in broken}
    if "" in wrong:
        return Answer(tuple(findings), file)
    allowed = [*_allowed(fields.get(listing))]
    asking = question.extension_id or next(iter(allowed), None)
    if listing in wrong:
        findings.append(Finding("allowed", "skip", f"there is no valid {listing}"))
    elif asking is None:
        findings.append(found("not-allowed", f"{listing} is empty, so nobody may start it", listing=listing))
    elif asking not in allowed:
        detail = f"{asking} is not in {listing}, which has {', '.join(allowed) or 'nobody'}"
        findings.append(found("not-allowed", detail, listing=listing))
    else:
        findings.append(Finding("allowed", "pass", asking))
    manifest: NativeManifest | None = None
    if "path" not in wrong:
        path = str(file.parent / fields["path"])  # It is absolute, except on Windows.
        manifest = NativeManifest(name=question.name, description="", path=path, file=file)
    return Answer(tuple(findings), file, manifest, asking)


def _allowed(values: Any) -> Iterator[str]:
    """Return the ids of the extensions in a manifest's list."""
    for value in cast("Iterable[Any]", values if isinstance(values, list) else ()):
        if isinstance(value, str):
            yield value.removeprefix("chrome-extension://").removesuffix("/")


def _cause_of_tilde(path: object) -> Cause | None:
    """Return what a path with ``~`` is to Firefox, which looks in the home for the program, and does not start it."""
    if not isinstance(path, str) or not path.startswith("~"):
        return None
    is_there = path.startswith("~/") and os.access(Path(path).expanduser(), os.X_OK)
    return Cause.INTERPRETER_MISSING if is_there else Cause.PROGRAM_MISSING


def _describe_fault(fault: ManifestError, fields: Mapping[str, Any]) -> str:
    other = _OTHERS.get(fault.field)
    if other is not None and fault.value is None and other in fields:
        return f"{fault}; {other} is for the other family of browsers"
    return str(fault)


def _describe_place(question: Question, file: Path, number: int) -> str:
    hidden = []
    if question.manifest_folders is None:
        hidden = [each for each in files_of(question.name, question.family, question.browser) if os.path.lexists(each)]
    later = [str(each) for each in hidden[hidden.index(file) + 1 :]] if file in hidden else []
    hides = f"; it hides {', '.join(later)}" if later else ""
    ordinal = "" if number == 1 else f", in place {number} of the search"
    return f"{file}{ordinal}{hides}"


def _nowhere(question: Question, looks: Sequence[Look]) -> str:
    """Say where the browser looked, and what is there instead."""
    parts = [f"there is no {question.name}.json in {_list(str(each.file.parent) for each in looks)}"]
    for each in looks:
        if os.path.lexists(each.file):
            parts.append(f"{each.file} is a link that leads nowhere")
        elif isinstance(each.absent, PermissionError):
            parts.append(f"{each.file.parent} may not be entered")
    if similar := _similar(question.name, looks):
        parts.append(f"there is {_list(similar)}")
    if elsewhere := _elsewhere(question):
        parts.append(f"there is {_list(elsewhere)}")
    return "; ".join(parts)


def _similar(name: str, looks: Sequence[Look]) -> list[str]:
    """Return files in the right folders whose names are nearly right."""
    names: dict[str, Path] = {}
    for each in looks:
        try:
            names |= {file.name: file for file in each.file.parent.iterdir() if file != each.file}
        except OSError:
            continue
    return [str(names[near]) for near in difflib.get_close_matches(f"{name}.json", names, cutoff=0.8)]


def _elsewhere(question: Question) -> list[str]:
    """Return manifests of that name where only other browsers of the family look."""
    if question.manifest_folders is not None:
        return []
    ours = {*files_of(question.name, question.family, question.browser)}
    others: dict[Path, str] = {}
    for browser, places in BROWSERS.items():
        if places.family == question.family:
            for file in files_of(question.name, places.family, browser):
                if file not in ours and os.path.lexists(file):
                    others.setdefault(file, browser)
    return [f"{file}, where {browser} looks" for file, browser in others.items()]


def _list(items: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(items) or "any folder: there is none to look in"
