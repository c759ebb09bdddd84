"""What is certain when the scope that owns both ends has ended, and what is found if it is not so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import trio

from trio_ports.testing import moves
from trio_ports.testing._conformance.compare.parting import find_partings
from trio_ports.testing._conformance.model import DIALECT_RULES, Model


def closed(_: Any) -> None:
    raise trio.ClosedResourceError


def broken(_: Any) -> None:
    raise trio.BrokenResourceError


END = {"event": "on_disconnect", "port": "p", "listener": "end"}


def make_actor(name: str, post: Any, log: list[Any]) -> Any:
    port = SimpleNamespace(post_message=post, error=None)
    return SimpleNamespace(name=name, ports={"p": port}, ended_ports={"p"}, log=log)


def part(tamper: Any = lambda player: None, history: Any = (), *, tells: bool = True) -> list[tuple[str, str]]:
    """Let a scope end in good order, but for what the tamper changes, and return what is found."""
    reference = Model.of_ends(DIALECT_RULES["trio"])
    for move in [*history, moves.start_wait("wait", "opener"), moves.finish()]:
        assert reference.may(move)
        reference.play(move)
    contexts = {"opener": make_actor("opener", closed, []), "receiver": make_actor("receiver", broken, [END])}
    player: Any = SimpleNamespace(contexts=contexts, calls={"wait": SimpleNamespace(outcome="ok")})
    tamper(player)
    return [(found.kind, found.found) for found in find_partings(reference, player, tells=tells)]


def close_both(player: Any) -> None:
    player.contexts["receiver"] = make_actor("receiver", closed, [])


def test_a_scope_that_ends_in_good_order() -> None:
    """Nothing is found, whoever goes first."""
    assert part() == []
    assert part(lambda player: player.contexts.update(opener=make_actor("opener", broken, [END]))) == []
    assert part(close_both, tells=False) == []


FAULTS: dict[str, tuple[Any, tuple[str, str]]] = {
    "nobody is told": (close_both, ("scope ends", "none is")),
    "an end stays open": (
        lambda player: player.contexts.update(opener=make_actor("opener", lambda _: None, [])),
        ("scope ends", "ok"),
    ),
    "wait_disconnected waits": (
        lambda player: player.contexts["opener"].ended_ports.clear(),
        ("scope ends", "it waits"),
    ),
    "a call waits": (lambda player: setattr(player.calls["wait"], "outcome", "blocked"), ("scope ends", "blocked")),
    "a listener is called twice": (
        lambda player: player.contexts["receiver"].log.append(END),
        ("ends", "['end', 'end']"),
    ),
    "the first one is told too": (lambda player: player.contexts["opener"].log.append(END), ("ends", "['end']")),
    "an error": (
        lambda player: setattr(player.contexts["receiver"].ports["p"], "error", SimpleNamespace(cause="crashed")),
        ("error", "error=crashed"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(fault: str) -> None:
    """Each is found, and nothing else."""
    tamper, found = FAULTS[fault]
    assert part(tamper) == [found]


def test_what_was_over_before() -> None:
    """It stays as it was."""
    before = [moves.turn("opener", moves.disconnect())]
    assert part(history=before) == []
    assert part(close_both, before) == [("scope ends", "closed")]


def test_a_port_that_was_never_seen() -> None:
    """A port that the player does not have is reported elsewhere."""
    assert part(lambda player: player.contexts["receiver"].ports.clear(), tells=False) == []


def test_it_ends_once() -> None:
    """Nothing comes after it."""
    reference = Model.of_ends(DIALECT_RULES["trio"])
    reference.play(moves.finish())
    assert not reference.may(moves.finish())
