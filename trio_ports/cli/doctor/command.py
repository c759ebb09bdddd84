"""The command `trio-ports doctor`: why a browser cannot start a native application, or talk to it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import click

from ..._native.browser_side.find import read_bytes, system_folders
from ..._native.browser_side.present import present_browsers
from ..._protocol.errors import ManifestError
from ..._protocol.frames import TO_APPLICATION_BYTES
from ..._protocol.manifests import Family, family_of, fields_of, list_of
from ..._protocol.messages import Encoder, refuse_constant
from ..._protocol.places import BROWSERS, CHROMIUM, HOSTS
from ..application import FAMILIES, Application, complete_name, open_application
from ..browser_options import ALL, INSTALLED, browser_options
from ..output import Output
from ..running import run
from .examine import BrowserReport, examine_browser
from .manifest import Question, examine_manifest
from .report import as_plain, lines_of, summary

PATIENCE_SECONDS: Final = 5.0


@click.command()
@browser_options(INSTALLED, ALL, about="Ask these browsers; or those that are there, or all.")
@click.option("--extension", "extensions", metavar="ID", multiple=True, help="The extension that asks; repeatable.")
@click.option("--send", "message", metavar="JSON", help="Send this message, and expect an answer.")
@click.option(
    "--patience", type=click.FloatRange(min=0.1), default=PATIENCE_SECONDS, show_default=True, metavar="SECONDS",
    help="How long the answer may take.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write the report as one JSON value, for programs.")
@click.argument("name", nargs=-1, required=True, shell_complete=complete_name)
def doctor(
    *,
    name: tuple[str, ...],
    browsers: tuple[str, ...],
    profile: Path | None,
    extensions: tuple[str, ...],
    message: str | None,
    patience: float,
    as_json: bool,
) -> None:
    """Find out why a browser does not start a native application, or cannot talk to it.

    NAME is an installed application's name, the path of a manifest, or a command with
    its words; write -- before a command that has options of its own. For each browser,
    the manifest is looked for, read and judged as that browser does it, and the program
    is started in the same way. Ends with 0 if nothing failed, with 1 if something did,
    and with 2 for wrong usage.

    Example: trio-ports doctor com.example.app --send '"ping"'
    """
    frame = None if message is None else _frame_of(message)
    output = Output()
    reports: list[BrowserReport] = []
    began = time.perf_counter()
    with contextlib.ExitStack() as stack:
        application = stack.enter_context(_opened(name, extensions))
        questions = _questions(application, browsers, profile, extensions)

        # If nobody says which browsers, one that has no manifest is no failure as long as another has one.
        is_excused = browsers == INSTALLED and any(examine_manifest(question).file for question in questions)

        async def program() -> int:
            for question in questions:
                report = await examine_browser(question, frame=frame, patience=patience)
                reports.append(_excuse(report) if is_excused else report)
                if not as_json:
                    for line in lines_of(reports[-1]):
                        output.write_text(line)
            if as_json:
                plain = as_plain(application.name, reports, seconds=time.perf_counter() - began)
                output.write(json.dumps(plain, ensure_ascii=False, indent=2) + "\n")
            else:
                output.write_text(summary(reports))
            return 0 if all(report.ok for report in reports) else 1

        status = run(program, output)
    sys.exit(status)


def _frame_of(message: str) -> bytes:
    """Return the message as browsers write it."""
    encoder = Encoder(max_message_bytes=TO_APPLICATION_BYTES["chromium"])
    try:
        return encoder.encode(json.loads(message, parse_constant=refuse_constant))
    except (ValueError, TypeError, RecursionError) as error:
        raise click.BadParameter(f"this is not JSON: {error}", param_hint="--send") from error


def _opened(words: Sequence[str], extensions: Sequence[str]) -> contextlib.AbstractContextManager[Application]:
    """Return the application; a word that means nothing is the name of one that is not installed."""
    word = words[0]
    is_name = len(words) == 1 and not word.endswith(".json") and "/" not in word and not os.path.lexists(word)
    if is_name and shutil.which(word) is None:
        return contextlib.nullcontext(Application(word))
    return open_application(words, extension_id=next(iter(extensions), None))


def _questions(
    application: Application, browsers: tuple[str, ...], profile: Path | None, extensions: Sequence[str]
) -> list[Question]:
    """Return what each browser is asked for."""
    asking: dict[Family, str] = {family_of(each): each for each in reversed(extensions)}
    folders = application.manifest_folders
    names: Sequence[str] = [*BROWSERS] if browsers == ALL else browsers
    if profile is not None and folders is None:
        names, folders = ["chromium"], (profile.absolute() / HOSTS, *system_folders([CHROMIUM]))
    elif browsers == INSTALLED:
        names = _browsers_for(application)
        if extensions:
            names = [each for each in names if BROWSERS[each].family in asking] or [*asking]
    return [
        Question(application.name, each, BROWSERS[each].family, asking.get(BROWSERS[each].family), folders)
        for each in names
    ]


def _browsers_for(application: Application) -> list[str]:
    """Return the browsers that are asked if nobody says which: one of each family has the family's name."""
    if application.manifest_folders is None:
        return present_browsers() or [*FAMILIES]
    fields: Mapping[str, Any] = {}
    with contextlib.suppress(OSError, ManifestError):
        fields = fields_of(read_bytes(application.manifests[0].file))
    return [family for family in FAMILIES if list_of(family) in fields] or [*FAMILIES]


def _excuse(report: BrowserReport) -> BrowserReport:
    """Make it a warning that there is no manifest."""
    findings = [
        attrs.evolve(each, status="warn") if each.id == "manifest-not-found" else each for each in report.findings
    ]
    return attrs.evolve(report, findings=tuple(findings))
