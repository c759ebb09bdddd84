"""Stories of browsers: who reaches whom, what is said of who connects, and what follows when a context goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..history.moves import (
    NOBODY,
    EventName,
    History,
    Step,
    add_listener,
    by,
    close,
    close_context,
    connect,
    disconnect,
    enter,
    hear,
    install,
    leave,
    listen,
    navigate,
    open_frame,
    open_page,
    open_tab,
    post,
    remove_listener,
    stay,
    tabs_connect,
    throw,
    turn,
    uninstall,
)
from ..history.scope import Scope
from .story import HOW, Story


def world_stories(scope: Scope) -> Iterator[Story]:
    """Tell the stories of a browser: who reaches whom, and what follows when somebody leaves."""
    yield from _routes()
    yield from _installed()
    yield from _nobody()
    yield from _connecting(scope)
    yield from _describing()
    yield from _leaving()


def _all_listen(*contexts: str) -> History:
    """Let contexts listen to both events, as far as they have them."""
    own = [turn(at, listen()) for at in contexts]
    external = [turn(at, listen(event="on_connect_external")) for at in contexts if at.count("/") == 0 or at[0] in "pg"]
    return own + external


def _opened(port: str = "c", **options: Any) -> list[Step]:
    return [connect(port, **options), *hear(port)]


def _opened_in(tab: str, port: str = "c", **options: Any) -> list[Step]:
    return [tabs_connect(port, tab, **options), *hear(port)]


def _routes() -> Iterator[Story]:
    everywhere = [
        open_tab("t1", web=True),
        open_frame("f1", "t1"),
        open_tab("t2"),
        open_page("p1", "a"),
        open_page("g1", "a", hidden=True),
        *_all_listen("a", "b", "p1/a", "g1/a"),
        *[turn(at, listen()) for at in ("t1/a", "t1/b", "f1/a", "f1/b", "t2/a")],
    ]
    simple = [open_tab("t1"), turn("a", listen())]
    yield Story(1, [*simple, turn("t1/a", *_opened(), post(1, "c"))])
    yield Story(2, [*simple, turn("t1/a", *_opened(), post(1, "c"))])
    yield Story(2, [open_page("g1", "a", hidden=True), *_all_listen("a", "g1/a"), turn("a", *_opened(), post(1, "c"))])
    second = add_listener("on_connect", "second", port=None)
    yield Story(2, [*simple, turn("a", second), turn("t1/a", *_opened(), post(1, "c"))])
    yield Story(5, [*simple, turn("t1/a", *_opened(), post(1, "c"), post(2, "c"), disconnect("c"))])
    for opener in ("a", "t1/a", "g1/a", "p1/a"):
        yield Story(2, [*everywhere, turn(opener, *_opened(), post(1, "c"))])
    for opener in ("a", "t1/a"):
        yield Story(3, [*everywhere, turn(opener, *_opened(extension="b"), post(1, "c"))])
        yield Story(3, [*everywhere, turn(opener, *_opened(extension="a"), post(1, "c"))])
    for opener in ("b", "t1/b"):
        yield Story(3, [*everywhere, turn(opener, *_opened(extension="a"), post(1, "c"))])
    for extension in ("a", "b"):
        yield Story(3, [*everywhere, turn("t1/web", *_opened(extension=extension), post(1, "c"))])
    for opener in ("a", "p1/a", "b"):
        for tab in ("t1", "t2", "p1"):
            yield Story(4, [*everywhere, turn(opener, *_opened_in(tab), post(1, "c"))])
        for frame in ("t1", "f1", "nowhere"):
            yield Story(4, [*everywhere, turn(opener, *_opened_in("t1", frame=frame), post(1, "c"))])
            yield Story(4, [*everywhere, turn(opener, *_opened_in("t1", document=frame), post(1, "c"))])
        for place, within in (("t2", None), ("t2", "t2"), ("t1", "t1"), ("t1", "f1"), ("t3", None)):
            opened = _opened_in(place, frame=within, document="f1")
            yield Story(4, [*everywhere, turn(opener, *opened, post(1, "c"))])


def _installed() -> Iterator[Story]:
    world = [
        open_tab("t1", web=True),
        install("c", allows="b"),
        turn("c", listen(), listen(event="on_connect_external")),
    ]
    for opener in ("a", "b", "t1/a", "t1/b", "t1/web"):
        yield Story(3, [*world, turn(opener, *_opened(extension="c"), post(1, "c"))])


def _nobody() -> Iterator[Story]:
    for extension in (None, "a", "b", NOBODY):
        yield Story(6, [open_tab("t1"), turn("t1/a", *_opened(extension=extension), post(1, "c"))])
    yield Story(6, [turn("a", listen(), *_opened())])
    yield Story(6, [open_tab("t1", web=True), *_all_listen("a"), turn("t1/web", *_opened(extension="a"))])
    for tab in ("t1", "t2"):
        yield Story(6, [open_tab("t1"), turn("b", listen()), turn("a", *_opened_in(tab), post(1, "c"))])
    gone = remove_listener("on_connect", "on_connect", port=None)
    yield Story(6, [open_tab("t1"), turn("a", listen()), turn("t1/a", *_opened(), post(1, "c"), by("a", gone))])
    yield Story(6, [*[open_tab("t1"), turn("a", listen())], turn("a", gone), turn("t1/a", *_opened())])
    yield Story(24, [open_tab("t1"), turn("a", listen(), connect("c", extension="b")), turn("a", hear("c"))])


def _connecting(scope: Scope) -> Iterator[Story]:
    tab = [open_tab("t1")]
    yield Story(7, [*tab, turn("a", listen(disconnect(None))), turn("t1/a", *_opened(), post(1, "c"))])
    yield Story(7, [*tab, turn("a", listen(post("hello", None))), turn("t1/a", *_opened(), post(1, "c"))])
    stays = [*tab, turn("a", listen(stay()))]
    yield Story(15, [*stays, turn("t1/a", *_opened(), post(1, "c"), post(2, "c")), turn("t1/a", disconnect("c"))])
    if not scope.raises:
        raises = add_listener("on_message", "raises", throw(), port=None)
        told = [*tab, turn("a", listen(raises, heard=False)), turn("t1/a", *_opened()), enter("a", "c")]
        yield Story(31, [*told, turn("t1/a", post(1, "c")), leave("a", "return", "c")])
    if scope.raises:
        yield Story(7, [*tab, turn("a", listen(throw())), turn("t1/a", *_opened(), post(1, "c"), post(2, "c"))])
    yield Story(
        15, [*tab, turn("a", listen(heard=False)), turn("t1/a", *_opened("c"), post(1, "c")), turn("a", hear("c"))]
    )
    drops = add_listener("on_connect", "drops", remove_listener("on_connect", "second", port=None), port=None)
    second = add_listener("on_connect", "second", port=None)
    yield Story(29, [*tab, turn("a", drops, second, listen()), turn("t1/a", *_opened(), post(1, "c"))])
    for name in ("", "a name", "c"):
        yield Story(8, [*tab, turn("a", listen()), turn("t1/a", *_opened(name=name))])
        yield Story(8, [*tab, turn("t1/a", listen()), turn("a", *_opened_in("t1", name=name))])


def _describing() -> Iterator[Story]:
    world = [
        open_tab("t1", web=True),
        open_frame("f1", "t1"),
        open_page("p1", "a"),
        open_page("g1", "a", hidden=True),
        *[turn(at, listen()) for at in ("a", "g1/a", "t1/a", "f1/a")],
        turn("b", listen(event="on_connect_external")),
    ]
    for opener in ("t1/a", "f1/a", "p1/a", "g1/a", "a"):
        yield Story(9, [*world, turn(opener, *_opened())])
        yield Story(9, [*world, turn(opener, *_opened(extension="b"))])
    yield Story(9, [*world, turn("t1/web", *_opened(extension="b"))])
    for opener in ("a", "p1/a", "g1/a"):
        yield Story(9, [*world, turn(opener, *_opened_in("t1"))])


def _leaving() -> Iterator[Story]:
    tab = [open_tab("t1"), turn("a", listen())]
    opened = turn("t1/a", *_opened(), post(1, "c"))
    yield Story(20, [*tab, opened, turn("a", close_context())])
    yield Story(20, [*tab, opened, turn("t1/a", post(2, "c"), close_context())])
    for at in ("a", "t1/a"):
        for how in HOW:
            yield Story(20, [*tab, enter(at, None), opened, leave(at, how, None)])
    for last in (navigate("t1"), close("t1")):
        yield Story(27, [*tab, opened, last])
        yield Story(27, [open_tab("t1"), open_frame("f1", "t1"), turn("a", listen()), turn("f1/a", *_opened()), last])
        yield Story(27, [open_tab("t1"), turn("b", listen()), turn("t1/b", *_opened()), last])
    yield Story(
        27, [open_tab("t1"), open_frame("f1", "t1"), turn("a", listen()), turn("f1/a", *_opened()), close("f1")]
    )
    yield Story(27, [*tab, opened, turn("t1/a", *_opened("d"), disconnect("c")), turn("t1/a", post(2, "d"))])
    yield Story(
        20,
        [
            open_tab("t1"),
            turn("b", listen(event="on_connect_external")),
            turn("t1/a", *_opened(extension="b")),
            uninstall("b"),
        ],
    )
    two = [open_tab("t1"), open_page("g1", "a", hidden=True), *_all_listen("a", "g1/a"), turn("t1/a", *_opened())]
    yield Story(11, [*two, turn("t1/a", post(1, "c")), turn("a", post(2, "c")), turn("g1/a", post(3, "c"))])
    for first, other in (("a", "g1/a"), ("g1/a", "a")):
        yield Story(26, [*two, turn(first, disconnect("c")), turn("t1/a", post(1, "c")), turn(other, post(2, "c"))])
        yield Story(26, [*two, turn(first, disconnect("c")), turn(other, disconnect("c"))])
        yield Story(26, [*two, turn(first, close_context()), turn("t1/a", post(1, "c")), turn(other, post(2, "c"))])
    yield Story(27, [*two, turn("t1/a", post(1, "c"), disconnect("c"))])
    yield Story(9, [*tab, opened, navigate("t1"), turn("t1/a", *_opened())])
    yield Story(20, [*tab, turn("t1/a", *_opened(), post(1, "c"), by("a", close_context()))])
    yield Story(5, [*tab, turn("t1/a", *_opened(), post(1, "c"), post(2, "c"), close_context())])
    yield from _closing_itself()


def _closing_itself() -> Iterator[Story]:
    """Tell of contexts that a listener closes: no other one runs there."""
    tab = [open_tab("t1"), turn("a", listen())]
    opened = turn("t1/a", *_opened())
    events: tuple[EventName, ...] = ("on_message", "on_disconnect")
    for event in events:
        closes, more = add_listener(event, "closes", close_context(), port="c"), add_listener(event, "more", port="c")
        told = [*tab, opened, turn("a", closes, more), turn("t1/a", post(1, "c"), post(2, "c"))]
        yield Story(20, [*told, turn("t1/a", disconnect("c"))])
    second = add_listener("on_connect", "second", port=None)
    yield Story(20, [open_tab("t1"), turn("a", listen(close_context()), second), opened])
