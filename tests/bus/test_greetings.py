"""A node is there once it has answered."""

from __future__ import annotations

from trio_ports.bus import Arrived, Gone, Joined
from trio_ports.bus.greetings import MAX_QUESTIONS, Greetings

HELLO = Arrived("peer", b"hello")


def test_a_node_is_announced_asked_and_answers() -> None:
    """Who is announced is asked until it answers; then it is there, once."""
    greetings = Greetings()
    greetings.announce("peer")
    assert [greetings.ask() for _ in range(2 * MAX_QUESTIONS)] == [["peer"]] * 2 * MAX_QUESTIONS
    assert greetings.answer("peer") == [Joined("peer")]
    greetings.announce("peer")
    assert (greetings.ask(), greetings.has_strangers, greetings.answer("peer")) == ([], False, [])
    assert greetings.hear(HELLO) == [HELLO]
    assert greetings.lose("peer") == [Gone("peer")]


def test_what_a_stranger_says_is_kept_until_it_answers() -> None:
    """Words that are faster than the news of who says them are heard after it."""
    greetings = Greetings()
    assert greetings.hear(HELLO) == []
    greetings.announce("peer")
    assert greetings.ask() == ["peer"]
    assert greetings.answer("peer") == [Joined("peer"), HELLO]


def test_last_words_do_not_bring_back_who_is_gone() -> None:
    """Who spoke last after the news that it is gone is asked some times, and then forgotten."""
    greetings = Greetings()
    greetings.announce("peer")
    greetings.answer("peer")
    greetings.lose("peer")
    assert greetings.hear(HELLO) == []
    assert [greetings.ask() for _ in range(MAX_QUESTIONS + 1)] == [["peer"]] * MAX_QUESTIONS + [[]]
    assert not greetings.has_strangers


def test_who_goes_before_it_has_answered_never_was() -> None:
    """Of somebody who has not answered nothing is told."""
    greetings = Greetings()
    greetings.announce("peer")
    assert greetings.lose("peer") == []
    assert greetings.lose("peer") == []
