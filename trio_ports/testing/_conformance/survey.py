"""Survey a subject: play every story and random histories, and say of each what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal, TypeAlias, final

import attrs
import trio
from hypothesis import Phase, Verbosity, given, seed, settings

from .check import HEALTH_CHECKS
from .compare.blame import rule_of
from .compare.difference import Difference
from .history.generate import Scope, histories
from .history.moves import History, Move, describe_history
from .model import DIALECT_RULES, Model
from .options import DialectName
from .play import SUBJECT, Played, Subject, play, quiet, shorten
from .players.player import SubjectError
from .rules import RULES
from .stories import Story, port_stories
from .subjects.player import open_remote_player
from .subjects.process import PATIENCE_SECONDS, SubjectProcess, open_subject
from .subjects.protocol import Hello, whole

Status: TypeAlias = Literal["pass", "warn", "fail", "skip", "expected"]

ARRIVAL_SECONDS: Final = 0.1
"""How long to wait, where something differs, for what the subject may still report."""
MOST_FAULTS: Final = 3
"""After so many failures of the subject as a program, the rest is skipped."""
GREETING: Final = "the greeting"
OPENING: Final = "A connection is opened, and each end is there."
RANDOM: Final = "random histories"
DIALECTS: Final[dict[DialectName, str]] = {"firefox": "Firefox", "chrome": "Chromium", "trio": "the dialect trio"}

_MDN: Final = "https://developer.mozilla.org/en-US/docs/Mozilla/Add-ons/WebExtensions/API"
_PAGES: Final = {
    f"{_MDN}/runtime/connect": (1, 2, 6, 8),
    f"{_MDN}/runtime/onConnect": (3, 5, 7),
    f"{_MDN}/tabs/connect": (4,),
    f"{_MDN}/runtime/MessageSender": (9,),
    f"{_MDN}/events/Event": (28, 29, 31, 32),
    f"{_MDN}/runtime/Port#lifecycle": (*range(18, 28), 30, 43),
    f"{_MDN}/runtime/Port": (*range(10, 18),),
}
RULE_LINKS: Final = {rule: page for page, rules in _PAGES.items() for rule in rules}
"""Where the browsers' documentation is about the same; the rules themselves say more than it does."""


@final
@attrs.frozen
class PortFinding:
    """What came of one story, or of the random histories."""

    rule: int
    """The rule that it is about, or that is broken; 0 for the protocol, and for random histories that break none."""
    check: str
    """The story's sentence, or ``"random histories"``."""
    status: Status
    """``"pass"``; ``"fail"``: nobody does this; ``"warn"``: only another dialect has it so; ``"skip"``: it could not
    be played; ``"expected"``: it fails as a baseline says."""
    detail: str = ""
    """What should have been and what was found, or why it was skipped; in one line."""
    cause: str = ""
    """``"subject"`` if the subject has failed as a program."""
    seconds: float = 0.0
    history: History = attrs.field(factory=list[Move])
    """The shortest history found in which the rule is broken."""
    difference: Difference | None = None
    lines: tuple[tuple[str, str], ...] = ()
    """What went over the wire in that history: to the subject (``">"``) and from it (``"<"``)."""

    @property
    def grade(self) -> str:
        """How bad it is, in words; empty unless it failed or is a warning."""
        return {"fail": "no browser does this", "warn": "another dialect does this"}.get(self.status, "")

    @property
    def sentence(self) -> str:
        """The rule in one sentence."""
        return RULES[self.rule].sentence if self.rule else "A subject speaks the protocol."


@final
@attrs.frozen(kw_only=True)
class Plan:
    """What is played."""

    dialect: DialectName | None = None
    """Whose rules count; the subject's own unless given."""
    rules: Collection[int] = ()
    """Only stories of these rules are played, and no random histories; all if it is empty."""
    examples: int = 100
    """How many random histories."""
    number: int = 0
    """Chooses them: the same number, the same histories."""


@final
@attrs.frozen
class SurveyReport:
    """What came of a survey."""

    command: tuple[str, ...]
    """The program and its arguments."""
    hello: Hello | None
    """What the subject said of itself; None if it did not greet."""
    dialect: DialectName
    """Whose rules counted."""
    number: int
    """It chose the random histories."""
    findings: tuple[PortFinding, ...]
    """One for each story, in the order in which they were played, and those of the random histories."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed. There may be warnings."""
        return not any(finding.status == "fail" for finding in self.findings)


