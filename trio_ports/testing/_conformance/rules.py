"""The rules of ports, each in one sentence, under the numbers that reports name them by.

The page ``reference/rules`` of the documentation has them in full.
"""

from __future__ import annotations

from typing import Final, final

import attrs


@final
@attrs.frozen
class Rule:
    """One rule."""

    number: int
    sentence: str

    def __str__(self) -> str:
        return f"rule {self.number}: {self.sentence}"


_SENTENCES: Final = {
    1: "connect() never waits, returns an open port at once, and delivers nothing inside the call.",
    2: "Every other context of the target that listens gets exactly one port; the opener never hears itself.",
    3: "One's own extension hears on_connect, others hear on_connect_external, never both; "
    "content scripts are reached by tabs.connect only.",
    4: "tabs.connect reaches every listening frame of the tab, or the one frame or document that is named.",
    5: "A receiver is told of the connection, then of its messages in order, then of its end, "
    "even if all was done in one go.",
    6: "If nobody may be reached, on_disconnect fires once, later, with an error that does not tell absent "
    "from forbidden.",
    7: "What an on_connect listener does (raise, disconnect) does not undo the connection.",
    8: "Both ends have the name that the opener gave, which is empty unless given.",
    9: "sender is set on receiving ends and says who opened; on the opener's end it is None.",
    10: "Messages arrive once each, and in the order in which they were posted.",
    11: "What the opener posts reaches every receiver; what a receiver posts reaches the opener only.",
    12: "A message is encoded when it is posted; what is no JSON raises at the call and sends nothing.",
    13: "Any JSON value is a message: null, false, 0 and the empty text too, and none of them is an end.",
    14: "Listeners get the message and the port.",
    15: "A message that nobody listens for is kept for the first listener or reader (in browsers: dropped on arrival).",
    16: "A message over the size limit raises at the call and sends nothing; one of exactly that size passes.",
    17: "Beyond the bound of the queue post_message raises WouldBlock and sends nothing, send waits, "
    "and a listener's own answers are held in order.",
    18: "Whoever disconnects is not told of it.",
    19: "The other end's on_disconnect fires exactly once.",
    20: "The end of the scope that owns an end is a disconnect: orderly when it ends or is cancelled, "
    "with an error when it crashed.",
    21: "What was posted before a disconnect is delivered before on_disconnect; "
    "what was on its way to the one who disconnected is gone.",
    22: "A second disconnect, or one after the other end went, does nothing.",
    23: "After the end was delivered posting raises; before that it is silent, and only send knows better.",
    24: "on_disconnect calls a listener that is added after the end once (in browsers: never).",
    25: "error says why the other side ended: None after an orderly end, and reading ends accordingly.",
    26: "Of several receivers one that leaves leaves the others alone, and the opener is told when the last has gone "
    "(browsers differ).",
    27: "When the opener goes every receiver is told, without error if it navigated or closed, "
    "and no other connection notices.",
    28: "Listeners are called in the order they were added; one that is added twice counts once.",
    29: "A listener added while a message is dispatched is not called for it; one removed meanwhile is not either "
    "(in Chromium: it is).",
    30: "After a disconnect inside a listener the other listeners get this message, and nothing after it is delivered.",
    31: "What a listener raises leaves through the owner's scope (in browsers: is logged), "
    "and the other listeners are called all the same where it is logged.",
    32: "A listener never runs inside post_message, connect or disconnect.",
    33: "A frame is its length in four bytes of native order and then so many bytes of UTF-8 JSON; "
    "how the bytes were cut does not matter.",
    34: "An application sends up to 1 MiB in a frame and takes up to 64 MiB.",
    35: "An application takes the arguments of either browser, and nothing but frames is on its standard output.",
    36: "Nonsense on the wire ends the connection, with an error that says what it was; all that came before counts.",
    37: "An application that cannot be started ends the port, with a cause for each reason.",
    38: "An application leaves by itself within two seconds of the end of its input.",
    39: "There is one process for each connection, and what is posted before it is up is kept.",
    40: "A manifest has a name, a description, an absolute path, the type stdio and a list of who may use it.",
    41: "A user's manifest comes before the system's.",
    42: "Each browser looks for manifests in its own places.",
}

RULES: Final = {number: Rule(number, sentence) for number, sentence in _SENTENCES.items()}
"""Every rule, by number."""
