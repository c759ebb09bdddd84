"""Stories: for each rule the shortest histories that a subject gets wrong if it breaks that rule.

What should happen is not written here: the model knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, final

import attrs

from .choosing import FILLED, Scope
from .model import MIB, Rules
from .moves import (
    NOBODY,
    EventName,
    History,
    Leaving,
    Step,
    add_listener,
    by,
    cancel,
    change,
    close,
    close_context,
    connect,
    disconnect,
    echo,
    enter,
    has_listener,
    hear,
    hold,
    install,
    leave,
    listen,
    navigate,
    open_frame,
    open_page,
    open_tab,
    post,
    release,
    remove_listener,
    start_next,
    start_receive,
    start_send,
    start_wait,
    stay,
    tabs_connect,
    throw,
    turn,
    uninstall,
)

OPENER, RECEIVER = "opener", "receiver"
BOTH = ((OPENER, RECEIVER), (RECEIVER, OPENER))
HOW: tuple[Leaving, ...] = ("return", "cancel", "crash")
TRAPS: tuple[Any, ...] = (
    *(None, False, 0, "", [], {}, 0.5),
    *("text", "\u2028", "\ud800", "e\u0301"),
    *([None, {"": 0}], {"a": None}, -(2**53) + 1),
)
BURST = 200
"""More messages than a loop is likely to take before it lets others run."""


@final
@attrs.frozen
class Story:
    """A history that is about one rule."""

    rule: int
    history: History


def ends_stories(rules: Rules, scope: Scope) -> Iterator[Story]:
    """Tell the stories of one connection, each rule's after those of the rules that it builds on."""
    if scope.receivers > 1:
        yield from _several(rules)
    yield from _messages()
    yield from _kept()
    yield from _listeners()
    yield from _ending()
    yield from _closing()
    yield from _reading()
    yield from _bursts(int(min(rules.bound, BURST)))
    if rules.bound <= FILLED:
        yield from _bounded(int(rules.bound))
    if rules.largest < math.inf:
        yield from _sizes(int(rules.largest))
    elif not rules.tells_late:
        yield Story(16, [*_told(RECEIVER), turn(OPENER, post({"$": "long", "length": 64 * MIB}))])
    if rules.bound <= FILLED:
        yield from _bounded_ending(int(rules.bound))
    yield from _late()
    yield from _scopes()
    if scope.raises:
        yield from _raising()
    elif scope.narrows:
        yield from _failing()


def _told(here: str, *actions: Step) -> History:
    return [turn(here, hear("p", *actions))]


def _messages() -> Iterator[Story]:
    for here, there in BOTH:
        yield Story(10, [turn(there, add_listener("on_message", "one")), turn(here, post(1))])
        yield Story(10, [*_told(there), turn(here, post(1), post(2), post(3)), turn(here, post(4))])
        for value in TRAPS:
            rule = 10 if value == "text" else 13
            yield Story(rule, [*_told(there), turn(here, post(value)), turn(here, post("after"))])
        for name in ("cycle", "function", "bytes"):
            yield Story(12, [*_told(there), turn(here, post({"$": name}), post("after"))])
        for name in ("NaN", "Infinity"):
            yield Story(12, [*_told(there), turn(here, post({"$": name}))])
        for inner in ({"$": "bytes"}, {"$": "bytes", "length": 300}, {"$": "function"}, {"$": "NaN"}):
            yield Story(12, [*_told(there), turn(here, post(["\ud800", {"a": inner}]), post([inner]), post("after"))])
        yield Story(12, [*_told(there), turn(here, post([1]), change())])
    both = [turn(OPENER, hear()), turn(RECEIVER, hear())]
    yield Story(10, [*both, turn(OPENER, post(1), by(RECEIVER, post(2)), post(3), by(RECEIVER, post(4)))])


def _listeners() -> Iterator[Story]:
    one, two, three = (add_listener("on_message", name) for name in ("one", "two", "three"))
    for here, there in BOTH:
        yield Story(28, [turn(there, one, two, three), turn(here, post(1), post(2))])
        yield Story(28, [turn(there, one, two, one), turn(here, post(1))])
        gone = remove_listener("on_message", "one")
        yield Story(28, [turn(there, one, two, gone, one), turn(here, post(1))])
        yield Story(28, [turn(there, gone, has_listener("on_message", "one"), one, has_listener("on_message", "one"))])
        yield Story(28, [turn(there, one, gone, two, has_listener("on_message", "one")), turn(here, post(1))])
        adds = add_listener("on_message", "adds", add_listener("on_message", "two", port=None))
        yield Story(29, [turn(there, adds), turn(here, post(1)), turn(here, post(2))])
        yield Story(29, [turn(there, adds, three), turn(here, post(1)), turn(here, post(2))])
        drops = add_listener("on_message", "drops", remove_listener("on_message", "two", port=None))
        yield Story(29, [turn(there, drops, two, three), turn(here, post(1)), turn(here, post(2))])
        holds = add_listener("on_message", "holds", hold())
        yield Story(14, [turn(there, holds, two), turn(here, post(1), post(2)), release(there), release(there)])
        kept = [turn(there, one), turn(here, post(1)), turn(there, remove_listener("on_message", "one"))]
        yield Story(15, [*kept, turn(here, post(2)), turn(there, one)])
    answers = add_listener("on_message", "echo", echo())
    yield Story(10, [turn(RECEIVER, answers), turn(OPENER, hear(), post(1), post(2), post(3))])


