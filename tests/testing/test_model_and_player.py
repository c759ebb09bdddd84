"""The model and a player agree, and moves that make no sense are recognised."""

from __future__ import annotations

import pytest
import trio

import trio_ports
from trio_ports.testing import Limits, moves, open_browser_player, open_port_player
from trio_ports.testing._conformance.compare.compare import Comparison
from trio_ports.testing._conformance.history.moves import EXTENSIONS, turn
from trio_ports.testing._conformance.model import DIALECT_RULES, Model
from trio_ports.testing._conformance.options import Options
from trio_ports.testing._conformance.play import make_port_subject, play


def test_a_move_that_there_is_not() -> None:
    """A misspelt move is an error, and not one that makes no sense now."""
    with pytest.raises(NotImplementedError, match="dance"):
        Model.of_ends(DIALECT_RULES["trio"]).may({"move": "dance"})


def test_listeners_for_connections_are_asked_for() -> None:
    """The model knows who listens for connections, and so does the browser."""
    history = [
        turn("a", moves.has_listener("on_connect", "hears", port=None)),
        turn("a", moves.add_listener("on_connect", "hears", port=None)),
        turn("a", moves.has_listener("on_connect", "hears", port=None)),
    ]

    async def main() -> None:
        reference = Model.of_browser(DIALECT_RULES["trio"], EXTENSIONS)
        async with open_browser_player(trio_ports.open_browser) as player:
            for move in history:
                assert reference.may(move)
                reference.play(move)
                await player.play(move)
            assert reference.results == player.results == [False, "ok", True]

    trio.run(main)


def test_a_queue_is_filled() -> None:
    """A number of posts is one step: it ends with the first that is refused, and says which that was."""
    history = [
        turn("opener", moves.fill(1, 1000), moves.fill(1001, 1000), moves.disconnect(), moves.fill(1, 1)),
        turn("receiver", moves.hear()),
    ]

    async def main() -> None:
        reference = Model.of_ends(DIALECT_RULES["trio"])
        async with open_port_player(lambda nursery: trio_ports.open_port_pair(nursery)) as player:
            for move in history:
                assert reference.may(move)
                reference.play(move)
                await player.play(move)
            assert reference.results[:4] == player.results[:4] == ["ok", "full after 24", "ok", "closed after 0"]
            assert Comparison(reference, player).compare(history[-1]) is None
            assert len(player.contexts["receiver"].log) == 1025

    trio.run(main)


def test_nobody_waits_for_room_that_there_is() -> None:
    """A listener whose own answers have all found room goes on, though somebody waits there to send one more."""
    holds = moves.add_listener("on_message", "holds", moves.hold())
    history = [
        turn("receiver", moves.add_listener("on_message", "echo", moves.echo()), moves.post("first")),
        turn("opener", moves.fill(1, 3)),
        turn("opener", moves.post(4)),
        turn("receiver", moves.by("receiver", holds), moves.by("opener", holds)),
        moves.start_send("sent", "receiver", "after"),
        moves.release("opener"),
        turn("opener", moves.post(5)),
        moves.release("receiver"),
    ]
    maker = lambda nursery: trio_ports.open_port_pair(nursery, max_buffer_size=3)  # noqa: E731 - It takes the nursery.
    subject = make_port_subject(maker, 1, Options(limits=Limits(max_buffer_size=3)))
    verdict = play(subject, history)
    assert (verdict.history, verdict.difference) == (history, None)


@pytest.mark.parametrize(
    ("together", "outcome"), [(True, "closed"), (False, "broken")], ids=["at once", "one after the other"]
)
def test_both_leave_while_somebody_waits_to_send(together: bool, outcome: str) -> None:
    """Who waits is told of this side's end if both came at once, and otherwise of the first."""
    leaving = [turn("opener", moves.disconnect()), turn("receiver", moves.disconnect())]
    at_once = turn("opener", moves.by("opener", moves.disconnect()), moves.by("receiver", moves.disconnect()))
    history = [
        turn("receiver", moves.fill(1, 1024)),
        moves.start_send("sent", "receiver", "after"),
        *([at_once] if together else leaving),
    ]

    async def main() -> None:
        reference = Model.of_ends(DIALECT_RULES["trio"])
        async with open_port_player(lambda nursery: trio_ports.open_port_pair(nursery)) as player:
            for move in history:
                reference.play(move)
                await player.play(move)
            assert reference.calls["sent"].outcome == player.calls["sent"].outcome == outcome
            assert Comparison(reference, player).compare(history[-1]) is None

    trio.run(main)


NONSENSE = [
    moves.enter("nobody"),
    moves.leave("nobody"),
    moves.release("nobody"),
    moves.start_receive("call", "nobody"),
    moves.cancel("nothing"),
    moves.enter("opener", None),
    moves.enter("opener", "another port"),
    moves.leave("opener"),
    moves.navigate("nowhere"),
    moves.close("nowhere"),
    moves.open_frame("frame", "nowhere"),
    moves.uninstall("nothing"),
]


@pytest.mark.parametrize("move", NONSENSE, ids=moves.describe_move)
def test_what_makes_no_sense(move: moves.Move) -> None:
    """It is left out of a history."""
    assert not Model.of_ends(DIALECT_RULES["trio"]).may(move)


def test_a_listener_for_connections_that_goes_at_once() -> None:
    """It was there when somebody connected, and is gone when the connection could be told: nobody is there."""
    history = [
        moves.open_tab("t1"),
        turn("a", moves.add_listener("on_connect", "hears", port=None)),
        turn(
            "t1/a",
            moves.by("t1/a", moves.connect("c"), moves.add_listener("on_disconnect", "end", port="c")),
            moves.by("a", moves.remove_listener("on_connect", "hears", port=None)),
        ),
    ]

    async def main() -> None:
        reference = Model.of_browser(DIALECT_RULES["trio"], EXTENSIONS)
        async with open_browser_player(trio_ports.open_browser) as player:
            for move in history:
                assert reference.may(move)
                reference.play(move)
                await player.play(move)
            assert [record["error"] for record in player.contexts["t1/a"].log] == ["no-receiver"]
            assert Comparison(reference, player).compare(history[-1]) is None

    trio.run(main)
