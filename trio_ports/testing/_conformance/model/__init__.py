"""A reference model of ports: the rules in plain Python, without an event loop and without the package.

The model plays histories. A move changes it at once, and `Model.settle` then does what a Trio run does until every
task waits. Each port has a script: a generator that delivers its messages and its end, and yields what it waits for.
What the listeners of a context should get is in the context's `log`, and what came of a call that waits in its `Call`.

The rules say nothing about the order between different senders or different ports.
"""

from .connections import WIRE, Call, Seen
from .dialects import DIALECT_RULES, MIB, DialectRules
from .playing import Glance, Model, Witness
from .ports import Context, Port

__all__ = [
    "DIALECT_RULES",
    "MIB",
    "WIRE",
    "Call",
    "Context",
    "DialectRules",
    "Glance",
    "Model",
    "Port",
    "Seen",
    "Witness",
]
