"""What a driver knows of a player, without one; and the folder of its extension."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio
import trio.testing

from trio_ports._drivers import BrowserGoneError, BrowserKind, PlayerExtension
from trio_ports._drivers.arrivals import Arrivals
from trio_ports._drivers.players import Context, write_extension
from trio_ports._drivers.reports import Event, Hello, Result, Results
from trio_ports._drivers.server import Socket


def pretend() -> tuple[Context, trio.testing.MemoryReceiveStream]:
    ours, theirs = trio.testing.memory_stream_pair()
    hello = Hello("a", "id", "script", "http://127.0.0.1/", None)
    return Context.of(hello, Socket(ours)), theirs.receive_stream


async def test_a_player_that_ends_before_it_answers() -> None:
    """The one who waits is told; the answer to a question that was cancelled is dropped."""
    context, _ = pretend()
    with pytest.RaisesGroup(pytest.RaisesExc(BrowserGoneError, match="before it answered")):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(context.ask, {})
            await trio.testing.wait_all_tasks_blocked()
            context.receive(Results(99, (Result(),)))
            context.end()
    assert context.gone.is_set()


async def test_a_player_that_has_left_its_socket() -> None:
    """It may have gone without our knowing yet."""
    context, back = pretend()
    await back.aclose()
    with pytest.raises(BrowserGoneError, match="has ended"):
        await context.ask({})


async def test_a_player_that_leaves_without_a_word() -> None:
    """A page that was left while it was still loading was never there."""
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.aclose()
    arrivals = Arrivals()
    await arrivals.handle(Socket(ours))
    assert (arrivals.contexts, arrivals.present) == ([], {})


async def test_what_happens_within_a_time() -> None:
    """An event ends the wait; none, and the time does."""
    arrivals = Arrivals()
    assert not await arrivals.happens_within(0.001)
    context, _ = pretend()
    async with trio.open_nursery() as nursery:

        async def happen() -> None:
            await trio.testing.wait_all_tasks_blocked()
            arrivals.take(context, Event("on_message"))

        nursery.start_soon(happen)
        assert await arrivals.happens_within(60)
    assert context.events == [Event("on_message")]


@pytest.mark.parametrize("kind", ["firefox", "chromium"])
def test_extensions_differ_by_their_name(kind: BrowserKind, tmp_path: Path) -> None:
    """In their id, in what was added to the manifest, and in nothing else."""
    for name in "a", "b":
        extra = {"externally_connectable": {"ids": [name]}}
        write_extension(tmp_path / name, kind, PlayerExtension(name, extra), f"// {name}\n")
    a, b = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in "ab")
    id_field = {"firefox": "browser_specific_settings", "chromium": "key"}[kind]
    assert {key for key in a if a[key] != b[key]} == {id_field, "externally_connectable"}
    assert (tmp_path / "b" / "settings.js").read_text() == "// b\n"
