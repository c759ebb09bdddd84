"""Strategies for Hypothesis: messages, names, senders, and how bytes are cut."""

from __future__ import annotations

import math
from typing import Any, Final

from hypothesis import strategies as st

from .._protocol.senders import MessageSender, SenderTab

_SAFE_INTEGER: Final = 2**53 - 1
_TRAPS: Final[tuple[Any, ...]] = (
    *(0, None, False, True, 0.0, "", [], {}, -1),
    *("\x00", "\u2028", "\ufeff", "<", "null", [None], {"": ""}),
)
"""What programs take for nothing, for an end, or for something else; the simplest first: Hypothesis ends with it."""
_LONE: Final = ("\ud800", "a\udfff", {"\udc00": 1})
_LETTERS: Final = st.characters()
_SCALARS: Final = st.characters(codec="utf-8")


def json_messages(*, max_leaves: int = 12, surrogates: bool = True) -> st.SearchStrategy[Any]:
    """Generate JSON values: those that programs stumble over first, then any.

    Integers are those that JavaScript can hold.

    Args:
        max_leaves: how many values there may be in one message.
        surrogates: texts may hold lone surrogates, which are legal in JavaScript.
    """
    texts = st.text(_LETTERS if surrogates else _SCALARS, max_size=20)
    leaves = st.one_of(
        st.sampled_from((*_TRAPS, *_LONE) if surrogates else _TRAPS),
        st.integers(-_SAFE_INTEGER, _SAFE_INTEGER),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
    )

    def contain(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        # A "$" is how histories write what is no JSON.
        keys = texts.filter(lambda key: key != "$")
        return st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4))

    return st.recursive(leaves, contain, max_leaves=max_leaves)


def port_names(*, max_size: int = 20) -> st.SearchStrategy[str]:
    """Generate names of ports: any text, the empty one too."""
    return st.one_of(
        st.just(""), st.sampled_from(["port", "notes.sync", "a b", "名前", "\n"]), st.text(max_size=max_size)
    )


def senders() -> st.SearchStrategy[MessageSender]:
    """Generate senders: an extension's background or page, a content script, a web page, a native application."""
    ids = st.sampled_from(["notes@example.org", "abcdefghijklmnopabcdefghijklmnop"])
    urls = st.sampled_from(["https://example.org/", "https://example.org/frame?x=1", "http://127.0.0.1:8000/"])
    numbers = st.integers(1, 1000)
    documents = st.integers(1).map(lambda number: f"{number:032X}")
    own = st.builds(MessageSender, id=ids, url=st.just("extension://notes/background.html"), document_id=documents)
    tabs = st.builds(SenderTab, id=numbers, url=urls)
    in_tab = {"url": urls, "tab": tabs, "frame_id": st.integers(0, 9), "document_id": documents}
    return st.one_of(
        own,
        st.builds(MessageSender, id=ids, origin=st.just("https://example.org"), **in_tab),
        st.builds(MessageSender, origin=st.just("https://example.org"), **in_tab),
        st.builds(MessageSender, native_application=st.sampled_from(["ping_pong", "com.example.app"])),
    )


@st.composite
def chunkings(draw: st.DrawFn, data: bytes, *, max_chunks: float = math.inf) -> list[bytes]:
    """Generate ways to cut bytes into pieces that are not empty: all in one, each byte by itself, and any other.

    Args:
        draw: Hypothesis gives it.
        data: what is cut.
        max_chunks: how many pieces there may be.
    """
    most = int(min(max_chunks, len(data)))
    if len(data) <= 1 or most <= 1:
        return [data] if data else []
    if most == len(data) and draw(st.booleans()):
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted(draw(st.sets(st.integers(1, len(data) - 1), max_size=most - 1)))
    return [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]
