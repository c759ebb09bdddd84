"""Browsers on a bus act as one."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from bus.sharing import ID, URL, Heard, cause_of, share
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_ports
from trio_ports import Cause, SenderTab
from trio_ports._transports.carrier import GRACE_SECONDS
from trio_ports.bus import MemoryNetwork
from trio_ports.bus.streams import WINDOW_BYTES


async def test_a_call_reaches_every_browser_once() -> None:
    """A connect is heard by each listening page wherever it is, and answers reach the opener from all of them."""
    async with share(3) as (_, (one, two, three)):
        heard = [Heard(place.page) for place in (two, three)] + [Heard(one.extension.open_page("options.html"))]
        port = one.page.runtime.connect(name="all")
        port.post_message("hello")
        answers: list[Any] = []
        port.on_message.add_listener(lambda message, _: answers.append(message))
        await wait_all_tasks_blocked()
        assert [each.messages for each in heard] == [["hello"]] * 3
        for number, each in enumerate(heard):
            assert (len(each.ports), each.port.name) == (1, "all")
            each.port.post_message(number)
        await wait_all_tasks_blocked()
        assert sorted(answers) == [0, 1, 2]


async def test_a_call_from_another_browser_starts_a_background() -> None:
    """It hears what was posted meanwhile; if it adds no listener, nobody is there."""
    async with share(2) as (_, (one, two)):
        two.page.close()
        heard: list[Heard] = []
        background = two.extension.register_background(lambda context: heard.append(Heard(context)))
        port = one.page.runtime.connect(name="all")
        port.post_message("hello")
        await wait_all_tasks_blocked()
        assert [each.messages for each in heard] == [["hello"]]
        background.stop()
        await wait_all_tasks_blocked()
        assert port.error is None
        two.extension.register_background(lambda _: None)
        lonely = one.page.runtime.connect(name="nobody")
        await wait_all_tasks_blocked()
        assert lonely.error is not None
        assert lonely.error.cause is Cause.NO_RECEIVER


async def test_connect_post_and_disconnect_in_one_go() -> None:
    """All that was posted arrives, in order, and then one end without error."""
    async with share() as (_, (one, two)):
        heard = Heard(two.page)
        port = one.page.runtime.connect()
        for number in range(100):
            port.post_message(number)
        port.disconnect()
        await wait_all_tasks_blocked()
        assert (heard.messages, heard.ends) == (list(range(100)), [None])


async def test_the_sender_is_told_where_it_lives() -> None:
    """A receiver elsewhere sees the opener's extension, page, tab and document; the opener has no sender."""
    async with share() as (_, (one, two)):
        heard = Heard(two.page)
        tab = one.browser.open_tab(URL)
        script = one.extension.inject(tab)
        port = script.runtime.connect()
        await wait_all_tasks_blocked()
        sender = heard.port.sender
        assert sender is not None
        assert (sender.id, sender.url, sender.tab, sender.frame_id) == (ID, URL, SenderTab(tab.id, URL), 0)
        assert (sender.document_id, port.sender) == (script.document_id, None)


async def test_tabs_are_reached_by_their_number_from_anywhere() -> None:
    """No two browsers have a tab or a document of the same number; `tabs.connect` finds the one that is meant."""
    async with share(3) as (_, places):
        tabs = [place.browser.open_tab(URL) for place in places]
        heard = [Heard(place.extension.inject(tab)) for place, tab in zip(places, tabs, strict=True)]
        frame = tabs[1].open_frame(URL)
        framed = Heard(places[1].extension.inject(tabs[1], frame.id))
        assert len({tab.id for tab in tabs}) == len({tab.frames[0].document_id for tab in tabs}) == 3
        places[0].page.tabs.connect(tabs[1].id)
        places[0].page.tabs.connect(tabs[2].id, document_id=tabs[2].frames[0].document_id)
        places[0].page.tabs.connect(tabs[1].id, frame_id=frame.id)
        await wait_all_tasks_blocked()
        assert [len(each.ports) for each in (*heard, framed)] == [0, 1, 1, 2]


