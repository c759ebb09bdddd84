"""What becomes of an exception: decided without a port. Rules 20 and 31."""

from __future__ import annotations

import pytest
import trio
from support import ScriptedError

from trio_ports._ports.failures import Verdict, join_failures, judge, raise_as_it_is


async def cancelled() -> trio.Cancelled:
    """Return a cancellation; only Trio can make one."""
    caught: list[trio.Cancelled] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as error:
            caught.append(error)
            raise
    return caught[0]


async def test_what_becomes_of_a_listeners_exception() -> None:
    """A failure is reported, and raised unless failures are logged; a cancellation always goes on, and ends nothing."""
    failure, cancellation = ScriptedError(), await cancelled()
    assert judge(failure, "raise") == Verdict(failure, failure, ends_port=True)
    assert judge(failure, "log") == Verdict(failure, None, ends_port=False)
    assert judge(cancellation, "log") == judge(cancellation, "raise") == Verdict(None, cancellation, ends_port=False)


async def test_a_failure_beside_a_cancellation() -> None:
    """The failure is raised alone: no scope may be there for the cancellation. Where it is logged, that goes on."""
    group = BaseExceptionGroup("both", [ScriptedError(), await cancelled()])
    raised, logged = judge(group, "raise"), judge(group, "log")
    assert (raised.ends_port, logged.ends_port) == (True, False)
    assert pytest.RaisesGroup(ScriptedError).matches(raised.raised)
    assert pytest.RaisesGroup(trio.Cancelled).matches(logged.raised)
    for verdict in (raised, logged):
        assert isinstance(verdict.reported, ExceptionGroup)


@pytest.mark.parametrize("errors", ["raise", "log"])
def test_what_is_no_ordinary_exception_is_always_raised(errors: str) -> None:
    """A KeyboardInterrupt is nobody's log line."""
    interrupt = KeyboardInterrupt()
    assert judge(interrupt, errors) == Verdict(None, interrupt, ends_port=True)  # type: ignore[arg-type]


async def test_two_failures_leave_together_and_one_as_it_is() -> None:
    """Whatever was cancelled beside them is left out, unless it is all there is."""
    own, other, cancellation = ScriptedError("own"), ScriptedError("other"), await cancelled()
    others = BaseExceptionGroup("tasks", [other, cancellation])
    assert join_failures("all", None, others) is others
    assert join_failures("all", own, cancellation) is own
    assert join_failures("all", cancellation, cancellation) is cancellation
    for group in (others, other):
        joined = join_failures("all", own, group)
        assert isinstance(joined, BaseExceptionGroup)
        assert joined.exceptions == (own, other)


def test_an_exception_that_was_kept_keeps_its_context() -> None:
    """Raised while another one is handled, it does not get that one for a context."""
    kept = ScriptedError()
    with pytest.raises(ScriptedError) as caught:
        try:
            raise ValueError
        except ValueError:
            raise_as_it_is(kept)
    assert caught.value is kept
    assert kept.__context__ is None
