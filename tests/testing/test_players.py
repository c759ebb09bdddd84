"""Players of one connection: what they cannot be asked."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import trio_ports
from trio_ports.testing import open_port_player


def test_ends_have_no_tabs() -> None:
    """What belongs to a world cannot be asked of the ends of one connection."""

    async def main() -> None:
        async with open_port_player(lambda nursery: trio_ports.open_port_pair(nursery)) as player:
            asked: list[tuple[Any, Any]] = [
                (player.tab_number, "t1"),
                (player.frame_number, "t1"),
                (player.document_of, "t1"),
            ]
            for question, about in asked:
                with pytest.raises(NotImplementedError):
                    question(about)

    trio.run(main)
