"""Links: the tasks that carry an end of a connection over a stream to another browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._browser.calls import Answer, Call, no_receiver
from .._ports.connection import End
from .._protocol.errors import Cause, PortError
from .._protocol.frames import FrameDecoder
from .._transports.carrier import GRACE_SECONDS, Carrier, Finish, wire_error
from .peers import Peer
from .streams import BusStream, error_of


@final
@attrs.frozen(eq=False)
class Links:
    """The links of a browser to the others on its bus."""

    _peers: Mapping[str, Peer]
    _answer: Answer
    _max_message_bytes: float
    _nursery: trio.Nursery

    def peers(self) -> Sequence[str]:
        """Return the names of the nodes that are there."""
        return tuple(self._peers)

    def call(self, call: Call, ends: Mapping[str, End]) -> None:
        """Open a stream to each of these nodes; see `trio_ports._browser.calls.Elsewhere`."""
        streams: list[BusStream] = []
        for peer, end in ends.items():
            end.expect_answer()  # That node takes care of receivers that do not read.
            stream = self._peers[peer].open_stream(call)
            streams.append(stream)
            self._nursery.start_soon(self._carry, end, stream, streams)

    def accept(self, call: Call, stream: BusStream) -> None:
        """Take a stream that another node has opened."""
        end = self._answer(call)
        stream.answer(heard=end is not None)
        if end is not None:
            stream.on_shared = end.share
            self._nursery.start_soon(self._carry, end, stream, None)

    @enable_ki_protection
    async def _carry(self, end: End, stream: BusStream, streams: Sequence[BusStream] | None) -> None:
        """Carry frames between ``end``, which it owns, and a stream; ``streams`` are those of a call made here."""
        decoder = FrameDecoder(max_frame_bytes=self._max_message_bytes, names_printed_text=False)
        carrier = Carrier(end, stream.receive_some, stream.send_all, decoder, grace_seconds=GRACE_SECONDS)
        try:
            async with trio.open_nursery() as nursery:
                if streams is not None:
                    nursery.start_soon(_hear_answer, end, stream, streams, nursery.cancel_scope)
                await carrier.run()
                nursery.cancel_scope.cancel()
        finally:
            _finish(carrier, end, stream)


@enable_ki_protection
async def _hear_answer(end: End, stream: BusStream, streams: Sequence[BusStream], scope: trio.CancelScope) -> None:
    """Wait until the other node has answered. If nobody listens there, withdraw the end."""
    try:
        heard = await stream.wait_answered()
    finally:
        known = end.note_answer()
    if not heard:
        end.withdraw(no_receiver())
        scope.cancel()
        return
    if known > 1:
        for other in streams:
            if other.heard:
                other.share()
    end.release_senders()


def _finish(carrier: Carrier, end: End, stream: BusStream) -> None:
    """Report to each side how the other one ended."""
    if carrier.finish is Finish.LEFT:
        error = end.peer_error
        if error is None and (stream.is_sending or end.lane.used):
            error = PortError("Not all that was posted could be sent in time.", cause=Cause.WIRE_BROKEN)
        stream.end(error, vanished=end.peer_vanished)
        end.close()
        return
    ended = stream.peer_ended
    if carrier.finish is Finish.END_OF_FILE and ended is not None:
        stream.end()
        error = error_of(ended)
        if error is not None and error.cause is Cause.NO_RECEIVER:
            end.withdraw(error)
        else:
            end.close(error, vanished=ended.vanished)
        return
    error = wire_error(carrier)
    stream.end(None if error is None else PortError("The other side could not read a message.", cause=error.cause))
    end.close(error)
