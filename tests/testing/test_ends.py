"""Makers of every kind, and the errors for what is not a connection."""

from __future__ import annotations

import re
from typing import Any

import pytest
import trio
from testing import makers, mutants
from testing.proxies import ProxyEvent

from trio_ports.testing import Limits, check_port
from trio_ports.testing._conformance.players.ends import PORT_MEMBERS


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, "the maker must return the ends of a connection, the opener's first, and not None"),
        ((1, 2), "1 is not a port, it has no name, sender, "),
        ((), "two at least, and not 0"),
    ],
)
@pytest.mark.parametrize("maker", [lambda made: lambda: made, lambda made: lambda nursery: made])
def test_what_is_no_connection(made: Any, said: str, maker: Any) -> None:
    """A maker that makes something else is told so, before anything is played."""
    with pytest.raises(TypeError, match=re.escape(said)):
        check_port(maker(made))


async def open_async(nursery: trio.Nursery) -> tuple[Any, Any]:
    await trio.lowlevel.checkpoint()
    return makers.open_with_nursery(nursery)


@pytest.mark.parametrize("maker", [makers.open_with_nursery, open_async])
def test_makers_of_all_kinds(maker: Any) -> None:
    """A maker may take a nursery, and may be async."""
    assert check_port(maker, listener_errors="log", examples=2).histories > 100


class Bare:
    """The members that a port is documented to need, and no more."""

    def __init__(self, real: Any, others: Any) -> None:
        members = mutants.ProxyPort(real, others)
        for name in PORT_MEMBERS:
            if name not in ("error", "on_message", "on_disconnect"):
                setattr(self, name, getattr(members, name))
        self.real = real
        self.on_message = ProxyEvent(self, real.on_message)  # type: ignore[arg-type]
        self.on_disconnect = ProxyEvent(self, real.on_disconnect)  # type: ignore[arg-type]

    @property
    def error(self) -> Any:
        return self.real.error


def test_what_a_port_needs() -> None:
    """A port of another class is checked by the members that are documented."""
    bare = mutants.Mutant(0, "is none", Bare)  # type: ignore[arg-type]
    check_port(bare.make, limits=Limits(**mutants.SMALL), listener_errors="log", supports_async_with=False, examples=5)
