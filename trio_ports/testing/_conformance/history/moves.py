"""The language of histories: what is done to ports, written as data.

A history is a list of *moves*, and a move is a dictionary of JSON values. The same history can be played with ports in
this process, with the model, in a real browser and in a program in another language, and what came of it compared.

After each move all its effects happen before the next move begins. The steps of one turn are done at once: that is how
a race is written down.

========================= =======================================================================================
move                      what is done
========================= =======================================================================================
``turn``                  the *steps*, in one turn, by the context ``at``, or by a step's own ``at``
``race``                  the *steps*, while other tasks run where a step is ``pass``: for what happens between two
                          turns of the scheduler. A step may also be a ``start`` or a ``cancel``
``start``                 a call that may wait begins: ``call`` is ``send``, ``receive``, ``__anext__`` (that of ``async
                          for``) or ``wait_disconnected``, and ``as`` is its name. If it succeeds, its task carries out
                          the steps ``then``, before it waits for anything else
``cancel``                such a call is cancelled
``release``               the listeners of a port that ``hold`` go on
``enter``, ``leave``      ``async with`` a port (``port``) or a context (no ``port``); ``how`` to leave it is
                          ``return``, ``cancel``, ``crash`` or, for a port, ``end``: by what its own end raises.
                          ``group`` and ``cancelled group``: a nursery in the block crashes, or is cancelled;
                          ``mixed``: it crashes while it is cancelled
``finish``                the scope that owns the ends, or the browser, ends: ``how`` is ``return`` or ``cancel``. It is
                          the last move of a history
``open_tab``              a tab with a page; ``web``: the page itself is a context too; ``incognito``: it is private;
                          ``site``: that of the page, unless it is the one that may connect
``open_page``             an extension's page, in a tab of its own; ``hidden``: in none, maybe as a ``view``
``open_frame``            a frame in the page of a tab or a frame
``navigate``, ``close``   a tab or a frame goes to another page, or goes away
``install``               another extension, with a background, that only the one that it ``allows`` may connect to
``uninstall``             an extension goes away; ``disable``: for a time, until ``enable``
``register_background``   an extension's background is one that sleeps; its ``script`` are steps
``stop_background``       such a background is stopped, if it runs
``push_state``            a tab's or a frame's page changes its address
``lose``                  a tab stays, and its page ends; ``how``: ``discard`` or ``crash``
``load_again``            the page of such a tab is loaded again
``wait``                  until a port of ``at`` has been told ``events`` things, and then until nothing more comes: for
                          what another process decides, such as a native application
========================= =======================================================================================

Contexts have names. In a browser ``"a"`` is the background of the extension ``a``, ``"t1/a"`` its content script (or
its page) in the tab or frame ``t1``, and ``"t1/web"`` the web page itself. Without a browser there are only the ends of
one connection: ``"opener"``, ``"receiver"``, ``"receiver2"``, and so on.

Each context has its own labels for its ports. The context that connects chooses the label. A port that was received
has its connection's name for a label, or ``@1``, ``@2``, … if that name is empty or taken. Without a browser every end
is labelled ``"p"``. In the actions of a listener, None stands for the event's own port.

A listener has a ``kind``: a ``function``, a ``method`` (another object each time), or a function that returns an
``awaitable`` that is not a coroutine, a coroutine from a ``partial``, or an ``object`` that cannot be awaited. What
it is makes no difference to what should happen.

One-shot messages have labels too, chosen by the context that sends, and known at the receiver. The events that
JavaScript calls ``runtime.onMessage`` and ``runtime.onMessageExternal`` are ``on_one_shot`` and
``on_one_shot_external`` here, so that no port's event has their names. Where it is sent the message is in the end
``answered`` or ``unanswered``.

Some messages are not valid JSON, or too long to write down: ``{"$": "long", "length": 99}`` is a text of so many
letters, and ``{"$": "NaN"}``, ``"Infinity"``, ``"cycle"``, ``"function"`` and ``"bytes"`` are what they say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

from ..model.dialects import THROWN_TEXT

Step: TypeAlias = dict[str, Any]
Move: TypeAlias = dict[str, Any]
History: TypeAlias = list[Move]
EventName: TypeAlias = Literal[
    "on_connect", "on_connect_external", "on_message", "on_disconnect", "on_one_shot", "on_one_shot_external"
]
Leaving: TypeAlias = Literal["return", "cancel", "crash", "end", "group", "cancelled group", "mixed"]
ListenerKind: TypeAlias = Literal["function", "method", "awaitable", "partial", "object"]

ONE_SHOT_EVENTS: Final = ("on_one_shot", "on_one_shot_external")
RUNTIME_EVENTS: Final = ("on_connect", "on_connect_external", *ONE_SHOT_EVENTS)
"""The events of a context; the others are those of a port."""
EXTENSIONS: Final = ("a", "b")
"""The extensions of a browser. The second one lets the web pages of one site connect."""
SITE: Final = "https://example.org"
"""The site whose pages may connect to the second extension."""
NOBODY: Final = "nobody"
"""An extension that is not installed."""
LONG: Final = 64
"""A text of at least so many x is written as its length."""
LONGEST: Final = 200
"""How many letters of a message are written down for people."""


# Steps: what a context does in a turn, and a listener in its actions ------------------------------------------------


def connect(port: str, *, name: str | None = None, extension: str | None = None) -> Step:
    """``runtime.connect``, to one's own extension or to another one. The name is the label unless it is given."""
    return {"do": "connect", "port": port, "name": port if name is None else name, "extension": extension}