def list_stories() -> list[tuple[int, str]]:
    """Return the rule and the sentence of every story that a survey may play."""
    limited = replace(DIALECT_RULES["trio"], bound=3, largest=500)
    scopes = [Scope(receivers=receivers, listeners_raise=logs) for receivers in (1, 2) for logs in (True, False)]
    stories = [story for scope in scopes for story in port_stories(limited, scope)]
    return list(dict.fromkeys((story.rule, story.sentence) for story in stories))


async def survey_subject(
    command: Sequence[str],
    *,
    plan: Plan = Plan(),
    patience: float = PATIENCE_SECONDS,
    on_finding: Callable[[PortFinding, int, int], object] = lambda _finding, _done, _all: None,
) -> SurveyReport:
    """Play everything with a subject, and report what came of it.

    Args:
        command: starts the subject, which speaks the protocol of subjects.
        plan: what is played.
        patience: how long an answer may take, in seconds.
        on_finding: called with each finding as soon as it is there, how many there are, and how many there will be.

    Raises:
        OSError: it cannot be started.
    """
    findings: list[PortFinding] = []
    hello: Hello | None = None

    def report(finding: PortFinding, total: int) -> None:
        findings.append(finding)
        on_finding(finding, len(findings), max(total, len(findings)))

    async with open_subject(command, patience=patience) as process:
        try:
            hello = await process.greet()
        except SubjectError as error:
            report(PortFinding(0, GREETING, "fail", str(error), cause="subject"), 1)
        else:
            survey = Survey(process, hello, plan)
            report(PortFinding(0, GREETING, "pass"), len(survey) + 1)

            def play_all() -> None:
                for finding in survey.findings():
                    trio.from_thread.run_sync(report, finding, len(survey) + 1)

            await trio.to_thread.run_sync(play_all)
    dialect = plan.dialect or (hello.dialect if hello else "trio")
    return SurveyReport(tuple(command), hello, dialect, plan.number, tuple(findings))


