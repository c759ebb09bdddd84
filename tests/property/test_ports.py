"""Whatever is done to ports, in whatever order: they do what the model does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio
from hypothesis import settings
from property.machine import BrowserMachine, PairMachine

from trio_ports import MessageSender, Port, open_port_pair


@asynccontextmanager
async def open_pair(**options: Any) -> AsyncGenerator[tuple[Port, Port], None]:
    async with trio.open_nursery() as nursery:
        yield open_port_pair(nursery, "pair", MessageSender(id="notes@example.org"), **options)
        nursery.cancel_scope.cancel()


class TrioPairs(PairMachine):
    open_pair = staticmethod(open_pair)


class FirefoxPairs(TrioPairs):
    dialect = "firefox"


class ChromePairs(TrioPairs):
    dialect = "chrome"


class TrioBrowser(BrowserMachine):
    pass


class FirefoxBrowser(BrowserMachine):
    dialect = "firefox"


class ChromeBrowser(BrowserMachine):
    dialect = "chrome"


BUDGET = settings(max_examples=60, stateful_step_count=30)
TestTrioPairs = TrioPairs.TestCase
TestFirefoxPairs = FirefoxPairs.TestCase
TestChromePairs = ChromePairs.TestCase
TestTrioBrowser = TrioBrowser.TestCase
TestFirefoxBrowser = FirefoxBrowser.TestCase
TestChromeBrowser = ChromeBrowser.TestCase
TestTrioPairs.settings = TestFirefoxPairs.settings = TestChromePairs.settings = BUDGET
TestTrioBrowser.settings = TestFirefoxBrowser.settings = TestChromeBrowser.settings = BUDGET
