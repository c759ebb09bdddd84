"""``receive_nowait``: the next message, or the reason why there is none, at once."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from native_support import encode
from support import Witness, each_dialect, refuse_elsewhere, settle
from trio.testing import memory_stream_pair

from trio_ports import Cause, MessageShapeError, open_port_pair
from trio_ports._transports.streams import open_stream_port


@each_dialect
async def test_what_has_arrived_is_taken_in_order(nursery: trio.Nursery, dialect: Any) -> None:
    """Then WouldBlock; after the last message before an end, the end."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    with pytest.raises(trio.WouldBlock):
        receiver.receive_nowait()
    for number in range(3):
        opener.post_message(number)
    assert [receiver.receive_nowait(), await receiver.receive(), receiver.receive_nowait()] == [0, 1, 2]
    with pytest.raises(trio.WouldBlock):
        receiver.receive_nowait()
    opener.post_message("last")
    opener.disconnect()
    assert receiver.receive_nowait() == "last"
    for _ in range(2):
        with pytest.raises(trio.EndOfChannel):
            receiver.receive_nowait()
    await receiver.wait_disconnected()
    assert receiver.statistics().state == "ended"
    with pytest.raises(trio.ClosedResourceError):
        opener.receive_nowait()


async def test_the_end_without_a_last_message(nursery: trio.Nursery) -> None:
    """It is delivered by the call, once, and an on_disconnect listener learns of it."""
    opener, receiver = open_port_pair(nursery)
    seen: list[Any] = []
    receiver.on_disconnect.add_listener(seen.append)
    opener.disconnect()
    with pytest.raises(trio.EndOfChannel):
        receiver.receive_nowait()
    await settle()
    assert seen == [receiver]


async def test_one_consumer_at_a_time(nursery: trio.Nursery) -> None:
    """Neither beside a task that reads nor beside listeners, and not in another thread."""
    opener, receiver = open_port_pair(nursery)
    nursery.start_soon(receiver.receive)
    Witness(opener)
    await settle()
    for port in (opener, receiver):
        with pytest.raises(trio.BusyResourceError):
            port.receive_nowait()
    await refuse_elsewhere(receiver.receive_nowait)
    opener.post_message(1)
    await settle()
    opener.disconnect()


async def test_wrong_shapes_and_nonsense() -> None:
    """A message of another type raises and the port goes on; bytes that are no message end it, with the reason."""
    one, other = memory_stream_pair()
    observed: list[Any] = []
    async with open_stream_port(one, message_type=int, observer=observed.append) as port:
        await other.send_all(encode("text") + encode(1) + encode(b"{"))
        await settle()
        with pytest.raises(MessageShapeError):
            port.receive_nowait()
        assert port.receive_nowait() == 1
        with pytest.raises(trio.BrokenResourceError, match="Not a JSON message"):
            port.receive_nowait()
        assert port.error is not None
        assert port.error.cause is Cause.MALFORMED
        assert [type(each).__name__ for each in observed] == ["Opened", "Delivered", "Dropped", "Disconnected"]
