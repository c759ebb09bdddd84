"""A conformance kit for ports: whether your own port, browser or native application obeys the rules.

`check_port` and `check_browser` play stories for every rule and random histories, compare with a model, and name the
rule that is broken. `port_state_machine` and `browser_state_machine` do the same as state machines for Hypothesis.
`check_application` speaks to a native application in any language.

The names are imported when they are first asked for: `check_application` needs neither Hypothesis nor pytest.
"""

from typing import TYPE_CHECKING, Any

from .._util import imported_on_demand

if TYPE_CHECKING:
    from ._applications.check import (
        ApplicationBrokenError,
        ApplicationReport,
        Finding,
        check_application,
        examine_application,
    )
    from ._conformance.check import Report, check_browser, check_port
    from ._conformance.compare.difference import Difference
    from ._conformance.findings import RuleBrokenError
    from ._conformance.history import moves
    from ._conformance.history.generate import Scope, histories
    from ._conformance.history.moves import History, Move, describe_history
    from ._conformance.options import Limits
    from ._conformance.players.browser import BrowserPlayer, open_browser_player
    from ._conformance.players.ends import PortPlayer, open_port_player
    from ._conformance.players.player import Player
    from ._conformance.players.port_like import EventLike, PortLike
    from ._conformance.rules import RULES, Rule
    from ._conformance.state_machines import PortStateMachine, browser_state_machine, port_state_machine
    from ._conformance.subjects.serve import serve_subject
    from .driver import Driver, DriverTask
    from .recorder import ConversationRecorder
    from .strategies import chunkings, json_messages, port_names, senders
    from .streams import FaultyStream, breaking, half_closing, misframing, stalling, trickling
else:
    _load, __dir__ = imported_on_demand(
        __name__,
        {
            "._applications.check": (
                "ApplicationBrokenError",
                "ApplicationReport",
                "Finding",
                "check_application",
                "examine_application",
            ),
            ".recorder": ("ConversationRecorder",),
            "._conformance.check": ("Report", "check_browser", "check_port"),
            "._conformance.history": ("moves",),
            "._conformance.history.generate": ("Scope", "histories"),
            ".driver": ("Driver", "DriverTask"),
            "._conformance.history.moves": ("History", "Move", "describe_history"),
            "._conformance.compare.difference": ("Difference",),
            "._conformance.state_machines": ("PortStateMachine", "browser_state_machine", "port_state_machine"),
            "._conformance.players.ends": ("PortPlayer", "open_port_player"),
            "._conformance.players.player": ("Player",),
            "._conformance.players.port_like": ("EventLike", "PortLike"),
            "._conformance.rules": ("RULES", "Rule"),
            "._conformance.subjects.serve": ("serve_subject",),
            ".strategies": ("chunkings", "json_messages", "port_names", "senders"),
            ".streams": ("FaultyStream", "breaking", "half_closing", "misframing", "stalling", "trickling"),
            "._conformance.options": ("Limits",),
            "._conformance.findings": ("RuleBrokenError",),
            "._conformance.players.browser": ("BrowserPlayer", "open_browser_player"),
        },
    )

    def __getattr__(name: str) -> Any:
        try:
            return _load(name)
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] != "hypothesis":
                raise
            advice = f"{name} needs Hypothesis: python -m pip install 'trio_ports[testing]'"
            raise ModuleNotFoundError(advice, name=error.name) from error


__all__ = [
    "RULES", "ApplicationBrokenError", "ApplicationReport", "BrowserPlayer", "ConversationRecorder", "Difference",
    "Driver", "DriverTask", "EventLike", "FaultyStream", "Finding", "History", "Limits", "Move", "Player", "PortLike",
    "PortPlayer", "PortStateMachine", "Report", "Rule", "RuleBrokenError", "Scope", "breaking", "browser_state_machine",
    "check_application", "check_browser", "check_port", "chunkings", "describe_history", "examine_application",
    "half_closing", "histories", "json_messages", "misframing", "moves", "open_browser_player", "open_port_player",
    "port_names", "port_state_machine", "senders", "serve_subject", "stalling", "trickling",
]  # fmt: skip