def _kept() -> Iterator[Story]:
    one = add_listener("on_message", "one")
    for here, there in BOTH:
        yield Story(15, [turn(here, post(1), post(2)), turn(here, post(3)), turn(there, one), turn(here, post(4))])
        yield Story(13, [turn(here, post(None), post(0)), turn(there, one)])
        yield Story(12, [turn(here, post([1]), change()), *_told(there)])


def _ending() -> Iterator[Story]:
    for here, there in BOTH:
        end = add_listener("on_disconnect", "end")
        yield Story(19, [turn(there, end), turn(here, disconnect())])
        yield Story(18, [turn(here, end), turn(here, disconnect())])
        yield Story(21, [*_told(there), turn(here, post(1), post(2), disconnect())])
        yield Story(21, [*_told(here), *_told(there), turn(there, post(1), post(2), by(here, disconnect()))])
        yield Story(18, [*_told(here), *_told(there), turn(here, post(1), disconnect())])
        yield Story(22, [turn(there, end), turn(here, disconnect(), disconnect()), turn(here, disconnect())])
        yield Story(
            22, [*_told(here), *_told(there), turn(here, disconnect()), turn(there, disconnect(), disconnect())]
        )
        again = add_listener("on_disconnect", "again", disconnect(None))
        yield Story(22, [turn(there, again), turn(here, disconnect())])
        yield Story(19, [*_told(here), *_told(there), turn(here, disconnect(), by(there, disconnect()))])
        yield Story(23, [turn(here, disconnect(), post(1)), turn(here, post(2))])
        yield Story(23, [turn(here, disconnect()), turn(there, post(1))])
        yield Story(23, [*_told(there), turn(here, disconnect(), by(there, post(1))), turn(there, post(2))])
        late = add_listener("on_disconnect", "late", post("late", None))
        yield Story(23, [turn(there, late), turn(here, disconnect())])
        yield Story(23, [turn(here, disconnect()), start_send("send", there, 1), start_send("own", here, 1)])
        again = add_listener("on_disconnect", "again")
        yield Story(24, [turn(here, disconnect()), turn(there, end), turn(there, end, again), turn(there, again)])
        over = [turn(here, disconnect()), turn(there, end), turn(there, remove_listener("on_disconnect", "end"))]
        yield Story(24, [*over, turn(there, end)])
        told = [turn(there, end), turn(here, disconnect()), turn(there, remove_listener("on_disconnect", "end"))]
        yield Story(24, [*told, turn(there, end)])
        yield Story(24, [start_wait("wait", there), start_wait("own", here), turn(here, disconnect())])
        yield Story(24, [turn(here, disconnect()), start_wait("wait", there), start_wait("own", here)])
        holds = add_listener("on_message", "holds", hold())
        yield Story(
            21, [turn(there, holds, end), turn(here, post(1), post(2), disconnect()), release(there), release(there)]
        )
        yield Story(
            18, [turn(there, holds, end), turn(here, post(1), disconnect()), turn(there, disconnect()), release(there)]
        )


def _closing() -> Iterator[Story]:
    one, two = add_listener("on_message", "one"), add_listener("on_message", "two")
    for here, there in BOTH:
        bye = add_listener("on_message", "bye", disconnect(None))
        yield Story(30, [turn(there, one, bye, two), turn(here, post(1), post(2), post(3))])
        ends = [add_listener("on_disconnect", name) for name in ("one", "two", "three")]
        yield Story(28, [turn(there, *ends, ends[0]), turn(here, disconnect())])
        drops = add_listener("on_disconnect", "drops", remove_listener("on_disconnect", "two", port=None))
        yield Story(29, [turn(there, drops, *ends), turn(here, disconnect())])
        gone = remove_listener("on_disconnect", "one")
        yield Story(28, [turn(there, *ends, gone, has_listener("on_disconnect", "one")), turn(here, disconnect())])


