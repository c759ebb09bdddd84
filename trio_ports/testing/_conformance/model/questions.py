"""The one-shot messages of the model: who hears one, and what comes of it. Rules 60 to 64."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .connections import Seen
from .dialects import THROWN_TEXT, DialectRules, show
from .ports import Context


@dataclass(eq=False)
class Question:
    """A one-shot message, from the call to its answer."""

    rules: DialectRules
    asker: Context
    label: str
    message: Any
    event: str
    sender: dict[str, Any]
    is_over: bool = False
    was_heard: bool = False
    was_declined: bool = False
    """A context had nothing to say."""
    promised: list[Any] = field(default_factory=list[Any])
    """The answers of those who have promised one."""
    later: set[Context] = field(default_factory=set[Context])
    """The contexts that may answer later."""

    def dispatch(self, contexts: list[Context]) -> None:
        """Call the listeners of the contexts that were found, and find out what is known after that."""
        for context in contexts:
            self.was_heard = True
            for name in context.listeners[self.event]:
                told = {"listener": name, "message": show(self.message), "sender": self.sender}
                context.log.append(Seen({"port": self.label, "event": self.event, **told}))
                self._hear(context, context.functions[self.event, name])
            self.was_declined = self.was_declined or context not in self.later
        for answer in self.promised:
            self.answer(answer)
        if not self.was_heard:
            self._finish(event="unanswered", error="no-receiver")
        elif not self.later:
            self._finish(event="answered", message=None)

    def _hear(self, context: Context, actions: list[dict[str, Any]]) -> None:
        """Take what one listener says. Rule 61."""
        said = {action["do"]: action.get("message") for action in reversed(actions)}
        other = said.keys() & {"promise", "throw"}
        if "respond" in said and (self.rules.first_answer_counts or not other):
            self.answer(said["respond"])
        if "throw" in said:
            text = f": {THROWN_TEXT}" if self.rules.reports_failures else ""
            self._finish(event="unanswered", error=f"crashed{text}")
        elif "promise" in said:
            self.promised.append(said["promise"])
        elif "answer_later" in said:
            self.later.add(context)
            context.kept[self.label] = self
        elif said.get("answer_with") not in (None, False, True) and self.rules.returned_answers:
            self.answer(said["answer_with"])

    def answer(self, message: Any) -> None:
        """Answer; the first answer counts. Rule 62."""
        self._finish(event="answered", message=show(message))

    def lose(self, context: Context, error: str | None) -> None:
        """A context that might have answered has closed. Rule 64."""
        self.later.discard(context)
        if error is not None and self.rules.reports_crashes:
            self._finish(event="unanswered", error=error)
        elif not self.later and self.was_declined and self.rules.declining_answers:
            self._finish(event="answered", message=None)
        elif not self.later:
            self._finish(event="unanswered", error="unanswered")

    def _finish(self, **record: Any) -> None:
        if not self.is_over:
            self.is_over = True
            self.asker.log.append(Seen({"port": self.label, **record}))
