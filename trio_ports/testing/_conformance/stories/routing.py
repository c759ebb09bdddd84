"""Rules 2, 3, 4 and 6: which contexts a connect reaches, and what the opener learns if it reaches none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ..history.moves import (
    NOBODY,
    History,
    Step,
    add_listener,
    by,
    close,
    close_context,
    connect,
    hear,
    install,
    listen,
    navigate,
    open_frame,
    open_page,
    open_tab,
    post,
    remove_listener,
    tabs_connect,
    turn,
    uninstall,
)
from .story import Story

PLACES: Final = {
    "a": "the background",
    "p1/a": "an extension page in a tab",
    "g1/a": "an extension page in no tab",
    "t1/a": "a content script",
    "f1/a": "a content script in a frame",
    "b": "another extension's background",
    "t1/b": "another extension's content script",
    "t1/web": "a web page",
}
"""The contexts of the stories, for their sentences."""


def all_listen(*contexts: str) -> History:
    """Let contexts listen to both events of connections, as far as they have them."""
    own = [turn(at, listen()) for at in contexts]
    external = [turn(at, listen(event="on_connect_external")) for at in contexts if at.count("/") == 0 or at[0] in "pg"]
    return own + external


def opened(port: str = "c", **options: Any) -> list[Step]:
    """Connect and listen to the port."""
    return [connect(port, **options), *hear(port)]


def opened_in(tab: str, port: str = "c", **options: Any) -> list[Step]:
    """Connect to a tab and listen to the port."""
    return [tabs_connect(port, tab, **options), *hear(port)]


EVERYWHERE: Final = [
    open_tab("t1", web=True),
    open_frame("f1", "t1"),
    open_tab("t2"),
    open_page("p1", "a"),
    open_page("g1", "a", hidden=True),
    *all_listen("a", "b", "p1/a", "g1/a"),
    *[turn(at, listen()) for at in ("t1/a", "t1/b", "f1/a", "f1/b", "t2/a")],
]
"""Two extensions with pages, content scripts in two tabs and a frame, and all of them listen."""


def tell_who_is_reached() -> Iterator[Story]:
    """Rules 2 and 3."""
    simple = [open_tab("t1"), turn("a", listen())]
    connects = turn("t1/a", *opened(), post(1, "c"))
    yield Story(2, "A background that listens gets one port for a content script's connection.", [*simple, connects])
    two = [open_page("g1", "a", hidden=True), *all_listen("a", "g1/a")]
    history = [*two, turn("a", *opened(), post(1, "c"))]
    yield Story(2, "A background that connects reaches the extension's other page, and not itself.", history)
    second = add_listener("on_connect", "second", port=None)
    yield Story(2, "A context with two listeners of on_connect gets one port.", [*simple, turn("a", second), connects])
    scripts = [turn("t1/a", listen()), turn("t2/a", listen())]
    history = [open_tab("t1"), open_tab("t2"), turn("a", listen()), *scripts, turn("t1/a", *opened(), post(1, "c"))]
    yield Story(3, "runtime.connect reaches no content script, however many listen.", history)
    for opener in ("a", "t1/a", "g1/a", "p1/a"):
        yield Story(
            2,
            f"Among many contexts, {PLACES[opener]} reaches each other page of the extension once, and nobody else.",
            [*EVERYWHERE, turn(opener, *opened(), post(1, "c"))],
        )


def tell_which_event() -> Iterator[Story]:
    """Rule 3."""
    for opener in ("a", "t1/a"):
        history = [*EVERYWHERE, turn(opener, *opened(extension="b"), post(1, "c"))]
        yield Story(3, f"Another extension hears {PLACES[opener]} by on_connect_external.", history)
        history = [*EVERYWHERE, turn(opener, *opened(extension="a"), post(1, "c"))]
        yield Story(3, f"One's own extension hears {PLACES[opener]} by on_connect, also if it was named.", history)
    for opener in ("b", "t1/b"):
        history = [*EVERYWHERE, turn(opener, *opened(extension="a"), post(1, "c"))]
        yield Story(3, f"An extension without externally_connectable lets {PLACES[opener]} connect.", history)


def tell_who_may_connect() -> Iterator[Story]:
    """Rules 3 and 6, for web pages and for extensions that choose who may connect."""
    for extension, sentence in (
        ("a", "An extension without externally_connectable lets no web page connect."),
        ("b", "An extension whose externally_connectable matches a web page lets it connect."),
    ):
        yield Story(3, sentence, [*EVERYWHERE, turn("t1/web", *opened(extension=extension), post(1, "c"))])
    history = [open_tab("t1", web=True), *all_listen("a"), turn("t1/web", *opened(extension="a"))]
    yield Story(6, "A web page that may not connect is told the same as one that finds nobody.", history)
    both = turn("c", listen(), listen(event="on_connect_external"))
    chooses = [open_tab("t1", web=True), install("c", allows="b"), both]
    for opener, sentence in (
        ("a", "An extension that allows one other extension refuses the others' backgrounds."),
        ("b", "An extension that allows another one lets that one's background connect."),
        ("t1/a", "An extension that allows one other extension refuses the others' content scripts."),
        ("t1/b", "An extension that allows another one lets that one's content scripts connect."),
        ("t1/web", "An extension that allows another extension, and no site, refuses web pages."),
    ):
        yield Story(3, sentence, [*chooses, turn(opener, *opened(extension="c"), post(1, "c"))])


def tell_tabs() -> Iterator[Story]:
    """Rule 4."""
    tabs = {"t1": "a tab with a frame", "t2": "a tab without frames", "p1": "a tab that shows an extension page"}
    frames = {"t1": "the top frame", "f1": "a child frame", "nowhere": "a frame that is not there"}
    both = {
        ("t2", None): "another tab",
        ("t2", "t2"): "another tab and its top frame",
        ("t1", "t1"): "its tab and another frame",
        ("t1", "f1"): "its tab and its frame",
        ("t3", None): "a tab that is not there",
    }
    for opener in ("a", "p1/a", "b"):
        who = PLACES[opener]
        for tab, what in tabs.items():
            history = [*EVERYWHERE, turn(opener, *opened_in(tab), post(1, "c"))]
            yield Story(4, f"tabs.connect from {who} to {what} reaches every listening frame of that tab.", history)
        for frame, what in frames.items():
            history = [*EVERYWHERE, turn(opener, *opened_in("t1", frame=frame), post(1, "c"))]
            yield Story(4, f"tabs.connect from {who} with a frame_id reaches only that frame: {what}.", history)
            sentence = f"tabs.connect from {who} with a document_id reaches only that document: the one in {what}."
            yield Story(4, sentence, [*EVERYWHERE, turn(opener, *opened_in("t1", document=frame), post(1, "c"))])
        for (tab, within), what in both.items():
            sentence = f"tabs.connect from {who} with a document_id and {what} reaches what matches all of them."
            history = [*EVERYWHERE, turn(opener, *opened_in(tab, frame=within, document="f1"), post(1, "c"))]
            yield Story(4, sentence, history)


def tell_nobody() -> Iterator[Story]:
    """Rules 6 and 24."""
    for extension, sentence in (
        (None, "A content script whose extension does not listen is told, later and once, that nobody is there."),
        ("a", "A content script that names its own extension is told the same, if that one does not listen."),
        ("b", "A content script that names another extension is told the same, if that one does not listen."),
        (NOBODY, "An extension that is not installed looks like one that does not listen."),
    ):
        yield Story(6, sentence, [open_tab("t1"), turn("t1/a", *opened(extension=extension), post(1, "c"))])
    yield Story(6, "A background that is the only one to listen reaches nobody.", [turn("a", listen(), *opened())])
    for tab, sentence in (
        ("t1", "tabs.connect to a tab in which nobody listens reaches nobody."),
        ("t2", "tabs.connect to a tab that is not there reaches nobody."),
    ):
        yield Story(6, sentence, [open_tab("t1"), turn("b", listen()), turn("a", *opened_in(tab), post(1, "c"))])
    gone = remove_listener("on_connect", "on_connect", port=None)
    listens = [open_tab("t1"), turn("a", listen())]
    history = [*listens, turn("t1/a", *opened(), post(1, "c"), by("a", gone))]
    yield Story(6, "A listener that is removed in the turn of the connect is nobody.", history)
    history = [*listens, turn("a", gone), turn("t1/a", *opened())]
    yield Story(6, "A listener that was removed before the connect is nobody.", history)
    history = [open_tab("t1"), turn("a", listen(), connect("c", extension="b")), turn("a", hear("c"))]
    yield Story(24, "A listener that is added after a connect has failed is called once, with the error.", history)


NEAR_MISSES: Final = {
    "http://example.org": "another scheme",
    "https://www.example.org": "a subdomain",
    "https://example.org.test": "a longer domain",
    "https://an-example.org": "a domain that ends in the same way",
    "https://example.com": "another domain",
}


def tell_near_misses() -> Iterator[Story]:
    """Rule 3: web pages whose address nearly matches."""
    for site, what in NEAR_MISSES.items():
        history = [open_tab("t1", web=True, site=site), *all_listen("b"), turn("t1/web", *opened(extension="b"))]
        yield Story(3, f"A match pattern lets no page in from {what}.", history)


def tell_who_has_gone() -> Iterator[Story]:
    """Rules 2 and 6: what was there before is not reached, and what is there now is."""
    script = [open_tab("t1"), turn("t1/a", listen())]
    for gone, what in ((close("t1"), "was closed"), (navigate("t1"), "has gone to another page")):
        history = [*script, gone, turn("a", *opened_in("t1"), post(1, "c"))]
        yield Story(6, f"tabs.connect to a tab that {what} does not reach the script that listened there.", history)
    frame = [open_tab("t1"), open_frame("f1", "t1"), turn("f1/a", listen()), close("f1")]
    yield Story(6, "tabs.connect does not reach a frame that was closed.", [*frame, turn("a", *opened_in("t1"))])
    page = [open_tab("t1"), open_page("p1", "a"), *all_listen("p1/a"), close("p1")]
    yield Story(6, "runtime.connect does not reach a page whose tab was closed.", [*page, turn("t1/a", *opened())])
    page = [open_tab("t1"), *all_listen("a"), turn("a", close_context())]
    yield Story(6, "runtime.connect does not reach a background that was closed.", [*page, turn("t1/a", *opened())])
    second = [*page, open_page("g1", "a", hidden=True), *all_listen("g1/a")]
    history = [*second, turn("t1/a", *opened(), post(1, "c")), turn("g1/a", *hear("c"), post(2, "c"))]
    yield Story(2, "A second background is reached after the first one was closed.", history)
    history = [*all_listen("b"), uninstall("b"), turn("a", *opened(extension="b"), post(1, "c"))]
    yield Story(6, "An extension that was uninstalled looks like one that never was.", history)
