"""JavaScript doubles that others have published, as the table in the documentation has them.

They come from `tests/native/foreign/fetch.py`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import trio
from support import lacking

from trio_ports.testing._conformance.subjects import process
from trio_ports.testing._conformance.survey import Plan, survey_subject

PLAYER = Path(process.__file__).parent / "node" / "player.mjs"
FETCHED = Path(os.environ.get("TRIO_PORTS_FOREIGN", ""))
TABLE = Path(__file__).parents[2] / "docs" / "reference" / "doubles.rst"
FOUND = {
    "fake_browser": "runtime.onConnect.addListener threw Error: runtime.onConnect.addListener not implemented",
    "jest_webextension_mock": "no listener of onConnect was called",
    "sinon_chrome": "runtime.connect returned undefined, which is not a port",
    "jest_chrome": "runtime.connect returned undefined, which is not a port",
    "webextensions_api_fake": "no listener of onConnect was called",
    "polyfill": "",
}
"""For each double what it does instead of opening a connection; empty if it breaks no rule."""


@pytest.mark.repetition
@pytest.mark.parametrize("double", FOUND)
def test_a_published_double(double: str) -> None:
    """It does what the table says."""
    node = shutil.which("node")
    if node is None or "TRIO_PORTS_FOREIGN" not in os.environ:
        lacking("run tests/native/foreign/fetch.py FOLDER and set TRIO_PORTS_FOREIGN")
    command = [str(node), str(PLAYER), str(FETCHED / "doubles" / f"{double}.mjs")]
    report = trio.run(lambda: survey_subject(command, plan=Plan(examples=20)))
    assert report.hello is not None
    failed = [finding for finding in report.findings if finding.status == "fail"]
    if FOUND[double]:
        (opening,) = failed
        assert opening.rule == 2
        assert opening.detail.startswith(f"it opened no connection: {FOUND[double]}")
    else:
        assert failed == []
    name = report.hello.name.partition(" over ")[0]
    assert f"``{name}`` {report.hello.version}" in TABLE.read_text(encoding="utf-8")
