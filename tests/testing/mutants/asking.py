"""Mutants of rules 60 to 66: one-shot messages, private windows, and pages that no tab shows."""

from __future__ import annotations

from typing import Any

from testing.mutants.mutant import Mutant, in_browser

from trio_ports._browser import answering, asking, connecting, entries, ports, routing


def not_to_scripts(find: Any) -> Any:
    def call(registry: Any, call: Any, opener: Any) -> Any:
        found = find(registry, call, opener)
        return [each for each in found if each.kind != "content_script"] if call.one_shot else found

    return call


def to_one_page(find: Any) -> Any:
    def call(registry: Any, call: Any, opener: Any) -> Any:
        found = find(registry, call, opener)
        return found[:1] if call.one_shot else found

    return call


def expect_nothing(expect: Any) -> Any:
    def call(self: Any, reply: Any, *, later: bool) -> None:
        expect(self, reply, later=False)

    return call


def end_with_the_first(open_connection: Any) -> Any:
    def call(*args: Any, **options: Any) -> Any:
        if options["receiver_disconnects"] == "failed":
            options["receiver_disconnects"] = "opener"
        return open_connection(*args, **options)

    return call


def answer_none(fail: Any) -> Any:
    def call(self: Any, error: BaseException) -> None:
        self.answer(b"null")
        fail(self, error)

    return call


MUTANTS: list[Mutant] = [
    in_browser(60, "sends no message to content scripts", connecting, "find_receivers", not_to_scripts),
    in_browser(60, "sends a message to one of several pages only", connecting, "find_receivers", to_one_page),
    in_browser(61, "does not let a listener answer later", answering.Answering, "_expect", expect_nothing),
    in_browser(
        61,
        "takes what a listener returns for an answer in Firefox's dialect",
        answering.Answering,
        "_call",
        lambda call: lambda self, listener, message: call(self, _responding(listener), message),
        dialect="firefox",
    ),
    in_browser(62, "answers None as soon as one has nothing to say", ports, "open_connection", end_with_the_first),
    in_browser(63, "answers None if a listener raises", answering.Answering, "_fail", answer_none),
    in_browser(
        65,
        "lets those in private windows reach every extension",
        entries.ExtensionEntry,
        "may_be_private",
        lambda _: lambda extension, dialect: True,
    ),
    in_browser(
        66,
        "lets devtools pages hear content scripts in Firefox's dialect",
        routing,
        "_may_hear",
        lambda _: lambda page, extension, dialect, call: True,
        dialect="firefox",
    ),
    in_browser(
        64, "answers None if whoever was to answer has gone", asking, "peer_vanished", lambda _: lambda port: False
    ),
]


def _responding(listener: Any) -> Any:
    """Return a listener that also responds with what it returns."""

    def call(message: Any, sender: Any, send_response: Any) -> Any:
        result = listener(message, sender, send_response)
        if isinstance(result, dict):
            send_response(result)
        return result

    return call
