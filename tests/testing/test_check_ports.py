"""``trio-ports check-ports``: what the command writes, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support import PATIENCE_SECONDS

import trio_ports
from trio_ports.cli.ports_page import write_page

HERE = Path(__file__).parent
PATHS = [str(Path(trio_ports.__file__).parent.parent), str(HERE.parent)]
RIGHT = [sys.executable, str(HERE / "subjects" / "pair.py"), "is right"]
WRONG = [sys.executable, str(HERE / "subjects" / "pair.py"), "does not post null"]


def check(*arguments: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    program = ["-c", code] if code else ["-m", "trio_ports", "check-ports"]
    paths = os.pathsep.join([*PATHS, os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        env={**os.environ, "PYTHONPATH": paths, **environment},
    )


def test_nothing_failed() -> None:
    """A line for each story, a summary, and 0."""
    done = check("--rule", "8", "--rule", "12", *RIGHT)
    assert done.returncode == 0, done.stderr
    first, second, *_, empty, last = done.stdout.splitlines()
    assert (first, second) == (
        "pass rule 0   the greeting",
        "pass rule 2   A connection is opened, and each end is there.",
    )
    assert empty == ""
    assert last.startswith("is right 1.2, by the rules of trio: ")
    assert last.endswith(" passed, 0 failed, 0 warnings.")


def test_something_failed(tmp_path: Path) -> None:
    """Every form of the report says what; a baseline expects it, and is out of date when it passes."""
    junit, page, report = tmp_path / "report.xml", tmp_path / "report.html", tmp_path / "report.json"
    done = check("--json", "--junit", str(junit), "--html", str(page), "--rule", "13", *WRONG)
    assert done.returncode == 1
    report.write_text(done.stdout, encoding="utf-8")
    plain = json.loads(done.stdout)
    assert plain["subject"] == {"name": "does not post null", "version": "1.2"}
    assert (plain["dialect"], plain["seed"], plain["ok"], plain["format"]) == ("trio", 0, False, 1)
    assert plain["versions"]["trio_ports"] == version("trio_ports")
    failed = [finding for finding in plain["findings"] if finding["status"] == "fail"]
    assert {finding["rule"] for finding in failed} == {13}
    assert failed[0]["history"][-1]["steps"][-1]["message"] is None
    assert "post_message(null)" in failed[0]["story"]
    assert failed[0]["wire"].startswith("> {")
    suite = ET.fromstring(junit.read_text(encoding="utf-8"))
    assert suite.get("failures") == str(len(failed))
    text = page.read_text(encoding="utf-8")
    assert '<a href="#s1-r13">' in text
    assert '<section id="s1-r13">' in text

    expected = check("--baseline", str(report), "--rule", "13", *WRONG)
    assert expected.returncode == 0
    assert f"{len(failed)} failed as expected" in expected.stdout
    mended = check("--baseline", str(report), "--rule", "13", "--html", str(page), "--beside", str(report), *RIGHT)
    assert mended.returncode == 1
    assert "it no longer fails: take it out of the baseline" in mended.stdout
    assert '<a href="#s2-r13">' in page.read_text(encoding="utf-8")


def test_warnings() -> None:
    """They fail the command with --strict only."""
    done = check("--dialect", "chrome", "--rule", "15", *RIGHT)
    assert done.returncode == 0, done.stdout
    assert "warn rule 15" in done.stdout
    assert check("--strict", "--dialect", "chrome", "--rule", "15", *RIGHT).returncode == 1


def test_the_list() -> None:
    """Every story once, with its rule and a link."""
    lines = check("--list").stdout.splitlines()
    assert lines[0].startswith("rule ")
    assert lines[1].strip().startswith("https://developer.mozilla.org/")
    stories = json.loads(check("--list", "--json").stdout)
    assert len(stories) == len(lines) / 2
    assert {"rule", "check", "sentence", "link"} == stories[0].keys()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "give either COMMAND..., or --node, or --browser"),
        (("--node", "x", "y"), "give either COMMAND..., or --node, or --browser"),
        (("--junit", "/nowhere/x.xml", "y"), "there is no folder /nowhere"),
        (("--html", "/nowhere/x.html", "y"), "there is no folder /nowhere"),
        (("--beside", "x.json", "y"), "--beside is for the page: give --html too"),
        (("--html", "x.html", "--beside", "/nowhere/x.json", "y"), "is not a report that --json wrote"),
        (("--baseline", "/nowhere/x.json", "y"), "is not a report that --json wrote"),
        (("/nowhere/at/all",), "trio-ports: cannot start /nowhere/at/all: No such file or directory"),
        (("--rule", "33", "y"), "'33' is not one of"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], why: str, tmp_path: Path) -> None:
    """It is said what is wrong, and the status is 2."""
    done = check(*arguments)
    assert done.returncode == 2
    assert why in " ".join(done.stderr.replace("│", " ").split())


def test_an_unknown_story_in_a_baseline(tmp_path: Path) -> None:
    """A baseline that is out of date is noticed."""
    baseline = tmp_path / "baseline.json"
    baseline.write_text('{"findings": [{"check": "nothing like that", "status": "fail"}]}', encoding="utf-8")
    done = check("--baseline", str(baseline), "y")
    assert done.returncode == 2
    assert "nothing like that" in done.stderr


def test_a_subject_that_does_not_greet(tmp_path: Path) -> None:
    """The page can show it, under its command."""
    page = tmp_path / "page.html"
    done = check("--html", str(page), sys.executable, "-c", "print('hello')")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("It is not a subject. 0 passed, 1 failed")
    assert "print(&#x27;hello&#x27;)" in page.read_text(encoding="utf-8")


def test_without_hypothesis() -> None:
    """It is said how to install it."""
    code = "import sys; sys.modules['hypothesis'] = None; from trio_ports.cli import main; main()"
    done = check("check-ports", "--list", code=code)
    assert done.returncode == 1
    assert "python -m pip install 'trio_ports[testing]'" in done.stderr


def test_without_node(tmp_path: Path) -> None:
    """It is said what is missing."""
    done = check("--node", "x", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "no program `node` on the PATH" in done.stderr


def test_a_module_for_node() -> None:
    """Node is started with the adapter."""
    done = check("--node", "/nowhere/double.mjs")
    assert done.returncode == 1
    assert "there is no program `node`" in done.stderr or "it exited with status 1" in done.stdout


def test_a_page_of_all_verdicts() -> None:
    """Each verdict has its sign and its section, and a rule that was not asked has none."""

    def report(name: str, **statuses: str) -> dict[str, Any]:
        findings = [
            {"rule": int(rule[1:]), "check": "<b>", "status": status, "detail": "why", "wire": "", "story": "s"}
            for rule, status in statuses.items()
        ]
        circumstances = {"versions": {"trio_ports": "1", "python": "3"}, "platform": "p", "started": "s", "seconds": 1}
        return {**circumstances, "subject": {"name": name, "version": ""}, "dialect": "trio", "seed": 0,
                "findings": findings}  # fmt: skip

    page = write_page([report("one", r2="pass", r13="warn"), report("two", r13="skip", r0="pass")])
    assert page.count('class="verdict') == 4
    assert 'class="verdict warn"' in page
    assert "<td></td>" in page
    assert "&lt;b&gt;" in page
    assert "A subject speaks the protocol" in page
