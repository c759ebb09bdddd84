"""The rules of ports, each in one sentence, with the numbers that reports use.

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
    1: "connect() returns an open port at once, without waiting, and delivers nothing inside the call.",
    2: "Every other context of the target that listens gets exactly one port; the opener never gets one.",
    3: "A connect from within the extension fires on_connect, one from outside fires on_connect_external, never both; "
    "content scripts are reached by tabs.connect only.",
    4: "tabs.connect reaches every listening frame of the tab, or only the frame or document that it names.",
    5: "A receiver first learns of the connection, then gets its messages in order, then its end, even if all of this "
    "was done in one go.",
    6: "If nobody can be reached, on_disconnect fires once, later, with an error that does not show whether the target "
    "is absent or forbidden.",
    7: "An on_connect listener that raises or disconnects does not undo the connection.",
    8: "Both ends have the name that the opener gave, which is empty unless it gave one.",
    9: "sender is set on receiving ends and describes the opener; on the opener's end it is None.",
    10: "Every message arrives once, and messages arrive in the order in which they were posted.",
    11: "A message from the opener reaches every receiver; a message from a receiver reaches only the opener.",
    12: "A message is encoded when it is posted; a value that is not JSON raises at the call, and nothing is sent.",
    13: "Every JSON value is a message, including null, false, 0 and the empty string, and none of them is taken for "
    "an end.",
    14: "Listeners are called with the message and the port.",
    15: "A message that nobody listens for is kept for the first listener or reader (in browsers: dropped on arrival).",
    16: "A message over the size limit raises at the call and is not sent; a message of exactly that size passes.",
    17: "When the queue is full, post_message raises WouldBlock and sends nothing, send waits, and a listener's own "
    "answers are held in order.",
    18: "The end that disconnects does not get on_disconnect.",
    19: "The other end gets on_disconnect exactly once.",
    20: "When the scope that owns an end ends, the end disconnects: in good order if the scope finished or was "
    "cancelled, with an error if it crashed.",
    21: "Messages posted before a disconnect are delivered before on_disconnect; messages on their way to the end that "
    "disconnected are gone.",
    22: "A second disconnect, or one after the other end has gone, does nothing.",
    23: "After the end was delivered, posting raises; before that, post_message does nothing, and only send may raise.",
    24: "on_disconnect calls a listener that is added after the end once (in browsers: never).",
    25: "error says why the other side ended, and is None after an orderly end; reading ends in the matching way.",
    26: "When one of several receivers leaves, the others stay connected, and the opener gets on_disconnect when the "
    "last one has left (browsers differ).",
    27: "When the opener leaves, every receiver gets on_disconnect, without an error if the opener navigated or "
    "closed; no other connection is affected.",
    28: "Listeners are called in the order in which they were added; a listener that is added twice counts once.",
    29: "A listener added while a message is dispatched is not called for that message, and neither is a listener "
    "removed meanwhile (in Chromium, the removed one is called).",
    30: "After a disconnect inside a listener, the other listeners still get this message, and nothing after it is "
    "delivered.",
    31: "A listener's exception leaves through the scope that owns the port (in browsers: is logged); where it is "
    "logged, the other listeners are still called.",
    32: "A listener never runs inside post_message, connect or disconnect.",
    43: "The end of a handler's own port is the end of that handler and not a failure; what a handler raises otherwise "
    "leaves through its scope.",
    44: "A call starts a background that is asleep, once for all who call before its first turn is over, and reaches "
    "the listeners that are there then.",
    45: "When a background stops, the other ends of its ports get an end without an error and it gets nothing; the "
    "next call starts a new context.",
    46: "A background stops when it has been idle for thirty seconds; an open port does not keep it awake, a message "
    "that arrives does.",
    47: "When an extension goes, its pages close, and its content scripts get what was on its way to them before they "
    "are destroyed (in Chromium: told of the end, and of no use any more).",
    48: "When only the address of a document changes, its ports stay and sender.url is still what it was loaded from; "
    "the tab's address follows.",
    49: "A page in the back/forward cache keeps its ports, and gets what came meanwhile when it comes back (browsers "
    "differ).",
    50: "When a tab is discarded, crashes or is loaded again, everything in it ends, and nobody is reached there "
    "before a script runs in it again.",
    60: "A one-shot message reaches everybody whom a connect would reach and who listens for it; if nobody can be "
    "reached, the sender gets an error that does not show whether the target is absent or forbidden.",
    61: "A listener answers by send_response, in its call or, if it returns True, later, or by what it returns, which "
    "is awaited if it is awaitable (in browsers, nothing else it returns counts); what it says later has no effect.",
    62: "The first answer to a one-shot message counts, whoever gives it; if all who listened have nothing to say, the "
    "sender gets None.",
    63: "What a listener of one-shot messages raises counts as an answer: the sender gets an error.",
    64: "If whoever was to answer goes away the sender gets an error; if the sender goes away, answers have no effect.",
    65: "An extension that the user lets into private windows serves both kinds of windows if it is spanning, and runs "
    "twice if it is split, where each half hears its own tabs (in Firefox, a split one is kept out); whatever is kept "
    "out has no content scripts in private tabs and is nobody for those who are there.",
    66: "Popups, sidebars, options pages, devtools pages and offscreen documents are pages of their extension like "
    "others, in no tab (in Firefox, options pages have one, and devtools pages do not hear content scripts).",
    67: "A prerendered document runs in a frame with a number of its own, is reached by that or by its document only, "
    "and keeps its ports when it becomes the tab's top document.",
    68: "A user script connects and sends to its own extension only, whose background and pages hear that by events of "
    "their own, on_user_script_connect and on_user_script_message.",
    33: "A frame is a length of four bytes in native byte order, followed by that many bytes of UTF-8 JSON; how the "
    "bytes are cut does not matter.",
    34: "An application sends up to 1 MiB in a frame and accepts up to 64 MiB.",
    35: "An application accepts the arguments of either browser, and writes nothing but frames to standard output.",
    36: "Invalid data on the wire ends the connection with an error that describes it; everything before it is "
    "delivered.",
    37: "If an application cannot be started, the port ends, with a cause for each reason.",
    38: "An application exits by itself within two seconds after the end of its input.",
    39: "Every connection has a process of its own, and messages posted before the process runs are kept.",
    40: "A manifest has a name, a description, an absolute path, the type stdio, and a list of the extensions that may "
    "use it.",
    41: "A user's manifest takes precedence over the system's.",
    42: "Each browser looks for manifests in its own places.",
}

RULES: Final = {number: Rule(number, sentence) for number, sentence in _SENTENCES.items()}
"""Every rule, by number."""
