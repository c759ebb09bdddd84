"""Mutants that break the rules about the life of contexts: 44, 45, 47, 48 and 50, and what 9 says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testing.mutants.mutant import Mutant, in_browser

from trio_ports._browser import browser, navigation, unloading
from trio_ports._browser.registry import Registry
from trio_ports._browser.script import Script


def hear_nothing_asleep(may_hear: Callable[..., bool]) -> Callable[..., bool]:
    """A background that is asleep is not there: only listeners count."""
    return lambda script, call: bool(script.event(call).listeners)


def forget_callers(end_first_turn: Callable[[Script], None]) -> Callable[[Script], None]:
    """Whoever has woken it is told that it has gone."""

    def end(script: Script) -> None:
        script.withdraw_pending()
        end_first_turn(script)

    return end


def stop_nothing(stop: Callable[..., None]) -> Callable[..., None]:
    """It runs for ever."""
    return lambda registry, background: None


def keep_scripts(unload: Callable[..., None]) -> Callable[..., None]:
    """Content scripts do not notice that their extension has gone."""

    def unload_pages(registry: Registry, extension: Any) -> None:
        for page in tuple(extension.pages):
            registry.close_context(page)

    return unload_pages


def rename_documents(change_address: Callable[..., None]) -> Callable[..., None]:
    """The address that a document was loaded from changes with it, in the senders of its contexts."""

    def change(frame: Any, url: Any) -> None:
        change_address(frame, url)
        for context in frame.contexts:
            context.url = str(url)

    return change


def end_documents(change_address: Callable[..., None]) -> Callable[..., None]:
    """Every change of the address ends the ports of the page."""

    def change(frame: Any, url: Any) -> None:
        change_address(frame, url)
        for context in frame.contexts:
            for port in tuple(context.script.scope.members):
                port.close(None)

    return change


def lose_nothing(unload_tab: Callable[..., None]) -> Callable[..., None]:
    """A tab that is lost goes on."""
    return lambda registry, tab, error=None: None


MUTANTS: list[Mutant] = [
    in_browser(44, "does not start a background that is asleep", Script, "may_hear", hear_nothing_asleep),
    in_browser(44, "ends the connections that have woken a background", Script, "end_first_turn", forget_callers),
    in_browser(45, "does not stop a background", browser, "stop", stop_nothing),
    in_browser(47, "leaves the content scripts of an extension that goes alone", unloading, "unload", keep_scripts),
    in_browser(
        9, "describes a document by the address that it has now", navigation, "change_address", rename_documents
    ),
    in_browser(48, "ends a page's ports when its address changes", navigation, "change_address", end_documents),
    in_browser(50, "leaves the page of a tab that is lost alone", navigation, "unload_tab", lose_nothing),
]