def tabs_connect(
    port: str, tab: str, *, name: str | None = None, frame: str | None = None, document: str | None = None
) -> Step:
    """``tabs.connect``, to a tab, one frame in it, or the document that is in a frame now."""
    name = port if name is None else name
    return {"do": "tabs_connect", "port": port, "name": name, "tab": tab, "frame": frame, "document": document}


def connect_native(port: str, application: str) -> Step:
    """``runtime.connect_native``."""
    return {"do": "connect_native", "port": port, "application": application}


def ask(label: str, message: Any = "hi", *, extension: str | None = None) -> Step:
    """``runtime.send_message``, to one's own extension or to another one."""
    return {"do": "ask", "port": label, "message": message, "extension": extension}


def ask_tab(
    label: str, tab: str, message: Any = "hi", *, frame: str | None = None, document: str | None = None
) -> Step:
    """``tabs.send_message``, to a tab, one frame in it, or the document that is in a frame now."""
    return {"do": "ask_tab", "port": label, "message": message, "tab": tab, "frame": frame, "document": document}


def respond(message: Any, label: str | None = None) -> Step:
    """Call ``send_response``: in a listener of one-shot messages, or later, for the message with that label."""
    return {"do": "respond", "port": label, "message": message}


def answer_later() -> Step:
    """Keep ``send_response``, and let the listener of one-shot messages return True."""
    return {"do": "answer_later"}


def answer_with(message: Any) -> Step:
    """Let the listener of one-shot messages return a value."""
    return {"do": "answer_with", "message": message}


def promise(message: Any) -> Step:
    """Let the listener of one-shot messages return something awaitable, and that the value."""
    return {"do": "promise", "message": message}


def describe(port: str = "p") -> Step:
    """Ask a port for its name, sender and error: the step's result."""
    return {"do": "describe", "port": port}


def post(message: Any, port: str | None = "p") -> Step:
    """``post_message``."""
    return {"do": "post", "port": port, "message": message}


def long_text(length: int) -> Any:
    """Return a text of so many letters, as it is written in a history."""
    return {"$": "long", "length": length} if length >= LONG else "x" * max(length, 0)


def fill(first: int, count: int, port: str = "p") -> Step:
    """``post_message`` of ``count`` numbers, from ``first`` on, until one is refused."""
    return {"do": "fill", "port": port, "first": first, "count": count}


def echo() -> Step:
    """Post the message that the listener was called with."""
    return {"do": "echo", "port": None}


def disconnect(port: str | None = "p") -> Step:
    """``disconnect``."""
    return {"do": "disconnect", "port": port}


