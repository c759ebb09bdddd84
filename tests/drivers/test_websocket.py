"""The framing of WebSocket, from a server's side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_ports._drivers.websocket import WebSocketMessages, accept_key, encode_message, unmask

KEY = b"\x12\x34\x56\x78"


def client_frame(data: bytes, opcode: int = 1, *, final: bool = True) -> bytes:
    """Make a server's frame a client's: the mask bit, and the key between head and content."""
    frame = bytearray(encode_message(data, opcode))
    if not final:
        frame[0] &= 0x7F
    frame[1] |= 0x80
    head = len(frame) - len(data)
    return bytes(frame[:head]) + KEY + unmask(data, KEY)


def test_the_handshake_is_the_specifications() -> None:
    """RFC 6455, section 1.3, has this example."""
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@given(messages=st.lists(st.binary(max_size=300), max_size=4), size=st.integers(1, 200))
def test_messages_arrive_whole_however_the_bytes_are_cut(messages: list[bytes], size: int) -> None:
    """Any division of the bytes gives the same messages."""
    socket, data = WebSocketMessages(), b"".join(map(client_frame, messages))
    received = [each for start in range(0, len(data), size) for each in socket.receive_data(data[start : start + size])]
    assert received == messages


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 1_000_001])
def test_every_length_is_framed(size: int) -> None:
    """The three ways to write a length, at their borders."""
    assert WebSocketMessages().receive_data(client_frame(b"x" * size)) == [b"x" * size]


def test_fragments_make_one_message_and_a_ping_between_them_is_answered() -> None:
    """A control frame may stand between the fragments of a message; a pong says nothing."""
    socket = WebSocketMessages()
    data = client_frame(b"ab", final=False) + client_frame(b"hi", 9) + client_frame(b"", 10) + client_frame(b"c", 0)
    assert socket.receive_data(data) == [b"abc"]
    assert socket.answers == b"\x8a\x02hi"


def test_nothing_is_read_after_a_close() -> None:
    """The client has left."""
    socket = WebSocketMessages()
    assert socket.receive_data(client_frame(b"", 8) + client_frame(b"more")) == []
    assert socket.closed


def test_a_frame_without_a_mask_is_refused() -> None:
    """A browser always masks."""
    with pytest.raises(ValueError, match="not masked"):
        WebSocketMessages().receive_data(encode_message(b"x"))