async def test_nobody_anywhere() -> None:
    """Where no browser has anybody who listens, the opener's end comes once, with the error of rule 6."""
    async with share(3) as (_, (one, *_others)):
        port = one.page.runtime.connect("nobody@example.org")
        port.post_message("lost")
        ends: list[Any] = []
        port.on_disconnect.add_listener(lambda port: ends.append(cause_of(port)))
        await wait_all_tasks_blocked()
        assert ends == [Cause.NO_RECEIVER]


async def test_a_listener_that_is_gone_before_it_is_told() -> None:
    """Somebody who stops listening in the same moment is nobody; who listens elsewhere is not disturbed by that."""
    async with share(3, dialect="firefox") as (_, (one, two, three)):
        staying = Heard(three.page)
        runtime = two.page.runtime
        # The first of two calls is told to a listener that then stops listening, before the second one is told.
        runtime.on_connect.add_listener(lambda port: runtime.on_connect.remove_listener(hear))
        hear = runtime.on_connect.listeners[0]
        ports = [one.page.runtime.connect(name=name) for name in ("first", "second")]
        await wait_all_tasks_blocked()
        assert [port.name for port in staying.ports] == ["first", "second"]
        assert [port.error for port in ports] == [None, None]
        assert staying.ends == []


async def test_who_may_connect_is_decided_by_the_one_who_is_called() -> None:
    """``externally_connectable`` of the browser that is called decides about extensions and web pages elsewhere."""
    async with share() as (_, (one, two)):
        key = {"ids": ["friend@example.org"], "matches": ["https://example.org/*"]}
        heard = Heard(two.browser.install("shop@example.org", externally_connectable=key).open_page(), external=True)
        friend = one.browser.install("friend@example.org").open_page()
        stranger = one.browser.install("stranger@example.org").open_page()
        page = one.browser.open_tab(URL).web_page_script()
        other = one.browser.open_tab("https://example.com/").web_page_script()
        ports = [context.runtime.connect("shop@example.org") for context in (friend, stranger, page, other)]
        await wait_all_tasks_blocked()
        assert [cause_of(port) for port in ports] == [None, Cause.NO_RECEIVER, None, Cause.NO_RECEIVER]
        assert [port.sender and port.sender.id for port in heard.ports] == ["friend@example.org", None]


async def test_a_receiver_that_leaves_is_told_once() -> None:
    """The opener's end comes when the last receiver has gone, wherever they are."""
    async with share(3) as (_, (one, two, three)):
        heard = [Heard(two.page), Heard(three.page)]
        port = one.page.runtime.connect()
        ends: list[Any] = []
        port.on_disconnect.add_listener(lambda port: ends.append(cause_of(port)))
        await wait_all_tasks_blocked()
        heard[0].port.disconnect()
        await wait_all_tasks_blocked()
        assert ends == []
        three.page.close()
        await wait_all_tasks_blocked()
        assert (ends, [each.ends for each in heard]) == ([None], [[], []])


@pytest.mark.parametrize("vanishes", [True, False])
async def test_firefox_ends_for_everybody(vanishes: bool) -> None:
    """In Firefox's dialect the first receiver that leaves ends the connection for all, across the bus too."""
    async with share(3, dialect="firefox") as (_, (one, two, three)):
        heard = [Heard(two.page), Heard(three.page)]
        port = one.page.runtime.connect()
        ends: list[Any] = []
        port.on_disconnect.add_listener(lambda port: ends.append(cause_of(port)))
        await wait_all_tasks_blocked()
        if vanishes:
            two.page.close()
        else:
            heard[0].port.disconnect()
        await wait_all_tasks_blocked()
        assert (ends, heard[1].ends) == ([None], [None])