def _bursts(number: int) -> Iterator[Story]:
    many = [post(each) for each in range(1, number + 1)]
    for here, there in BOTH:
        yield Story(10, [*_told(there), turn(here, *many)])
        yield Story(15, [turn(here, *many), *_told(there)])
        yield Story(15, [turn(here, *many, disconnect()), start_receive("a", there)])
        yield Story(21, [*_told(there), turn(here, *many, disconnect())])
        yield Story(21, [turn(here, *many, disconnect()), *_told(there)])


def _reading() -> Iterator[Story]:
    one = add_listener("on_message", "one")
    for here, there in BOTH:
        for value in (1, *TRAPS[:6]):
            rule = 15 if value == 1 else 13
            yield Story(rule, [start_receive("a", there), turn(here, post(value)), start_receive("b", there)])
        yield Story(15, [turn(here, post(1), post(2)), start_receive("a", there), start_receive("b", there)])
        yield Story(15, [turn(there, one), start_receive("busy", there), turn(here, post(1))])
        yield Story(
            15, [start_receive("a", there), start_receive("busy", there), turn(there, one), turn(here, post(1))]
        )
        yield Story(15, [start_receive("a", there), cancel("a"), turn(here, post(1)), start_receive("b", there)])
        read = [start_receive(name, there) for name in ("a", "b", "c", "d")]
        yield Story(25, [turn(here, post(1), post(2), disconnect()), *read])
        yield Story(25, [read[0], turn(here, post(1)), read[1], turn(here, disconnect()), *read[2:]])
        yield Story(25, [read[0], turn(there, disconnect()), read[1], start_receive("own", here)])
        end = add_listener("on_disconnect", "end")
        yield Story(21, [turn(there, end), *read[:1], turn(here, post(1), post(2), disconnect()), *read[1:]])
        yield Story(24, [turn(there, end), turn(here, post(1), disconnect()), *read[:2]])
        each = [start_next(name, there) for name in ("a", "b", "c")]
        yield Story(25, [each[0], turn(here, post(1), post(None), disconnect()), *each[1:]])
        yield Story(17, [start_send("send", here, 1), start_send("again", here, None), *read[:2]])
        yield Story(21, [read[0], turn(here, post(1), post(2), by(there, disconnect())), read[1]])


def _late() -> Iterator[Story]:
    for here, there in BOTH:
        kept = [start_receive("a", there), turn(here, post(1), post(2), disconnect())]
        last = [start_receive("b", there), start_receive("c", there)]
        yield Story(23, [*kept, start_send("send", there, 3), turn(there, post(4)), *last])


def _scopes() -> Iterator[Story]:
    for here, there in BOTH:
        for how in HOW:
            yield Story(20, [*_told(here), *_told(there), enter(here), turn(here, post(1)), leave(here, how)])
            yield Story(
                20,
                [
                    enter(here),
                    turn(here, post(1)),
                    leave(here, how),
                    start_receive("a", there),
                    start_receive("b", there),
                    start_next("c", there),
                    start_wait("own", here),
                ],
            )
        yield Story(20, [*_told(here), enter(here), turn(there, disconnect()), leave(here)])
        kept = [enter(here), turn(there, post(1), disconnect()), leave(here)]
        yield Story(20, [*kept, start_receive("a", here)])


def _raising() -> Iterator[Story]:
    one, raises = add_listener("on_message", "one"), add_listener("on_message", "raises", throw())
    for here, there in BOTH:
        yield Story(31, [turn(there, raises, one), turn(here, hear(), post(1), post(2)), turn(there, post(3))])
        ends = [add_listener("on_disconnect", "raises", throw()), add_listener("on_disconnect", "end")]
        yield Story(31, [turn(there, *ends), turn(here, disconnect())])


def _failing() -> Iterator[Story]:
    """Tell what follows where a listener's exception leaves through the block of its port."""
    one, raises = add_listener("on_message", "one"), add_listener("on_message", "raises", throw())
    for here, there in BOTH:
        told = [turn(there, raises, one), enter(there), turn(here, hear(), post(1), post(2))]
        yield Story(31, [*told, leave(there), start_receive("a", there)])


