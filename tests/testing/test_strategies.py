"""The strategies draw what they say."""

from __future__ import annotations

import json

from hypothesis import find, given, settings
from hypothesis import strategies as st

import trio_ports
from trio_ports.testing import chunkings, describe_history, histories, json_messages, port_names, senders
from trio_ports.testing._conformance.history.moves import EXTENSIONS
from trio_ports.testing._conformance.model import DIALECT_RULES, Model

SOME = settings(max_examples=50)


@SOME
@given(json_messages())
def test_messages(message: object) -> None:
    """Each is JSON, and comes back from there."""
    assert json.loads(json.dumps(message)) == message


def test_messages_have_the_traps() -> None:
    """The values that are taken for nothing, and surrogates unless they are unwanted."""
    assert find(json_messages(), lambda message: message is None) is None
    lone = find(json_messages(), lambda message: isinstance(message, str) and "\ud800" <= message[:1] <= "\udfff")
    assert len(lone) == 1


@SOME
@given(json_messages(surrogates=False))
def test_messages_without_surrogates(message: object) -> None:
    """They can be written as UTF-8."""
    json.dumps(message, ensure_ascii=False).encode()


@SOME
@given(port_names(), senders())
def test_names_and_senders(name: str, sender: trio_ports.MessageSender) -> None:
    """They are what an opener takes."""
    assert isinstance(name, str)
    assert isinstance(sender, trio_ports.MessageSender)


@SOME
@given(st.data(), st.binary(max_size=30))
def test_chunkings(data: st.DataObject, whole: bytes) -> None:
    """The pieces are the whole, and none is empty."""
    pieces = data.draw(chunkings(whole))
    assert b"".join(pieces) == whole
    assert all(pieces)
    assert len(data.draw(chunkings(whole, max_chunks=2))) <= 2


def test_chunkings_of_single_bytes() -> None:
    """Each byte by itself is one of the ways, and so is any other; of one byte, or none, there is only one."""
    assert len(find(chunkings(bytes(20)), lambda pieces: len(pieces) == 20)) == 20
    assert len(find(chunkings(b"abc"), lambda pieces: len(pieces) == 2)) == 2
    assert find(chunkings(b"a"), lambda pieces: True) == [b"a"]
    assert find(chunkings(b""), lambda pieces: True) == []


@SOME
@given(histories(browser=True))
def test_histories_of_a_world(history: list[dict[str, object]]) -> None:
    """Each is JSON, every move makes sense, and people can read it."""
    assert json.loads(json.dumps(history)) == history
    reference = Model.of_browser(DIALECT_RULES["trio"], EXTENSIONS)
    for move in history:
        assert reference.may(move)
        reference.play(move)
    assert len(describe_history(history).splitlines()) == len(history)


@SOME
@given(histories(receivers=2, dialect="firefox"))
def test_histories_of_ends(history: list[dict[str, object]]) -> None:
    """The same for the ends of one connection."""
    reference = Model.of_ends(DIALECT_RULES["firefox"], 2)
    for move in history:
        assert reference.may(move)
        reference.play(move)
    assert describe_history(history).count("\n") == max(0, len(history) - 1)