async def test_chromium_tells_a_page_that_closed_from_one_that_disconnected() -> None:
    """In Chromium's dialect a page that closes is dropped; one that disconnects ends it, and others are not told."""
    async with share(4, dialect="chrome") as (_, (one, two, three, four)):
        heard = [Heard(place.page) for place in (two, three, four)]
        port = one.page.runtime.connect()
        ends: list[Any] = []
        port.on_disconnect.add_listener(lambda port: ends.append(cause_of(port)))
        await wait_all_tasks_blocked()
        two.page.close()
        await wait_all_tasks_blocked()
        assert ends == []
        heard[1].port.disconnect()
        await wait_all_tasks_blocked()
        heard[2].port.post_message("swallowed")
        await wait_all_tasks_blocked()
        assert (ends, heard[2].ends) == ([None], [])
        four.page.close()
        await wait_all_tasks_blocked()


async def test_a_crash_is_told_and_no_more() -> None:
    """The other side's error says that the owner failed, across the bus, and never how."""
    async with share() as (_, (one, two)):
        heard = Heard(two.page)
        with pytest.raises(ZeroDivisionError):
            async with one.page.runtime.connect():
                await wait_all_tasks_blocked()
                raise ZeroDivisionError("secret")
        await wait_all_tasks_blocked()
        assert heard.ends == [Cause.CRASHED]
        assert "secret" not in str(heard.port.error)


async def test_a_slow_reader_holds_its_sender_back_and_nobody_else() -> None:
    """Beyond the bounds and the window `send` waits, `post_message` refuses; other connections go on."""
    async with share(max_buffer_size=4) as (_, (one, two)):
        heard = Heard(two.page, listens=False)
        slow = one.page.runtime.connect(name="slow")
        await wait_all_tasks_blocked()
        large = "x" * 100_000
        sent = 0
        with pytest.raises(trio.WouldBlock):
            while True:
                slow.post_message(large)
                sent += 1
                await wait_all_tasks_blocked()
        assert 4 <= sent <= 16
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(slow.send, "never")
                await wait_all_tasks_blocked()
                scope.cancel()
        quick = one.page.runtime.connect(name="quick")
        await quick.send("hello")
        await wait_all_tasks_blocked()
        assert await heard.port.receive() == "hello"
        for _each in range(sent):
            assert await heard.ports[0].receive() == large
        await slow.send("at last")
        assert await heard.ports[0].receive() == "at last"