def _bounded(bound: int) -> Iterator[Story]:
    fill = [post(number) for number in range(bound)]
    one = add_listener("on_message", "one")
    for here, there in BOTH:
        yield Story(17, [turn(here, *fill, post("over")), turn(there, one), turn(here, post("after"))])
        waits = [start_send(name, here, name) for name in ("first", "second")]
        yield Story(17, [turn(here, *fill), *waits, start_receive("a", there), start_receive("b", there)])
        yield Story(17, [turn(here, *fill), *waits, cancel("first"), turn(there, one)])
        holds = add_listener("on_message", "holds", hold())
        yield Story(17, [turn(there, holds), turn(here, post("held")), turn(here, *fill, post("over")), release(there)])
        answer = turn(here, add_listener("on_message", "answers", post("answer", None)))
        yield Story(10, [turn(here, *fill), waits[0], answer, turn(there, post("question")), turn(there, one)])
    answers = add_listener("on_message", "answers", post("one", None), post("two", None), post("three", None))
    ask = [post(number) for number in range(bound // 3 + 1)]
    yield Story(17, [turn(RECEIVER, answers), turn(OPENER, *ask), turn(OPENER, post("more")), turn(OPENER, one)])


def _bounded_ending(bound: int) -> Iterator[Story]:
    for here, there in BOTH:
        full = [turn(here, *[post(number) for number in range(bound)])]
        waits = [start_send(name, here, name) for name in ("first", "second")]
        yield Story(23, [*full, *waits, turn(there, disconnect())])
        yield Story(23, [*full, *waits, turn(here, disconnect())])


def _sizes(limit: int) -> Iterator[Story]:
    small = limit <= MIB
    for here, there in BOTH:
        over = {"$": "long", "length": limit - 1}
        yield Story(16, [*_told(there), turn(here, post(over)), turn(here, post("after"))])
        yield Story(16, [*_told(there), start_send("send", here, over), turn(here, post("after"))])
        if small or here == OPENER:
            yield Story(16, [*_told(there), turn(here, post({"$": "long", "length": limit - 2}))])
        if small:
            yield Story(16, [*_told(there), turn(here, post("\u00e9" * (limit // 2)), post("after"))])


def _several(rules: Rules) -> Iterator[Story]:
    second = "receiver2"
    told = [turn(at, hear()) for at in (OPENER, RECEIVER, second)]
    yield Story(11, [*told, turn(OPENER, post(1), post(2))])
    yield Story(11, [*told, turn(RECEIVER, post(1)), turn(second, post(2))])
    for first, other in ((RECEIVER, second), (second, RECEIVER)):
        yield Story(26, [*told, turn(first, disconnect()), turn(OPENER, post(1)), turn(other, post(2))])
        yield Story(26, [*told, turn(first, disconnect()), turn(other, disconnect()), turn(OPENER, post(1))])
        yield Story(26, [*told, turn(first, post(1), disconnect()), turn(other, post(2), disconnect())])
    yield Story(27, [*told, turn(OPENER, post(1), disconnect())])
    for how in HOW:
        yield Story(20, [*told, enter(OPENER), leave(OPENER, how)])
    if rules.bound <= FILLED:
        fill = [post(number) for number in range(int(rules.bound))]
        one = add_listener("on_message", "one")
        heard = [turn(OPENER, add_listener("on_disconnect", "end")), turn(RECEIVER, one)]
        half = len(fill) // 2 + 1
        yield Story(17, [*heard, turn(OPENER, *fill[:half]), turn(OPENER, *fill[:half]), turn(second, hear())])
        holds = add_listener("on_message", "holds", hold())
        held = [turn(RECEIVER, holds), turn(second, one), turn(OPENER, post("held")), turn(OPENER, *fill, post("over"))]
        yield Story(17, [*held, release(RECEIVER)])
        yield from _one_is_slow(fill, second)


def _one_is_slow(fill: list[Step], second: str) -> Iterator[Story]:
    """Tell what follows when one of two receivers does not keep up."""
    one, holds = add_listener("on_message", "one"), add_listener("on_message", "holds", hold())
    slow = [turn(RECEIVER, holds), turn(second, one), turn(OPENER, post("held")), turn(OPENER, *fill)]
    waits = [start_send(name, OPENER, name) for name in ("first", "second")]
    yield Story(17, [*slow, turn(OPENER, post("over")), release(RECEIVER)])
    yield Story(26, [*slow, *waits, turn(RECEIVER, disconnect())])
    read = [start_receive("a", RECEIVER), turn(OPENER, post("read")), turn(second, one)]
    yield Story(17, [*read, turn(OPENER, *fill), turn(OPENER, post("over")), start_receive("b", RECEIVER)])
    # One receiver's send stands before the answers that another one's listener has posted beyond the bound.
    answers = add_listener("on_message", "answers", post("answer", None))
    asked = [turn(RECEIVER, *fill, answers), start_send("sent", second, "sent")]
    asked += [turn(OPENER, post("question")), turn(OPENER, post("another")), start_receive("c", OPENER)]
    yield Story(17, [*asked, cancel("sent")])
    yield Story(26, [*asked, turn(second, disconnect())])


# In a browser -------------------------------------------------------------------------------------------------------


def world_stories(scope: Scope) -> Iterator[Story]:
    """Tell the stories of who reaches whom."""
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
