"""Each scene's story, as a program reads it, in each dialect."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from trio_ports.cli.demo.scenes import SCENES

DIALECTS = ("trio", "firefox", "chrome")
CLICKED_PAGE, CLICKED_BUTTON = "they clicked the page!", "they clicked the button!"


@pytest.fixture
def story(command):
    """Play a scene and return its events."""

    def play(scene: str, dialect: str = "trio") -> list[dict[str, Any]]:
        result = command("demo", "--json", "--scene", scene, "--dialect", dialect)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    return play


def heard(events: list[dict[str, Any]], whom: str) -> list[Any]:
    return [event["message"] for event in events if event["event"] == "delivered" and event["whom"] == whom]


def ends(events: list[dict[str, Any]], *, here: bool) -> list[tuple[str, str, str | None]]:
    over = [event for event in events if event["event"] == "disconnected" and event["here"] is here]
    return [(event["who"], event["whom"], event["cause"]) for event in over]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_obeys_the_rules(scene: str, dialect: str, story, temporary_folder: Path) -> None:
    """In each dialect: a port opens, talks, ends once, and is silent then; nothing is left behind."""
    events = story(scene, dialect)
    assert events[0] == {"event": "demo", "dialect": dialect, "scenes": [scene], "seconds": events[0]["seconds"]}
    assert [event["event"] for event in events if event["event"] in ("trouble", "scene")] == ["scene"]
    assert [event["event"] for event in events[-2:]] == ["scene-ended", "demo-ended"]
    assert events[-1]["ok"] is events[-2]["ok"] is True
    assert [event["seconds"] for event in events] == sorted(event["seconds"] for event in events)
    for number in {event["port"] for event in events if "port" in event}:
        own = [event["event"] for event in events if event.get("port") == number]
        assert own[0] == "opened"
        assert own.count("opened") == own.count("disconnected") == 1
    for event in events:
        if event["event"] == "opened":
            assert (event["sender"] is None) is (event["side"] == "opener")
    assert events[-1]["posted"] == sum(event["event"] == "posted" for event in events) > 0
    assert events[-1]["connections"] == sum(event.get("side") == "opener" for event in events) > 0
    assert list(temporary_folder.iterdir()) == []


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("scene", ["greeting", "tabs", "extensions"])
def test_what_is_sent_arrives(scene: str, dialect: str, story) -> None:
    """Between scripts every message that was posted is delivered, once, afterwards, to whom it was sent."""
    under_way: Counter[tuple[str, str, str]] = Counter()
    for event in story(scene, dialect):
        if event["event"] in ("posted", "delivered"):
            message = (event["who"], event["whom"], json.dumps(event["message"]))
            under_way[message] += 1 if event["event"] == "posted" else -1
            assert under_way[message] >= 0
    assert under_way.total() == 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_greeting(dialect: str, story) -> None:
    """They greet each other, go on when the user clicks, and the background learns of the end."""
    events = story("greeting", dialect)
    assert heard(events, "background") == [{"greeting": "hello from content script"}, {"greeting": CLICKED_PAGE}]
    assert [message["greeting"] for message in heard(events, "content script")] == [
        "hi there content script!",
        "the content script said: hello from content script",
        f"the content script said: {CLICKED_PAGE}",
        CLICKED_BUTTON,
    ]
    (receiver,) = (event for event in events if event.get("side") == "receiver")
    assert receiver["sender"]["id"] == "greetings@example.org"
    assert receiver["sender"]["tab"] == {"id": 1, "incognito": False, "url": "https://example.com/"}
    assert ends(events, here=True) == [("content script", "background", None)]
    assert ends(events, here=False) == [("background", "content script", None)]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_tabs(dialect: str, story) -> None:
    """One click greets all; after a tab was closed, those that are left, which learn that the extension has gone."""
    events = story("tabs", dialect)
    for tab_id, clicks in ((1, 2), (2, 1), (3, 2)):
        greetings = [message["greeting"] for message in heard(events, f"script in tab {tab_id}")]
        assert greetings == [f"hi there tab {tab_id}!", *[CLICKED_BUTTON] * clicks]
    assert len(heard(events, "background")) == 8
    closed, *orphaned = ends(events, here=False)
    assert closed == ("background", "script in tab 2", None)
    assert sorted(orphaned) == [("script in tab 1", "background", None), ("script in tab 3", "background", None)]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_extensions(dialect: str, story) -> None:
    """One extension is served by another, and told that a third one is not there."""
    events = story("extensions", dialect)
    assert heard(events, "dictionary") == ["port", "trio"]
    assert [list(message) for message in heard(events, "notes")] == [["port"], ["trio"]]
    assert ends(events, here=True) == [("notes", "dictionary", None)]
    assert ends(events, here=False) == [("dictionary", "notes", None), ("notes", "translator", "no-receiver")]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_native(dialect: str, story) -> None:
    """A process answers; an application that is not installed ends its port with the reason."""
    events = story("native", dialect)
    assert heard(events, "background") == ["pong", "pong"]
    assert [event["message"] for event in events if event["event"] == "posted"] == ["ping", "ping"]
    assert ends(events, here=True) == [("background", "ping_pong", None)]
    assert ends(events, here=False) == [("background", "tic_tac_toe", "manifest-not-found")]
