"""Compare what is certain when the scope that owns everything has ended: rule 20.

Which of the two ends goes first is left open, and so is what still arrives. But each end is over, each call has
returned, and an end that did not go first was told, once and without an error.
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import model
from ..players.notation import cause_of, word_for
from ..players.player import ComparedContext, ComparedPlayer
from .difference import Difference


def find_partings(reference: model.Model, player: ComparedPlayer, *, tells: bool) -> Iterator[Difference]:
    """Return what is otherwise than it should be. ``tells``: one of two ends that are open is told of the other's."""
    found: dict[model.Port, str] = {}
    for name, context in reference.contexts.items():
        for label, port in context.ports.items():
            actor = player.contexts[name]
            if label in actor.ports:
                found[port] = _post_to(actor, label)
                yield from _compare_port(port, actor, label, found[port])
    if tells:
        for port in found:
            peers = [peer for peer in found if peer.connection is port.connection and peer is not port]
            states = [each.state for each in (port, *peers)]
            if port.side == "opener" and "closed" not in states and "broken" not in [found[each] for each in found]:
                yield Difference("scope ends", "the ends", "that one of them is told of the other's end", "none is")
    for name, call in player.calls.items():
        if call.outcome == "blocked" and reference.calls[name].port in found:
            yield Difference("scope ends", f"the call {name}", "that it does not wait any more", "blocked")


def _post_to(actor: ComparedContext, label: str) -> str:
    """Return what comes of a post after the end."""
    try:
        actor.ports[label].post_message(0)
    except Exception as error:  # noqa: BLE001 - What it is becomes the finding.
        return word_for(error)
    return "ok"


def _compare_port(port: model.Port, actor: ComparedContext, label: str, posting: str) -> Iterator[Difference]:
    at = f"port {label} of {actor.name}, after the end of the scope"
    words = {"closed": ["closed"], "ended": ["broken"]}.get(port.state, ["closed", "broken"])
    if posting not in words:
        yield Difference("scope ends", at, f"that post_message raises: {' or '.join(words)}", posting)
    if label not in actor.ended_ports:
        yield Difference("scope ends", at, "that wait_disconnected returns", "it waits")
    error, known = cause_of(actor.ports[label].error), port.error or port.peer_error
    if port.rules.keeps_error and error not in (None, known):
        yield Difference("error", at, f"error={known}", f"error={error}")
    told = [record["listener"] for record in actor.log if (record["event"], record["port"]) == ("on_disconnect", label)]
    if len(told) > len({*told}) or (told and posting == "closed" and port.state == "open"):
        yield Difference("ends", at, "that each listener is called once, or none where it disconnected", str(told))
