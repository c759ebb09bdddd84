"""A stage, where a scene is played: observes the ports, reports their steps, and checks that all went well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, final

import attrs
import msgspec
import trio

from trio_ports import Cause, Delivered, Disconnected, Dropped, MessageSender, Observation, Opened, Port, Posted

from ..._protocol.dialects import DialectName
from .steps import MessageDelivered, MessagePosted, PortDisconnected, PortOpened, Step, Trouble, UserActed

NOBODY: Final = "somebody"


class InVainError(Exception):
    """What a scene waits for will not happen: a connection has ended with an error instead."""


@attrs.define
class Part:
    """The role of a port in the scene."""

    number: int
    sender: MessageSender | None
    who: str = NOBODY
    whom: str = NOBODY
    ends: int = 0


@final
@attrs.define(eq=False)
class Stage:
    """Where one scene is played."""

    scene: str
    """The scene's name."""
    dialect: DialectName = attrs.field(kw_only=True)
    """The dialect of the scene's browser."""
    _tell: Callable[[Step], object] = attrs.field(alias="tell", kw_only=True)
    """Called with each step as it happens; it must not raise."""
    pause_seconds: float = attrs.field(kw_only=True)
    """How long the user thinks before each action."""
    ok: bool = attrs.field(default=True, init=False)
    waits_for: str = attrs.field(default="nothing", init=False)
    """What the scene is waiting for, as part of a sentence."""
    steps: list[Step] = attrs.field(factory=list[Step], init=False)
    """The steps so far."""
    _parts: dict[Port[Any, Any], Part] = attrs.field(factory=dict[Port[Any, Any], Part], init=False)
    _surprises: list[Step] = attrs.field(factory=list[Step], init=False)
    """What scripts have received and the scene has not asked for yet."""
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)

    # For the browser ------------------------------------------------------------------------------------------------

    def observe(self, observation: Observation) -> None:
        """Report what happened to a port. This is the observer of the scene's browser."""
        port: Port[Any, Any] = observation.port
        if isinstance(observation, Opened):
            self._parts[port] = Part(len(self._parts) + 1, port.sender)
            return  # It is reported once it is known which script has it.
        part = self._parts[port]
        where = (self.scene, part.number, port.name)
        match observation:
            case Posted(frame=frame):
                self.tell(MessagePosted(*where, part.who, part.whom, msgspec.json.decode(frame)))
            case Delivered(frame=frame):
                self._surprise(MessageDelivered(*where, part.whom, part.who, msgspec.json.decode(frame)))
            case Disconnected(error=error, here=here):
                part.ends += 1
                cause, text = (error.cause.value, str(error)) if error is not None else (None, None)
                step = PortDisconnected(*where, part.who, part.whom, here, cause=cause, error=text)
                (self.tell if here else self._surprise)(step)
            case Dropped(frame=frame):
                self.trouble(f"{part.who} was not listening when {frame.decode(errors='replace')} arrived")
            case _:
                self.trouble(f"a listener of {part.who} failed: {observation.error!r}")

    # For the scene --------------------------------------------------------------------------------------------------

    def follow(self, port: Port[Any, Any], who: str, whom: str) -> None:
        """Note which script has a new port, and who is on the other side."""
        part = self._parts[port]
        part.who, part.whom = who, whom
        side: Literal["opener", "receiver"] = "opener" if part.sender is None else "receiver"
        known = None
        if part.sender is not None:
            known = {field: value for field, value in msgspec.to_builtins(part.sender).items() if value is not None}
        self.tell(PortOpened(self.scene, part.number, port.name, who, whom, side, sender=known))

    async def user(self, text: str, *does: Callable[[], object]) -> None:
        """Let the user do something, after a pause."""
        await trio.sleep(self.pause_seconds)
        self.tell(UserActed(self.scene, text))
        for each in does:
            each()

    async def heard(self, who: str, *messages: Any) -> None:
        """Wait until a script has got these messages."""
        for message in messages:
            await self._find(f"{who} to get {message!r}", MessageDelivered, whom=who, message=message)

    async def told_end(self, who: str, *, cause: Cause | None = None) -> None:
        """Wait until a script learns that a connection has ended, with this cause."""
        value = None if cause is None else cause.value
        how = "in good order" if value is None else f"by {value}"
        await self._find(f"{who} to learn of an end {how}", PortDisconnected, who=who, cause=value)

    # For whoever runs the scene -------------------------------------------------------------------------------------

    def tell(self, step: Step) -> None:
        """Report a step."""
        self.steps.append(step)
        self._tell(step)

    def trouble(self, text: str) -> None:
        """Report what went wrong."""
        self.ok = False
        self.tell(Trouble(self.scene, text))

    def check_end(self) -> None:
        """Check, after the scene, that nothing unexpected happened and that each port ended once."""
        for step in self._surprises:
            self.trouble(f"nobody expected {step}")
        for port, part in self._parts.items():
            if part.who is NOBODY:
                self.trouble(f"no script has {port!r}")
            if part.ends != 1:
                self.trouble(f"the port of {part.who} to {part.whom} ended {part.ends} times")

    def _surprise(self, step: Step) -> None:
        self.tell(step)
        self._surprises.append(step)
        self._news.set()
        self._news = trio.Event()

    async def _find(self, what: str, kind: type[Step], **fields: object) -> None:
        """Wait for a step of this kind with these fields, and take it out of the surprises.

        Raises:
            InVainError: another step shows that it will not happen.
        """
        self.waits_for = what
        await trio.lowlevel.checkpoint()
        while True:
            for step in self._surprises:
                if is_like(step, kind, **fields):
                    self._surprises.remove(step)
                    return
                if isinstance(step, PortDisconnected) and step.cause is not None:
                    raise InVainError(f"{step.who} learned that {step.whom} has gone ({step.error}), and not {what}")
            await self._news.wait()


def is_like(step: Step, kind: type[Step], **fields: object) -> bool:
    """Return whether a step is of this kind and has these fields."""
    return isinstance(step, kind) and all(getattr(step, name) == value for name, value in fields.items())
