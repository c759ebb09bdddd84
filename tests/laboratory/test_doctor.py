"""What the doctor says an extension sees is what a real browser shows, for every planted fault."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
import trio
from laboratory.shared import SharedLaboratory
from laboratory.test_facts import play, told
from planted_faults import FAULTS, MESSAGE, NAME, PAIRS, SOUND, Fault, plant

from trio_ports._laboratory.player import LaboratoryPlayer
from trio_ports._protocol.manifests import extension_origin
from trio_ports.cli.doctor.examine import BrowserReport, examine_browser
from trio_ports.cli.doctor.manifest import Question
from trio_ports.testing._conformance.history.moves import connect_native, hear, post, turn

FRAME = json.dumps(MESSAGE, ensure_ascii=False, separators=(",", ":")).encode()
"""The message, as both browsers write it."""
PATIENCE = 2.0
"""How long the doctor, and then we, wait for an application that says nothing."""


@pytest.mark.parametrize("fault", {"sound": SOUND, **FAULTS, **PAIRS}.items(), ids=lambda item: item[0])
def test_the_doctor_sees_what_the_browser_shows(laboratory: SharedLaboratory, fault: tuple[str, Fault]) -> None:
    """The findings are those that were planted and no others; the extension's text is the same, letter by letter."""

    async def story(player: LaboratoryPlayer) -> None:
        folder = player.laboratory.browser.manifest_folder
        try:
            report = await ask_doctor(player, fault[1])
            await compare(player, report)
        finally:
            for file in folder.iterdir():
                shutil.rmtree(file) if file.is_dir() else file.unlink()
        assert {finding.id for finding in report.findings if finding.id} == fault[1].names

    laboratory.play(story)


async def ask_doctor(player: LaboratoryPlayer, fault: Fault) -> BrowserReport:
    """Plant the fault where the browser looks, and ask the doctor."""
    browser, identity = player.laboratory.browser, player.laboratory.extension_id("a")
    is_firefox = browser.kind == "firefox"
    plant(
        browser.manifest_folder,
        fault,
        [identity] if is_firefox else [],
        [] if is_firefox else [extension_origin(identity)],
    )
    question = Question(NAME, browser.kind, browser.kind, identity, [browser.manifest_folder])
    return await examine_browser(question, frame=FRAME, patience=PATIENCE)


async def compare(player: LaboratoryPlayer, report: BrowserReport, name: str = NAME) -> None:
    """Have the extension connect and send a message; it sees the same."""
    failed = {finding.check for finding in report.findings if finding.status == "fail"}
    # Chromium has another text for a message that it could not write in time: a race, if the application is gone.
    messages = [] if failed & {"manifest", "program", "start"} else [post(MESSAGE, "n")]
    await play(player, turn("a", connect_native("n", name), hear("n"), *messages))
    ended: list[Any] = []

    def has_ended() -> bool:
        ended[:] = [event for event in told(player, "a") if event[0] == "end"]
        return bool(ended)

    with trio.move_on_after(PATIENCE * (1 if report.seen.event == "open" else 10)):
        while not has_ended():
            await player.laboratory.settle(quiet_seconds=0.1)
            player._take()
    assert ended == ([] if report.seen.event == "open" else [("end", report.seen.text)])


@pytest.mark.parametrize("name", ["Lab.Upper", "lab-dash", "lab..dots", "", "lab.nowhere"])
def test_names(laboratory: SharedLaboratory, name: str) -> None:
    """What no application can be called is refused as the browser refuses it, at the call or afterwards."""

    async def story(player: LaboratoryPlayer) -> None:
        browser = player.laboratory.browser
        report = await examine_browser(
            Question(name, browser.kind, browser.kind, None, [browser.manifest_folder]), frame=None, patience=PATIENCE
        )
        if report.seen.event == "exception":
            await play(player, turn("a", connect_native("n", name)))
            assert player.results == [f"Error: {report.seen.text}"]
        else:
            await compare(player, report, name)

    laboratory.play(story)