def add_listener(
    event: EventName, listener: str, *actions: Step, port: str | None = "p", kind: ListenerKind = "function"
) -> Step:
    """``add_listener`` of a listener that logs its call and carries out the actions.

    The name and the event identify the function: to add the same pair again is to add the same function, with the
    actions and of the kind that it had the first time.
    """
    step: Step = {"do": "add_listener", "event": event, "listener": listener, "port": port, "actions": list(actions)}
    return step if kind == "function" else {**step, "kind": kind}


def remove_listener(event: EventName, listener: str, *, port: str | None = "p") -> Step:
    """``remove_listener``."""
    return {"do": "remove_listener", "event": event, "listener": listener, "port": port}


def has_listener(event: EventName, listener: str, *, port: str | None = "p") -> Step:
    """``has_listener``."""
    return {"do": "has_listener", "event": event, "listener": listener, "port": port}


def break_wire(data: bytes) -> Step:
    """Write what is not a frame, and leave: only for the kit's own end of a wire."""
    return {"do": "break", "port": "p", "data": data.hex()}


def throw() -> Step:
    """Raise an exception out of the listener. This is the last of its actions."""
    return {"do": "throw", "text": THROWN_TEXT}


def post_or_raise(message: Any) -> Step:
    """``post_message`` on the event's own port, in a listener of messages or connections; what it raises leaves it.

    The rest of the listener's actions are then not carried out. Every other action keeps what it raises to itself.
    """
    return {"do": "post_or_raise", "port": None, "message": message}


def only(message: Any, action: Step) -> Step:
    """Let a listener of messages carry out an action for this message only."""
    return {**action, "only": message}


def hold() -> Step:
    """Wait, in a listener of messages, until the port is released."""
    return {"do": "hold"}


def stay() -> Step:
    """Make the listener of connections an async function that never returns."""
    return {"do": "stay"}


def change() -> Step:
    """Change the message that was posted last, in place."""
    return {"do": "change"}


def close_context() -> Step:
    """Close the context itself."""
    return {"do": "close_context"}


def hear(port: str | None = "p", *actions: Step) -> list[Step]:
    """Listen to a port's messages, with the actions, and to its end."""
    return [add_listener("on_message", "message", *actions, port=port), add_listener("on_disconnect", "end", port=port)]


def listen(*actions: Step, event: EventName = "on_connect", heard: bool = True) -> Step:
    """Listen for connections, and to the messages and the end of each port unless ``heard`` is False."""
    return add_listener(event, event, *(hear(None) if heard else ()), *actions, port=None)


# Moves --------------------------------------------------------------------------------------------------------------


def turn(at: str, *steps: Step | Sequence[Step]) -> Move:
    """Carry out the steps in one turn."""
    return {"move": "turn", "at": at, "steps": list(_flatten(steps))}


def race(at: str, *steps: Step | Sequence[Step]) -> Move:
    """Carry out the steps, which may let other tasks run in between."""
    return {"move": "race", "at": at, "steps": list(_flatten(steps))}


def pass_turns(turns: int = 1) -> Step:
    """Let other tasks run for so many turns of the scheduler."""
    return {"do": "pass", "turns": turns}


def by(at: str, *steps: Step | Sequence[Step]) -> list[Step]:
    """Let another context carry out steps in this turn."""
    return [{**step, "at": at} for step in _flatten(steps)]


def start_send(name: str, at: str, message: Any, port: str = "p", *, then: Sequence[Step] = ()) -> Move:
    """Begin to ``send``."""
    return {**_start(name, at, port, "send", then), "message": message}


def start_receive(name: str, at: str, port: str = "p", *, then: Sequence[Step] = ()) -> Move:
    """Begin to ``receive``."""
    return _start(name, at, port, "receive", then)


def start_next(name: str, at: str, port: str = "p", *, then: Sequence[Step] = ()) -> Move:
    """Begin to wait for the next message of an ``async for``."""
    return _start(name, at, port, "__anext__", then)


def start_wait(name: str, at: str, port: str = "p", *, then: Sequence[Step] = ()) -> Move:
    """Begin to ``wait_disconnected``."""
    return _start(name, at, port, "wait_disconnected", then)


