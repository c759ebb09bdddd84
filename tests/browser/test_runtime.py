"""What ``runtime`` and ``tabs`` show and refuse."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from support import open_world, refuse_elsewhere, settle

from trio_ports import Cause, LocalProtocolError, Port


async def test_ids_and_reprs() -> None:
    """runtime.id is the extension's, None in a web page."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        web = tab.web_page_script()
        assert (world.page.runtime.id, web.runtime.id) == ("notes@example.org", None)
        assert repr(world.page.runtime) == f"<runtime of {world.page!r}>"
        assert repr(world.page.tabs) == f"<tabs of {world.page!r}>"
        assert repr(world.background).startswith("<Context background of notes@example.org 'extension://")
        assert repr(web) == f"<Context web_page in frame 0 of tab {tab.id} 'https://example.org/'>"
        world.page.close()
        assert repr(world.page).endswith("(closed)>")


async def test_what_a_context_lacks() -> None:
    """A content script has no tabs; a web page is connected to by nobody and must say whom it means."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        script, web = world.extension.inject(tab), tab.web_page_script()
        for context, what in ((script, "content script"), (web, "web page")):
            with pytest.raises(LocalProtocolError, match=f"a {what} has no tabs"):
                _ = context.tabs
            with pytest.raises(LocalProtocolError, match=f"a {what} has no runtime.on_connect_external"):
                _ = context.runtime.on_connect_external
            with pytest.raises(LocalProtocolError, match=f"a {what} has no runtime.connect_native"):
                context.runtime.connect_native("ping_pong")
        with pytest.raises(LocalProtocolError, match=r"a web page has no runtime\.on_connect"):
            _ = web.runtime.on_connect
        with pytest.raises(LocalProtocolError, match="a web page belongs to no extension"):
            web.runtime.connect()
        with pytest.raises(LocalProtocolError, match=r"has no runtime\.on_connect"):
            await web.runtime.serve(trio.sleep)  # type: ignore[arg-type]


async def test_from_another_thread() -> None:
    """Every opener says that it must be called inside Trio."""
    async with open_world() as world:
        world.listen()
        runtime, event = world.page.runtime, world.background.runtime.on_connect
        await refuse_elsewhere(
            runtime.connect,
            lambda: world.page.tabs.connect(1),
            lambda: event.add_listener(print),
            lambda: event.remove_listener(world.ports.append),
        )
        assert event.has_listener(world.ports.append)
        await settle()
        assert world.ports == []


async def test_errors_of_several_ports_at_a_time() -> None:
    """In chrome each port's listeners see its own in last_error, however long they wait, and nobody else sees any."""
    seen: list[Any] = []

    async with open_world(dialect="chrome") as world:
        runtime = world.page.runtime
        orderly, receiver = await world.connect()
        gate = trio.Event()

        async def look(port: Port) -> None:
            await gate.wait()
            seen.append((port.name, runtime.last_error and runtime.last_error.cause))

        runtime.connect("nobody", name="lost").on_disconnect.add_listener(look)
        orderly.on_disconnect.add_listener(look)
        receiver.disconnect()
        await settle()
        runtime.connect("nobody", name="quick").on_disconnect.add_listener(lambda _: seen.append(runtime.last_error))
        await settle()
        assert runtime.last_error is None
        assert await trio.to_thread.run_sync(lambda: runtime.last_error) is None  # No task, as in a host's callback.
        gate.set()
        await settle()
    assert seen[0].cause is Cause.NO_RECEIVER
    assert sorted(seen[1:]) == [("", None), ("lost", Cause.NO_RECEIVER)]
