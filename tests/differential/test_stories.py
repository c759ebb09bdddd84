"""Stories for every row of the dialects' table, in real browsers and in this package."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
import pytest
from differential.stories import STORIES, Story
from differential.traces import Trace
from differential.worlds import World, play_story
from laboratory.shared import SharedLaboratory

from trio_ports._protocol import dialects
from trio_ports._protocol.dialects import Dialect, NativeTexts, OneShotTexts

Record = Callable[[str], Trace]


@pytest.fixture(scope="module")
def recorded() -> dict[tuple[SharedLaboratory, str], Trace]:
    """What the real browsers told in each story, as far as anybody has asked."""
    return {}


@pytest.fixture
def record(world: World, recorded: dict[tuple[SharedLaboratory, str], Trace]) -> Record:
    """A function that plays a story in the real browser, once: a story that cannot be played fails only its test."""

    def play(name: str) -> Trace:
        if (world.laboratory, name) not in recorded:
            recorded[world.laboratory, name] = play_story(world, STORIES[name], real=True)
        return recorded[world.laboratory, name]

    return play


@pytest.mark.parametrize("name", STORIES)
def test_stories(world: World, record: Record, name: str) -> None:
    """Everybody is told the same as in the real browser."""
    expected, found = record(name), play_story(world, STORIES[name], real=False)
    for number, (ours, theirs) in enumerate(zip(found, expected, strict=True), 1):
        assert ours == theirs, f"move {number} of {STORIES[name].rule}"


FLIPPED_TEXT: Final = "Something else."
EXEMPT: Final = {
    "incognito_split": "the laboratory has no private windows",
    "devtools_hear_content_scripts": "the laboratory opens no devtools",
    "offscreen_documents": "it is a call that is refused, and no history has it",
    "prerenders": "it is a call that is refused, and no history has it",
    "names_user_script_world": "the laboratory runs no user scripts",
    "options_in_tab": "the laboratory does not open the list of extensions",
    "name": "it is the column's title",
    "max_buffer_bytes": "no history posts so many bytes",
    "tells_crashes": "nothing in a browser crashes as a scope does: a listener's exception is logged",
    "content_scripts_outlive_extension": "an extension that goes would take the player with it",
    "cached_page_ports": "the laboratory's browsers have no back/forward cache",
    "discard_renews_tab_id": "a history has a name for a tab, and no number",
    "own_posts_keep_awake": "it takes thirty seconds, and the player's own connection keeps its background awake",
}
"""Rows that no history of a browser can show, and why."""


def flips(dialect: Dialect) -> Iterator[tuple[str, Dialect]]:
    """Return each row of the table turned over; of a choice or a text, something else that it might say."""
    for field in attrs.fields(Dialect):
        value = getattr(dialect, field.name)
        if field.name in EXEMPT:
            continue
        if isinstance(value, NativeTexts):
            for each in attrs.fields(NativeTexts):
                unseen = {"bad_name": dialect.native_name_raises, "malformed": dialect.ignores_malformed}
                if unseen.get(each.name):
                    continue
                flipped = attrs.evolve(value, **{each.name: FLIPPED_TEXT})
                yield f"native_texts.{each.name}", attrs.evolve(dialect, native_texts=flipped)
            continue
        if isinstance(value, OneShotTexts):
            for each in ("gone", "not_serializable"):
                flipped = attrs.evolve(value, **{each: FLIPPED_TEXT})
                yield f"one_shot_texts.{each}", attrs.evolve(dialect, one_shot_texts=flipped)
            continue
        for other in OTHERS.get(field.name, [not value] if isinstance(value, bool) else ()):
            if other != value:
                yield f"{field.name}={other!r}", attrs.evolve(dialect, **{field.name: other})


OTHERS: Final[Mapping[str, Any]] = {
    "max_buffer_size": [1024, math.inf],
    "max_message_bytes": [64 * dialects.MIB, math.inf],
    "too_large_text": [None],
    "receiver_disconnects": ["last", "all", "opener"],
    "receiver_vanishes": ["last", "all"],
    "post_after_close_text": [None, "gone"],
    "listener_errors": ["raise", "log"],
    "document_id_overrules": ["nothing", "tab", "tab and frame"],
    "extension_url": ["extension://{id}", "moz-extension://{uuid}", "chrome-extension://{id}"],
    "document_lifecycle": [None, "active"],
}


HINTS: Final = {
    "returned_values_answer=True": "one_shot_returned",
    "first_answer_counts=True": "one_shot_twice",
    "first_answer_counts=False": "one_shot_twice",
    "declining_answers=True": "one_shot_silent_and_gone",
    "declining_answers=False": "one_shot_silent_and_gone",
    "tells_failures=False": "one_shot_fails",
    "one_shot_texts.gone": "one_shot_page_goes",
    "one_shot_texts.not_serializable": "one_shot_function",
    "native_port_name=False": "native_echo",
    "native_port_name=True": "native_echo",
    "native_name_raises=False": "native_bad_name",
    "native_name_raises=True": "native_bad_name",
    "native_texts.bad_name": "native_bad_name",
    "content_scripts_connect_native=False": "native_content_script",
    "content_scripts_connect_native=True": "native_content_script",
    "native_texts.manifest": "native_missing",
    "native_texts.not_allowed": "native_forbidden",
    "native_texts.program_missing": "native_no_program",
    "native_texts.not_executable": "native_not_executable",
    "native_texts.interpreter_missing": "native_no_interpreter",
    "native_texts.malformed": "native_invalid",
    "native_texts.too_large": "native_too_large",
    "native_texts.exited": "native_exits",
    "native_texts.closed_stdout": "native_closes_stdout",
    "native_texts.closed_stdin": "native_closes_stdin",
    "accepts_bom=False": "native_bom",
    "accepts_bom=True": "native_bom",
    "replaces_invalid_utf8=False": "native_invalid_utf8",
    "ignores_malformed=True": "native_invalid",
    "ignores_malformed=False": "native_invalid",
}
"""Which story is meant for a row that only native applications, or one-shot messages, show."""


def test_every_row_can_be_flipped() -> None:
    """A row that is added to the table has to be added here, unless it is a question of yes or no."""
    for field in attrs.fields(Dialect):
        assert field.name in {*OTHERS, *EXEMPT, "native_texts", "one_shot_texts"} or field.type in (bool, "bool")


def test_a_flipped_row_is_caught(world: World, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever row of a browser's column is turned over, a story then tells something else than the browser."""
    # That all of them agree as long as nothing is flipped is what `test_stories` says.
    missed = []
    for name, flipped in flips(dialects.DIALECTS[world.dialect]):
        with monkeypatch.context() as patch:
            patch.setitem(dialects.DIALECTS, world.dialect, flipped)
            # First the one that is meant for it: to wait for native applications in all of them would take long.
            names = sorted(STORIES, key=lambda each: (each != HINTS.get(name), each.startswith("native")))
            if not any(is_caught(world, STORIES[each], record(each)) for each in names):
                missed.append(name)
    assert missed == []


def is_caught(world: World, story: Story, recorded: Trace) -> bool:
    """Say whether the imitation does not do what the real browser did; what never comes is not waited for long."""
    try:
        return play_story(world, story, real=False, patience_seconds=3) != recorded
    except Exception:  # noqa: BLE001 - A browser that breaks is not like the real one.
        return True
