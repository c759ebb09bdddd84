"""Whatever is done to ports, in whatever order: they do what the model does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from hypothesis import settings

from trio_ports import MessageSender, Port, open_browser, open_port_pair
from trio_ports.testing import Limits, browser_state_machine, port_state_machine

pytestmark = pytest.mark.repetition

LIMITS = Limits(max_buffer_size=3)


@asynccontextmanager
async def open_pair(**options: Any) -> AsyncGenerator[tuple[Port, Port]]:
    async with trio.open_nursery() as nursery:
        yield open_port_pair(nursery, "pair", MessageSender(id="notes@example.org"), listener_errors="log", **options)
        nursery.cancel_scope.cancel()


TrioPairs = port_state_machine(partial(open_pair, max_buffer_size=3), limits=LIMITS, listener_errors="log")
FirefoxPairs = port_state_machine(partial(open_pair, dialect="firefox"), dialect="firefox")
ChromePairs = port_state_machine(partial(open_pair, dialect="chrome"), dialect="chrome")
TrioBrowser = browser_state_machine(
    partial(open_browser, max_buffer_size=3, listener_errors="log"), limits=LIMITS, listener_errors="log"
)
FirefoxBrowser = browser_state_machine(partial(open_browser, dialect="firefox"), dialect="firefox")
ChromeBrowser = browser_state_machine(partial(open_browser, dialect="chrome"), dialect="chrome")

BUDGET = settings(max_examples=40, stateful_step_count=40)
TestTrioPairs = TrioPairs.TestCase
TestFirefoxPairs = FirefoxPairs.TestCase
TestChromePairs = ChromePairs.TestCase
TestTrioBrowser = TrioBrowser.TestCase
TestFirefoxBrowser = FirefoxBrowser.TestCase
TestChromeBrowser = ChromeBrowser.TestCase
TestTrioPairs.settings = TestFirefoxPairs.settings = TestChromePairs.settings = BUDGET
TestTrioBrowser.settings = TestFirefoxBrowser.settings = TestChromeBrowser.settings = BUDGET