def _start(name: str, at: str, port: str, call: str, then: Sequence[Step]) -> Move:
    move: Move = {"move": "start", "do": "start", "at": at, "port": port, "call": call, "as": name}
    return {**move, "then": list(then)} if then else move


def cancel(name: str) -> Move:
    """Cancel a call that has begun. In a race, it may still succeed if it does so in this very moment."""
    return {"move": "cancel", "do": "cancel", "call": name}


def release(at: str, port: str = "p") -> Move:
    """Let the listeners that ``hold`` go on."""
    return {"move": "release", "at": at, "port": port}


def enter(at: str, port: str | None = "p") -> Move:
    """Enter ``async with`` a port, or the context."""
    return {"move": "enter", "at": at, "port": port}


def leave(at: str, how: Leaving = "return", port: str | None = "p") -> Move:
    """Leave ``async with`` a port, or the context. ``end``: the block disconnects the port and posts to it."""
    return {"move": "leave", "at": at, "port": port, "how": how}


def finish(how: Literal["return", "cancel"] = "cancel") -> Move:
    """End the scope that owns the ends, or the browser."""
    return {"move": "finish", "how": how}


def open_tab(tab: str, *, web: bool = False, incognito: bool = False, site: str = SITE) -> Move:
    """Open a tab that shows a page of a site.

    In a private window, if it is ``incognito``: only the second extension is let in there.
    """
    move: Move = {"move": "open_tab", "tab": tab, "web": web, "incognito": incognito}
    return move if site == SITE else {**move, "site": site}


def open_page(page: str, extension: str, *, hidden: bool = False, view: str | None = None) -> Move:
    """Open a page of an extension: ``PAGE/EXTENSION`` is its context. A hidden one may be a ``view``, as a popup is."""
    return {"move": "open_page", "page": page, "extension": extension, "hidden": hidden or bool(view), "view": view}


def open_frame(frame: str, tab: str) -> Move:
    """Open a frame in the page of a tab, or of another frame."""
    return {"move": "open_frame", "frame": frame, "tab": tab}


def navigate(frame: str) -> Move:
    """Go to another page, in a tab or a frame."""
    return {"move": "navigate", "frame": frame}


def close(frame: str) -> Move:
    """Close a tab or a frame."""
    return {"move": "close", "frame": frame}


def install(extension: str, *, allows: str) -> Move:
    """Install an extension that lets only one other extension connect, and no web page. Firefox ignores that."""
    return {"move": "install", "extension": extension, "allows": allows}


def uninstall(extension: str) -> Move:
    """Uninstall an extension."""
    return {"move": "uninstall", "extension": extension}


def disable(extension: str) -> Move:
    """Disable an extension."""
    return {"move": "disable", "extension": extension}


def enable(extension: str) -> Move:
    """Enable an extension that was disabled."""
    return {"move": "enable", "extension": extension}


def register_background(extension: str, *steps: Step) -> Move:
    """Let an extension have a background that sleeps, whose script carries out the steps: it adds listeners."""
    return {"move": "register_background", "extension": extension, "script": list(steps)}


def stop_background(extension: str) -> Move:
    """Stop a background that sleeps."""
    return {"move": "stop_background", "extension": extension}


def push_state(frame: str) -> Move:
    """Change the address of the page in a tab or a frame."""
    return {"move": "push_state", "frame": frame}


def lose(tab: str, how: Literal["discard", "crash"]) -> Move:
    """Discard a tab, or let its process crash."""
    return {"move": "lose", "tab": tab, "how": how}


def load_again(tab: str) -> Move:
    """Load the page of a tab that was lost."""
    return {"move": "load_again", "tab": tab}


def wait(at: str, port: str, events: int) -> Move:
    """Wait until a port has been told so much, and then until nothing more comes."""
    return {"move": "wait", "at": at, "port": port, "events": events}


def _flatten(steps: Sequence[Step | Sequence[Step]]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, dict):
            yield step
        else:
            yield from step


# For people -----------------------------------------------------------------------------------------------------


def describe_history(history: History) -> str:
    """Write a history for people, a line for each move."""
    return "\n".join(f"{number:3}. {describe_move(move)}" for number, move in enumerate(history, 1))


