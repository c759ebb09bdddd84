"""The stories that are told of a connection, and those that are not."""

from __future__ import annotations

import math
from dataclasses import replace

from trio_ports.testing import Scope
from trio_ports.testing._conformance.model import RULES
from trio_ports.testing._conformance.stories import ends_stories


def test_stories_that_do_not_apply() -> None:
    """Without a limit over a wire there is none about sizes; where a port has no block, none about what leaves it."""
    rules = replace(RULES["trio"], largest=math.inf, tells_late=True)
    told = {story.rule for story in ends_stories(rules, Scope(narrows=False, raises=False))}
    assert not told & {16, 31}
    assert told >= {10, 19, 24}