@final
class Survey:
    """Plays everything with one subject, in a thread that Trio has started: each history runs in Trio."""

    def __init__(
        self,
        process: SubjectProcess,
        hello: Hello,
        plan: Plan,
    ) -> None:
        self._process = process
        self._hello = hello
        self._dialect: DialectName = plan.dialect or hello.dialect
        self._examples = 0 if plan.rules else plan.examples
        self._number = plan.number
        self._faults: list[str] = []
        """How the subject has failed as a program, each time."""
        self._shortened: set[int] = set()
        """The rules for which a short history was found."""
        self._subject = self._make_subject(self._dialect)
        self._stories: dict[tuple[int, str], list[Story]] = {}
        for story in port_stories(self._subject.rules, self._subject.scope):
            if not plan.rules or story.rule in plan.rules:
                self._stories.setdefault((story.rule, story.sentence), []).append(story)

    def __len__(self) -> int:
        """Return how many findings there will be, at least."""
        return 1 + len(self._stories) + bool(self._examples)

    def findings(self) -> Iterator[PortFinding]:
        """Play everything, and yield what came of it."""
        with quiet():
            opening = self._tell(2, OPENING, [Story(2, OPENING, [])])
            yield opening
            if opening.status != "pass":
                self._faults += [opening.detail] * MOST_FAULTS
            for (rule, sentence), stories in self._stories.items():
                began = time.perf_counter()
                finding = self._tell(rule, sentence, stories)
                yield attrs.evolve(finding, seconds=_since(began))
            if self._examples:
                yield from self._play_random()

    def _make_subject(self, dialect: DialectName) -> Subject:
        hello = self._hello
        rules, enters = hello.make_options(dialect).make_rules(), "enter" in hello.moves
        scope = Scope(
            receivers=hello.receivers,
            beyond_browsers=bool(hello.calls),
            supports_async_with=enters,
            listeners_raise=rules.logs,
        )
        return Subject(
            lambda: open_remote_player(self._process, hello.receivers),
            lambda: Model.of_ends(rules, hello.receivers, supports_async_with=enters),
            rules,
            scope,
            outside_trio=True,
            arrival_seconds=ARRIVAL_SECONDS,
            run=trio.from_thread.run,
        )

    def _tell(self, rule: int, sentence: str, stories: list[Story]) -> PortFinding:
        """Play a story, in both directions if it has two, and judge it."""
        if len(self._faults) >= MOST_FAULTS:
            return self._skip(rule, sentence)
        lacking = sorted({name for story in stories for move in story.history for name in self._hello.lacks(move)})
        if lacking:
            return PortFinding(rule, sentence, "skip", f"it does not offer {', '.join(lacking)}")
        for story in stories:
            played = play(self._subject, whole(story.history))
            if played.difference is not None:
                return self._judge(played, rule, sentence)
        return PortFinding(rule, sentence, "pass")

    def _skip(self, rule: int, check: str) -> PortFinding:
        return PortFinding(rule, check, "skip", f"as the subject fails: {self._faults[-1]}", cause="subject")

    def _judge(self, played: Played, rule: int | None, check: str) -> PortFinding:
        """Return the finding for a history in which a rule is broken; ``rule`` is None in a random one."""
        assert played.difference is not None
        number = rule_of(played.difference, rule)
        if played.difference.at == SUBJECT:
            self._faults.append(played.difference.found)
            return self._fail(number, check, played, played.difference.found, cause="subject")
        history = played.history
        if rule is None or number not in self._shortened:  # It takes seconds. One short history for a rule is enough.
            shortened = shorten(self._subject, played)
            again = play(self._subject, shortened.history)  # What went over the wire last was another attempt.
            played = again if again.difference is not None else played
            assert played.difference is not None
            number = rule_of(played.difference, rule)
        self._shortened.add(number)
        assert played.difference is not None
        detail = f"{played.difference.at}: expected {played.difference.expected}, found {played.difference.found}"
        finding = self._fail(number, check, played, detail)
        other = self._find_dialect(history)
        return finding if other is None else attrs.evolve(finding, status="warn", detail=f"as {other} does: {detail}")

    def _fail(self, rule: int, check: str, played: Played, detail: str, *, cause: str = "") -> PortFinding:
        """Return a finding about the history that was played last."""
        history, difference = played.history, played.difference
        lines = tuple(self._process.lines)
        return PortFinding(rule, check, "fail", detail, cause, history=history, difference=difference, lines=lines)

    def _find_dialect(self, history: History) -> str | None:
        """Return the name of another dialect in which all of this is right."""
        for dialect, name in DIALECTS.items():
            if dialect != self._dialect and play(self._make_subject(dialect), history).difference is None:
                return name
        return None

    def _play_random(self) -> Iterator[PortFinding]:
        """Play random histories, and return the shortest history for each rule that one of them breaks."""
        found: dict[int, PortFinding] = {}
        seen: set[int] = set()
        began = time.perf_counter()

        @seed(self._number)
        @settings(
            max_examples=self._examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=HEALTH_CHECKS,
            verbosity=Verbosity.quiet,
        )
        @given(histories(rules=self._subject.rules, scope=self._subject.scope))
        def play_one(history: History) -> None:
            if len(self._faults) >= MOST_FAULTS:  # pragma: no cover - only where a subject fails at random
                return
            possible = [move for move in map(self._reduce, whole(history)) if not self._hello.lacks(move)]
            played = play(self._subject, possible)
            if played.difference is not None and rule_of(played.difference) not in seen:
                seen.add(rule_of(played.difference))
                finding = self._judge(played, None, RANDOM)
                found.setdefault(finding.rule, attrs.evolve(finding, check=name_random(finding.rule)))

        if len(self._faults) < MOST_FAULTS:
            play_one()
        seconds = _since(began)
        if len(self._faults) >= MOST_FAULTS:
            yield self._skip(0, RANDOM)
        elif not found:
            yield PortFinding(0, RANDOM, "pass", seconds=seconds)
        for finding in found.values():
            yield attrs.evolve(finding, seconds=round(seconds / len(found), 3))

    def _reduce(self, move: Move) -> Move:
        """Leave out the steps that the subject does not offer."""
        if move["move"] != "turn":
            return move
        steps = [step for step in move["steps"] if not self._hello.lacks({**move, "steps": [step]})]
        return {**move, "steps": steps}


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 3)


def name_random(rule: int) -> str:
    """Return the name of what random histories have found about a rule; 0 if it is nothing."""
    return f"{RANDOM} that break rule {rule}" if rule else RANDOM


def describe_finding(finding: PortFinding) -> str:
    """Return what broke the rule, for people: the history and the difference."""
    if finding.difference is None:
        return ""
    return f"{describe_history(finding.history)}\n\n{finding.difference}"