def describe_move(move: Move) -> str:
    """Write a move for people."""
    kind, at = move["move"], move.get("at", "")
    place = f"{at}: " if at else ""
    if kind in ("turn", "race"):
        return "; ".join(_describe_step_at(step, at) for step in move["steps"]) or f"{at}: nothing"
    if kind == "start":
        return _describe_step_at(move, at)
    if kind in ("enter", "leave"):
        how = "" if kind == "enter" else f" ({move['how']})"
        return f"{place}{kind} async with {move['port'] or 'itself'}{how}"
    rest = ", ".join(f"{key}={value!r}" for key, value in move.items() if key not in ("move", "at"))
    return f"{place}{kind} {rest}"


def _describe_step_at(step: Step, at: str) -> str:
    place = "" if step["do"] in ("pass", "cancel") else f"{step.get('at', at)}: "
    return f"{place}{describe_step(step)}"


def describe_step(step: Step) -> str:
    """Write a step for people."""
    at_last = f", at {_write(step['only'])} only" if "only" in step else ""
    return _describe_action(step) + at_last


def _describe_action(step: Step) -> str:  # noqa: C901, PLR0912 - One case for each action.
    do = step["do"]
    port = step.get("port") or "port"
    match do:
        case "pass":
            return f"other tasks run {step['turns']} times"
        case "cancel":
            return f"cancel {step['call']}"
        case "start":
            message = _write(step["message"]) if "message" in step else ""
            then = "".join(f", then {describe_step(each)}" for each in step.get("then", ()))
            return f"{step['as']} = await {port}.{step['call']}({message}){then}"
        case "post":
            return f"{port}.post_message({_write(step['message'])})"
        case "fill":
            last = step["first"] + step["count"] - 1
            return f"{port}.post_message(number) for {step['first']} to {last}, until one is refused"
        case "break":
            return f"write {bytes.fromhex(step['data'])!r} and leave"
        case "echo":
            return "port.post_message(message)"
        case "post_or_raise":
            return f"port.post_message({_write(step['message'])}), or raise"
        case "disconnect":
            return f"{port}.disconnect()"
        case "ask" | "ask_tab" | "respond" | "answer_with" | "promise":
            return _describe_one_shot(step)
        case "connect_native":
            return f"{port} = runtime.connect_native({step['application']!r})"
        case "add_listener" | "remove_listener" | "has_listener":
            owner = "runtime" if step["event"] in RUNTIME_EVENTS else port
            actions = "; ".join(map(describe_step, step.get("actions", ())))
            kind = f", {step['kind']}" if "kind" in step else ""
            return f"{owner}.{step['event']}.{do}({step['listener']}{kind}{': ' + actions if actions else ''})"
        case "connect" | "tabs_connect":
            call = "tabs.connect" if do == "tabs_connect" else "runtime.connect"
            given = ("tab", "frame", "document", "extension", "name")
            rest = ", ".join(f"{key}={step[key]!r}" for key in given if step.get(key) is not None)
            return f"{port} = {call}({rest})"
        case _:
            return str(do)


def _write(message: Any) -> str:
    """Write a message; of a long one, only the beginning and its length."""
    text = json.dumps(message)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} letters)"


def write_call(history: History, check: str) -> str:
    """Write the call of a check that plays a history again, as Python code."""
    moves = "".join(f"    {move!r},\n" for move in history)
    return f"{check}(make, stories=False, examples=0, histories=[[\n{moves}]])"


def _describe_one_shot(step: Step) -> str:
    """Write a step that is about a one-shot message for people."""
    if step["do"] in ("ask", "ask_tab"):
        call = "tabs.send_message" if step["do"] == "ask_tab" else "runtime.send_message"
        given = ("message", "tab", "frame", "document", "extension")
        rest = ", ".join(f"{key}={step[key]!r}" for key in given if step.get(key) is not None)
        return f"{step['port']} = await {call}({rest})"
    what = {"respond": "send_response", "answer_with": "return", "promise": "return awaitable"}[step["do"]]
    return f"{what}({json.dumps(step['message'])})" + (f" to {step['port']}" if step.get("port") else "")
