"""A conformance kit for ports: whether your own port, browser or native application obeys the rules.

`check_port` and `check_browser` play stories for every rule and random histories, compare with a model, and name the
rule that is broken. `port_state_machine` and `browser_state_machine` do the same as state machines for Hypothesis.
"""

from .checking import Limits, Report, RuleBroken, check_browser, check_port
from .choosing import Scope, histories
from .driver import Driver, Step
from .histories import History, Move, describe_history
from .machines import PortStateMachine, browser_state_machine, port_state_machine
from .players import EndsPlayer, WorldPlayer, open_ends_player, open_world_player
from .rules import RULES, Rule
from .streams import FaultyStream, breaking, half_closing, lying, stalling, trickling
from .strategies import chunkings, json_messages, port_names, senders

__all__ = [
    "RULES",
    "Driver",
    "EndsPlayer",
    "FaultyStream",
    "History",
    "Limits",
    "Move",
    "PortStateMachine",
    "Report",
    "Rule",
    "RuleBroken",
    "Scope",
    "Step",
    "WorldPlayer",
    "breaking",
    "browser_state_machine",
    "check_browser",
    "check_port",
    "chunkings",
    "describe_history",
    "half_closing",
    "histories",
    "json_messages",
    "lying",
    "open_ends_player",
    "open_world_player",
    "port_names",
    "port_state_machine",
    "senders",
    "stalling",
    "trickling",
]
