"""Mutants: ports and browsers that are broken on purpose, one way each, to see whether the kit notices.

The page ``reference/checks`` of the documentation lists them under their rules.
"""

from __future__ import annotations

from testing.mutants import asking, disconnecting, listeners, lives, messages, opening
from testing.mutants.disconnecting import show_everybody
from testing.mutants.mutant import SMALL, Mutant
from testing.proxies import ProxyPort

__all__ = ["MUTANTS", "SMALL", "Mutant", "ProxyPort", "find_mutant", "show_everybody"]

MUTANTS = [
    *opening.MUTANTS,
    *messages.MUTANTS,
    *disconnecting.MUTANTS,
    *listeners.MUTANTS,
    *lives.MUTANTS,
    *asking.MUTANTS,
]


def find_mutant(does: str) -> Mutant:
    """Return the mutant that does this."""
    (found,) = [mutant for mutant in MUTANTS if mutant.does == does]
    return found
