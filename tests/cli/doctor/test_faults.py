"""The doctor names what was planted, and nothing else; the laboratory's test_doctor.py asks real browsers too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID
from planted_faults import FAULTS, MESSAGE, NAME, PAIRS, SOUND, START, Application, Fault, code, fault, plant
from support import PATIENCE_SECONDS

from trio_ports._protocol.manifests import extension_origin
from trio_ports.cli.doctor import conversation
from trio_ports.cli.doctor.examine import BrowserReport, examine_browser
from trio_ports.cli.doctor.manifest import Question

IDS: Any = {"firefox": FIREFOX_ID, "chromium": CHROMIUM_ID}
FRAME = json.dumps(MESSAGE, ensure_ascii=False).encode()
each_family = pytest.mark.parametrize("family", IDS)


async def ask(
    folder: Path, fault: Fault, family: Any, *, frame: bytes | None = FRAME, asking: str | None = None
) -> BrowserReport:
    plant(folder, fault, [FIREFOX_ID], [extension_origin(CHROMIUM_ID)])
    question = Question(NAME, family, family, asking or IDS[family], [folder])
    return await examine_browser(question, frame=frame, patience=4)


def names(report: BrowserReport) -> set[str]:
    return {finding.id for finding in report.findings if finding.id}


@pytest.mark.parametrize(
    ("family", "fault"),
    [*(("firefox", each) for each in FAULTS), *(("chromium", each) for each in PAIRS), ("chromium", "sound")],
)
async def test_what_was_planted_is_named(tmp_path: Path, fault: str, family: Any) -> None:
    """And nothing else: no finding follows from another one. Every finding says what to do."""
    planted = {"sound": SOUND, **FAULTS, **PAIRS}[fault]
    report = await ask(tmp_path, planted, family)
    assert names(report) == planted.names
    for finding in report.findings:
        assert (finding.status in ("fail", "warn")) == bool(finding.id)
        if finding.id:
            assert finding.detail
            assert finding.remedy
            assert "\n" not in finding.remedy


@pytest.fixture
def short_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "WATCH_SECONDS", 0.5)


@each_family
@pytest.mark.usefixtures("short_watch")
async def test_an_application_that_is_asked_nothing(tmp_path: Path, family: Any) -> None:
    """It is watched for a while; then its input ends."""
    report = await ask(tmp_path, SOUND, family, frame=None)
    assert [finding.status for finding in report.findings if finding.check == "answer"] == ["skip"]
    assert (names(report), report.ok, report.seen.event) == (set(), True, "open")


@pytest.fixture
def long_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it takes on a machine that is busy."""
    monkeypatch.setattr(conversation, "WATCH_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(conversation, "MOMENT_SECONDS", PATIENCE_SECONDS)


@each_family
@pytest.mark.usefixtures("long_watch")
async def test_an_application_that_leaves_at_once_is_asked_nothing(tmp_path: Path, family: Any) -> None:
    """That is a fault too."""
    report = await ask(tmp_path, FAULTS["it leaves at once"], family, frame=None)
    assert names(report) == {"exits-at-once"}
    assert report.seen.text == (None if family == "firefox" else "Native host has exited.")


@pytest.mark.usefixtures("long_watch")
async def test_an_answer_and_then_an_error(tmp_path: Path) -> None:
    """The answer arrives; that it fails afterwards is a warning."""
    dies = fault("exit-status", code("write(frame(body))  # its answer", "write(frame(body)); sys.exit(4)"))
    report = await ask(tmp_path, dies, "chromium")
    assert (names(report), report.ok, report.seen.text) == ({"exit-status"}, True, "Native host has exited.")


async def test_one_answer_and_away(tmp_path: Path) -> None:
    """As an application does that sendNativeMessage starts."""
    leaves = fault("", code("write(frame(body))  # its answer", "write(frame(b'1' * 100) + frame(b'2')); sys.exit()"))
    report = await ask(tmp_path, leaves, "chromium")
    assert names(report) == set()
    assert any(finding.detail.endswith("… (100 bytes)") for finding in report.findings)


async def test_it_dies_in_the_middle_of_a_message(tmp_path: Path) -> None:
    """That the message is not complete follows from that."""
    report = await ask(tmp_path, fault("crashed", code(START, "write(frame(b'12')[:-1]); sys.exit(2)")), "firefox")
    assert names(report) == {"crashed"}


async def test_only_the_shells_environment_makes_it_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is started with the environment of a desktop's session, and then with ours."""
    monkeypatch.setenv("ONLY_HERE", "1")
    report = await ask(tmp_path, fault("needs-environment", code(START, "os.environ['ONLY_HERE']")), "firefox")
    assert names(report) == {"needs-environment"}


async def test_too_large_to_be_a_message(tmp_path: Path) -> None:
    """Bytes that are no length are nonsense, and not a large message."""
    large, nonsense = "write((2 << 20).to_bytes(4, sys.byteorder) + b'\\x80')", "write(b'\\xff' * 9)"
    for content in large, nonsense:
        report = await ask(tmp_path, fault("", code(START, content)), "firefox")
        assert names(report) == {"output-not-a-frame"}
    report = await ask(tmp_path, fault("", code(START, "write(bytes(4) + b'x')")), "firefox")
    assert names(report) == {"output-not-json"}


async def test_frames_after_nonsense_are_not_read(tmp_path: Path) -> None:
    """The first thing that is wrong counts, in one read and in several; what comes before it is an answer."""
    content = "write(frame(b'1') + frame(b'{') + frame(b'2')); time.sleep(.1); write(frame(b'3'))"
    report = await ask(tmp_path, fault("", code(START, content)), "chromium")
    assert names(report) == {"output-not-json"}
    assert report.seen.event == "open"


async def test_nonsense_at_the_end(tmp_path: Path) -> None:
    """What it prints when its input has ended no extension sees."""
    report = await ask(tmp_path, fault("", code("# at its end", "write(b'goodbye\\n')")), "firefox")
    assert (names(report), report.seen.event) == ({"output-printed"}, "open")


async def test_a_binary_that_the_system_does_not_take(tmp_path: Path) -> None:
    """Its file shows nothing; what the system says is reported."""
    binary = fault("", lambda it: it.last_touch.append(lambda it: it.program_file.write_bytes(b"\x7fELF\0\0")))
    report = await ask(tmp_path, binary, "chromium")
    assert names(report) == {"cannot-start"}
    assert report.seen.text == "Native host has exited."


async def test_a_binary_whose_loader_is_missing(tmp_path: Path) -> None:
    """The system says that there is no such file, and means the loader."""

    def write(application: Application) -> None:
        application.program_file.write_bytes(Path("/bin/sh").read_bytes().replace(b"/ld-linux", b"/ld-gone_"))

    binary = fault("", lambda it: it.last_touch.append(write))
    report = await ask(tmp_path, binary, "firefox")
    (detail,) = [finding.detail for finding in report.findings if finding.id == "cannot-start"]
    assert "or the loader that it needs: No such file" in detail
