"""What is wrong with what a native application did from its start to its end. Plain functions, one for each check."""

from __future__ import annotations

from typing import Final

from ..._native.browser_side.judge import ended_error, telling
from ..._native.browser_side.start import PATIENCE
from ..._protocol.errors import FrameTooLargeError
from ..._protocol.frames import LENGTH_BYTES, TO_APPLICATION_BYTES
from ..._transports.carrier import Finish
from ..._transports.processes import Outcome
from .conversation import Conversation
from .findings import Finding, found

_SHOWN_BYTES: Final = 60
_SHOWN_LINES: Final = 8
_JSON_BEGINS: Final = b'{["-0123456789tfn'


def judge_conversation(talk: Conversation, name: str, *, asked: bool, patience: float) -> list[Finding]:
    """Return what each check finds; nothing that only follows from another finding.

    Args:
        talk: what the application did.
        name: the application's.
        asked: whether it was sent a message.
        patience: how long it had to answer, in seconds.
    """
    start = _judge_start(talk, name, asked=asked)
    messages = _judge_messages(talk)
    answer = _judge_answer(talk, asked=asked, patience=patience, is_excused=start.id != "" or messages.id != "")
    findings = [start, messages, answer]
    if answer.id not in ("hangs", "reads-nothing"):
        findings += _judge_end(talk, name)
    return findings


def _judge_start(talk: Conversation, name: str, *, asked: bool) -> Finding:
    if talk.exited and talk.answer is None:
        return found("crashed", _ending(talk, name))
    if talk.exited == 0 and talk.answer is None:
        early = "it gave no answer" if asked else "its input had not ended"
        return found("exits-at-once", f"{early}, and {_ending(talk, name)}")
    if talk.closed_output:
        return found("output-closed", f"{name} closed its standard output and lives on")
    return Finding("start", "pass", "started as this browser starts it")


def _judge_messages(talk: Conversation) -> Finding:
    trouble = talk.trouble
    if trouble is None:
        if talk.exited is not None and talk.answer is None:
            return Finding("messages", "skip", "it wrote none")
        return Finding("messages", "pass", "nothing but messages on standard output")
    if trouble.cause == "not a frame":
        if _is_too_large(talk):
            return found("output-too-large", str(talk.error))
        if talk.exited and talk.error is None:
            return Finding("messages", "skip", "it ended inside a message")
    kind = {"print": "printed", "not JSON": "not-json"}.get(trouble.cause, trouble.cause.replace(" ", "-"))
    return found(f"output-{kind}", str(trouble))


def _is_too_large(talk: Conversation) -> bool:
    """Return whether a frame over the limit looks like a message."""
    if not isinstance(talk.error, FrameTooLargeError) or talk.error.size > TO_APPLICATION_BYTES["chromium"]:
        return False
    return talk.partial[LENGTH_BYTES : LENGTH_BYTES + 1] in [b"", *(bytes([each]) for each in _JSON_BEGINS)]


def _judge_answer(talk: Conversation, *, asked: bool, patience: float, is_excused: bool) -> Finding:
    if not asked:
        return Finding("answer", "skip", "nothing was sent; --send JSON does")
    if talk.answer is not None and not talk.answered_late:
        return Finding("answer", "pass", _shown(talk.answer))
    if talk.answer is not None:
        return found("not-flushed", f"it wrote {_shown(talk.answer)} only when its input had ended")
    if is_excused:
        return Finding("answer", "skip")
    if talk.unread_bytes:
        return found("reads-nothing", f"it left {talk.unread_bytes} bytes unread for {patience:g} seconds")
    if not talk.left:
        return found("hangs", f"no answer within {patience:g} seconds, and it did not leave when its input ended")
    return found("no-answer", f"no answer within {patience:g} seconds")


def _judge_end(talk: Conversation, name: str) -> list[Finding]:
    findings: list[Finding] = []
    if talk.exited is None:
        seconds = PATIENCE[talk.dialect.name].leave
        means = "sends it SIGTERM" if PATIENCE[talk.dialect.name].terminate else "kills it"
        if not talk.left:
            detail = f"it was there {seconds:g} seconds after the end of its input, when the browser {means}"
            return [found("leaves-late", detail)]
        if talk.returncode:
            findings.append(found("exit-status", _ending(talk, name)))
    elif talk.exited and talk.answer is not None:
        findings.append(found("exit-status", _ending(talk, name)))
    if talk.is_held:
        findings.append(found("pipe-held", "it has gone, but something that it started holds its standard output"))
    if talk.exited is not None and not findings:
        return [Finding("end", "skip", "it had gone before")]
    return findings or [Finding("end", "pass", "it left in time")]


def _ending(talk: Conversation, name: str) -> str:
    """Say how it ended, with more of its last lines than an error has."""
    lines = telling([line for line in talk.stderr.lines if line.strip()], _SHOWN_LINES)
    said = f" Its last lines on standard error: {' | '.join(lines)}" if lines else ""
    return f"{ended_error(name, Outcome(Finish.END_OF_FILE, None, talk.returncode, ()))}{said}"


def _shown(frame: bytes) -> str:
    text = frame[:_SHOWN_BYTES].decode("utf-8", "replace").strip()
    return text if len(frame) <= _SHOWN_BYTES else f"{text}… ({len(frame)} bytes)"