async def test_a_page_that_never_reads_stops_no_broadcast() -> None:
    """Among receivers in several browsers one that never reads is disconnected as unread; the others get everything."""
    async with share(3, max_buffer_size=3) as (_, (one, two, three)):
        deaf, heard = Heard(two.page, listens=False), Heard(three.page)
        port = one.page.runtime.connect()
        await wait_all_tasks_blocked()
        for number in range(20):
            await port.send(number)
            await wait_all_tasks_blocked()
        assert heard.messages == list(range(20))
        assert (deaf.port.error, port.error) != (None, None)
        assert deaf.port.error is not None
        assert deaf.port.error.cause is Cause.UNREAD
        assert [await deaf.port.receive() for _ in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("listens_here", [True, False])
async def test_a_single_receiver_is_waited_for_whoever_else_is_there(listens_here: bool) -> None:
    """Browsers where nobody listens make no difference: the only receiver loses nothing by reading late."""
    async with share(3, max_buffer_size=3) as (_, (one, two, _three)):
        heard = Heard(one.extension.open_page("late.html") if listens_here else two.page, listens=False)
        port = one.page.runtime.connect()
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                for number in range(50):
                    await port.send(number)

            nursery.start_soon(send)
            await wait_all_tasks_blocked()
            assert [await heard.port.receive() for _ in range(50)] == list(range(50))
        assert heard.port.error is None


async def test_a_page_that_never_reads_is_no_burden_beside_one_elsewhere() -> None:
    """Of a receiver here and one elsewhere the one that never reads is disconnected as unread, wherever it is."""
    for deaf_here in (True, False):
        async with share(2, max_buffer_size=3) as (_, (one, two)):
            near = Heard(one.extension.open_page("near.html"), listens=not deaf_here)
            far = Heard(two.page, listens=deaf_here)
            port = one.page.runtime.connect()
            for number in range(20):
                await port.send(number)
                await wait_all_tasks_blocked()
            deaf, hearing = (near, far) if deaf_here else (far, near)
            assert hearing.messages == list(range(20))
            assert cause_of(deaf.port) is Cause.UNREAD


async def test_a_message_over_the_other_browsers_limit() -> None:
    """Each browser has its own limit: what is too large for the other one ends the connection, at both sides."""
    network = MemoryNetwork()
    async with (
        network.open_bus() as here,
        network.open_bus() as there,
        trio_ports.open_browser(bus=here) as near,
        trio_ports.open_browser(bus=there, max_message_bytes=100) as far,
    ):
        heard = Heard(far.install(ID).open_page())
        await here.wait_peers()
        port = near.install(ID).open_page().runtime.connect()
        await port.send("x" * 1000)
        await port.wait_disconnected()
        await wait_all_tasks_blocked()
        assert (heard.ends, cause_of(port)) == ([Cause.TOO_LARGE], Cause.TOO_LARGE)


async def test_leaving_the_browser_is_an_orderly_end() -> None:
    """What was posted last still arrives, and the end comes without error, cancelled from outside or not."""
    async with share(1) as (network, (one,)):
        heard = Heard(one.page)
        for cancels in (False, True):
            with trio.CancelScope() as scope:
                async with network.open_bus() as bus, trio_ports.open_browser(bus=bus) as browser:
                    await bus.wait_peers()
                    port = browser.install(ID).open_page().runtime.connect()
                    await wait_all_tasks_blocked()
                    port.post_message("last")
                    if cancels:
                        scope.cancel()
            await wait_all_tasks_blocked()
        assert (heard.messages, heard.ends) == (["last", "last"], [None, None])


async def test_names_that_are_no_text() -> None:
    """What JavaScript lets names and ids be, lone surrogates and any number, harms no bus and arrives as it is."""
    async with share() as (_, (one, two)):
        heard = Heard(two.page)
        odd = two.browser.install("\udc00")
        ports = [
            one.page.runtime.connect(name="\ud800"),
            one.page.tabs.connect(2**70, frame_id=-(2**70), document_id="\udfff"),
        ]
        from_odd = Heard(two.page, external=True)
        one.browser.install("\udc00").open_page().runtime.connect(ID)
        await wait_all_tasks_blocked()
        assert [cause_of(port) for port in ports] == [None, Cause.NO_RECEIVER]
        assert heard.port.name == "\ud800"
        assert from_odd.port.sender is not None
        assert from_odd.port.sender.id == odd.id == "\udc00"


async def test_what_could_not_be_sent_in_time_is_no_orderly_end(autojump_clock: MockClock) -> None:
    """What a reader does not take within the grace after a disconnect is lost, and the reader is told so."""
    async with share(max_buffer_size=16) as (_, (one, two)):
        heard = Heard(two.page, listens=False)
        port = one.page.runtime.connect()
        await wait_all_tasks_blocked()
        message = "x" * (4096 - 6)  # With two quotes and its length it is 4,096 bytes, so that frames fill the window.
        posted = 0
        with pytest.raises(trio.WouldBlock):
            while True:
                port.post_message(message)
                posted += 1
                await wait_all_tasks_blocked()
        port.disconnect()
        await trio.sleep(2 * GRACE_SECONDS)
        received = 0
        with pytest.raises(trio.BrokenResourceError):
            while await heard.port.receive() == message:
                received += 1
        assert WINDOW_BYTES // 4096 <= received < posted
        assert cause_of(heard.port) is Cause.WIRE_BROKEN


async def test_nothing_is_left() -> None:
    """Once their ports have gone, two browsers hold no stream for them."""
    async with share() as (_, (one, two)):
        heard = Heard(two.page)
        for closes_here in (True, False):
            port = one.page.runtime.connect()
            await wait_all_tasks_blocked()
            (port if closes_here else heard.port).disconnect()
            one.page.runtime.connect("nobody@example.org")
            await wait_all_tasks_blocked()
        for place in (one, two):
            (peer,) = place.bus._peers.values()
            assert not peer._streams
