"""Write the support matrix: each story in the real browsers and in the three dialects.

Called with the folder of the documentation that it is written to. A cell is what the column did: a letter for each
different behaviour in the row, the same letter for the same behaviour.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import tomllib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from differential.applications import installed
from differential.stories import STORIES, Story
from differential.traces import Trace
from differential.worlds import World, start_world

HEAD: Final = """\
.. Written by `nox -s support_matrix`; do not edit.

The support matrix
==================

Every row is a history that was played in real browsers and in the three dialects of this package. In a row, the same
letter means the same behaviour: everybody was told the same, in the same order, with the same errors. What senders say
is compared in the rows of rule 9 only, and ``port.error`` after the end in that of rule 25; the tests compare them in
all. :doc:`browsers` says how, and more of the rows in which a dialect is not as its browser.
"""
COLUMNS: Final = ("Firefox", "``firefox``", "Chromium", "``chrome``", "``trio``")


def play(world: World, story: Story, dialect: Any = None, *, real: bool = False) -> Trace | str:
    """Play a story in one column; what breaks there is a behaviour, too."""
    with ExitStack() as stack:
        if story.plan is not None:
            folder = Path(world.manifest_folder)
            stack.enter_context(installed(folder, world.extension_ids["a"], story.plan, story.how))
        try:
            if real:
                return world.play(story.history, as_is=True)
            return world.imitate(story.history, dialect=dialect, as_is=True)
        except Exception as error:  # noqa: BLE001 - A listener's exception leaves through the scope, in one dialect.
            return type(error).__name__


def neutral(trace: Any, story: Story) -> str:
    """Return a trace without what is the matter of other rows: addresses, senders, and errors after the end."""
    if not isinstance(trace, str):
        if not story.rule.startswith("25"):
            trace = trace[:-1]
        if not story.rule.startswith("9"):
            for move in trace[:-1] if story.rule.startswith("25") else trace:
                for events in move["told"].values():
                    for event in events:
                        if event[0].startswith(("on_connect", "on_one_shot")):
                            del event[3:]
    text = json.dumps(trace, sort_keys=True)
    for scheme in "moz-extension://{uuid}", "chrome-extension://{id}", "extension://{id}", "extension://{uuid}":
        text = text.replace(scheme, "extension")
    return text


def write(folder: Path) -> None:
    """Play everything and write the page."""
    columns: list[dict[str, str]] = []
    versions: list[str] = []
    for kind in ("firefox", "chromium"):
        world = start_world(kind)  # type: ignore[arg-type]
        try:
            columns.append({name: neutral(play(world, story, real=True), story) for name, story in STORIES.items()})
            columns.append({name: neutral(play(world, story), story) for name, story in STORIES.items()})
            if kind == "chromium":
                columns.append({name: neutral(play(world, story, "trio"), story) for name, story in STORIES.items()})
            versions.append(world.version)
        finally:
            world.laboratory.stop()
    today = dt.datetime.now(dt.UTC).date().isoformat()
    firefox, chromium = (f"{version} · {today}" for version in versions)
    project = tomllib.loads((folder.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    ours = f"{project['project']['version']} · {today}"
    rows = [
        [
            "Rule",
            *(f"{name} {where}" for name, where in zip(COLUMNS, (firefox, ours, chromium, ours, ours), strict=True)),
        ]
    ]
    for name, story in STORIES.items():
        rows.append([story.rule, *letters([column[name] for column in columns])])
    lines = [HEAD, ".. list-table::", "   :header-rows: 1", "   :widths: 40 12 12 12 12 12", ""]
    for row in rows:
        lines += [f"   {'  -' if index else '* -'} {cell}" for index, cell in enumerate(row)]
    (folder / "support_matrix.rst").write_text("\n".join(lines) + "\n", encoding="utf-8")


def letters(behaviours: Sequence[str]) -> list[str]:
    """Return a letter for each behaviour."""
    known = list(dict.fromkeys(behaviours))
    return [chr(ord("A") + known.index(each)) for each in behaviours]


if __name__ == "__main__":
    write(Path(sys.argv[1]))
