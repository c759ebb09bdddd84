"""A reference model of ports: the rules in plain Python, without an event loop and without the package.

It plays histories. A move changes the model at once; `Model.settle` then does what a run does until everything waits.
Each port has a script, a generator that delivers its messages and its end and yields what it waits for. What the
listeners of a context should have been told is in its `log`; what became of a waiting call is in its `Call`.

The order between different senders, and between different ports, is not ruled.
"""

from .connections import Call, Connection, Direction, Inbox, Message, Seen
from .contexts import Context
from .dialects import DIALECT_RULES, MIB, DialectRules, Outcome
from .playing import Model
from .ports import Port

__all__ = [
    "DIALECT_RULES",
    "MIB",
    "Call",
    "Connection",
    "Context",
    "DialectRules",
    "Direction",
    "Inbox",
    "Message",
    "Model",
    "Outcome",
    "Port",
    "Seen",
]
