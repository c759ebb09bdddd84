"""Where browsers differ, as one table: a row for each question, a column for each dialect.

``firefox`` and ``chrome`` behave as those browsers were observed to (Firefox 153 ESR,
Chromium 156), oddities included, so that an extension's protocol can be tested without a
browser. ``trio`` does what both have in common, and keeps what a browser would lose. The
code asks the table; it never asks which dialect it is.
"""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias

import attrs

MIB: Final = 1024 * 1024

DialectName: TypeAlias = Literal["trio", "firefox", "chrome"]

NO_RECEIVER_TEXT: Final = "Could not establish connection. Receiving end does not exist."
"""The same for *absent* and *forbidden*, in every dialect, so that callers cannot find out which."""
_CHANNEL_CLOSED_TEXT: Final = (
    "A listener indicated an asynchronous response by returning true, "
    "but the message channel closed before a response was received"
)


@attrs.frozen(kw_only=True)
class NativeTexts:
    """The text of ``port.error`` for a native application; None if there is no error at all.

    ``{name}``, ``{size}`` and ``{limit}`` are filled in. A dialect without these texts
    has errors that say what to fix.
    """

    manifest: str
    not_allowed: str
    bad_name: str
    program_missing: str
    not_executable: str
    interpreter_missing: str | None = None
    malformed: str | None = None
    too_large: str
    exited: str | None = None
    closed_stdout: str | None = None
    closed_stdin: str | None = None


@attrs.frozen(kw_only=True)
class OneShotTexts:
    """The text of the error of a one-shot message that reached somebody and was not answered."""

    gone: str
    """Whoever was to answer went away."""
    forgotten: str | None
    """A listener promised an answer, and its ``send_response`` exists no more; None: as if it had gone away."""
    not_serializable: str
    """The answer cannot be encoded."""


@attrs.frozen(eq=False, kw_only=True)
class Dialect:
    """One column of the table. What stands here is the column ``trio``; the others say where they differ."""

    name: DialectName

    # Messages
    keeps_unheard_messages: bool = True
    """A message that nobody listens for is kept until somebody does; otherwise it is
    dropped on arrival."""
    max_buffer_size: float = 1024
    """How many messages may wait in one direction, unless another bound is given."""
    max_buffer_bytes: float = 64 * MIB
    """How many bytes they may have together; one message alone may always have more."""
    max_message_bytes: float = 64 * MIB
    """The largest encoded message, in bytes, unless another limit is given."""
    too_large_text: str | None = None

    # Disconnecting
    tells_late_listeners: bool = True
    """A listener added to on_disconnect after the end was delivered is called, once."""
    keeps_error: bool = True
    """``port.error`` keeps the reason; otherwise only ``runtime.last_error`` has it, while
    on_disconnect listeners run."""
    tells_crashes: bool = True
    """The other end gets an error if the owner of this one failed."""
    receiver_disconnects: Literal["last", "all", "opener"] = "last"
    """Which other ends a receiver's ``disconnect()`` ends: the opener, once the last receiver
    has gone; all of them; or only the opener, while the other receivers keep a port that
    swallows what they post."""
    receiver_vanishes: Literal["last", "all"] = "last"
    """The same for a receiver whose context goes away."""
    post_after_close_text: str | None = None

    # Listeners
    calls_removed_listeners: bool = False
    """A listener that an earlier listener removes is still called for the same message."""
    listener_errors: Literal["raise", "log"] = "raise"
    """A listener's exception leaves through the scope that owns the port, or is logged."""

    # Who reaches whom
    extension_url: str = "extension://{id}"
    """The address of an extension's page; ``{id}`` is its id, ``{uuid}`` its installation."""
    externally_connectable_for_extensions: bool = True
    """The manifest key also decides which extensions may connect, not only which web pages."""
    document_id_overrules: Literal["nothing", "tab", "tab and frame"] = "nothing"
    """What ``tabs.connect`` ignores if it is given a ``document_id``: nothing, the tab (if no
    frame is given), or the tab and the frame. The tab has to exist all the same."""
    tabs_connect_reaches_opener: bool = False
    """An extension page that calls ``tabs.connect`` with the tab that shows it reaches
    itself too."""

    incognito_split: bool = True
    """An extension whose manifest says that it is split runs a second time for private windows; otherwise it is kept
    out of them."""
    devtools_hear_content_scripts: bool = True
    """A devtools page hears content scripts too."""
    offscreen_documents: bool = True
    """There are offscreen documents."""
    prerenders: bool = True
    """A tab may prepare a document before it is shown."""

    # The sender's fields
    tabs_connect_names_tab: bool = True
    """``sender.tab`` is given after ``tabs.connect`` too."""
    document_id_without_tab: bool = True
    options_in_tab: bool = False
    """The options page in the list of extensions has a tab, in which that list is shown."""
    background_origin: bool = True
    """``sender.origin`` is given if a background called ``runtime.connect``."""
    names_user_script_world: bool = True
    """``sender.user_script_world_id`` is given if a user script connects or sends."""
    document_lifecycle: str | None = None

    # The life of contexts
    content_scripts_outlive_extension: bool = False
    """When an extension goes, its content scripts live on as orphans, whose calls fail, and
    none are injected into open pages when it comes back; otherwise they are destroyed, and
    new ones are injected."""
    cached_page_ports: Literal["keep", "lose", "end"] = "keep"
    """What becomes of the ports of a page in the back/forward cache: they keep what arrives,
    for when the page comes back; they lose it, and the end too if it comes meanwhile; or the
    other sides get an end at once, and the page's own ports swallow what they post, for ever."""
    discard_renews_tab_id: bool = False
    """A tab that is discarded gets another id."""
    own_posts_keep_awake: bool = False
    """A message that a background itself posts keeps it awake; otherwise only those that arrive do."""

    # One-shot messages
    returned_values_answer: bool = True
    """What a listener returns is its answer, unless it is None, a bool or awaitable; otherwise it is ignored."""
    first_answer_counts: bool = True
    """If a listener calls ``send_response`` and also returns something awaitable or raises, whichever comes first
    counts; otherwise ``send_response`` is ignored then."""
    declining_answers: bool = False
    """If one listener has nothing to say, and another one that was to answer goes away, the sender gets None; otherwise
    it gets an error."""
    tells_failures: bool = False
    """The sender gets the text of a listener's exception."""
    one_shot_texts: OneShotTexts | None = None

    # Native applications
    native_port_name: bool = True
    """A native port has the application's name; otherwise its name is empty."""
    native_name_raises: bool = True
    """A name that no application can have raises at the call; otherwise the port ends."""
    native_texts: NativeTexts | None = None
    content_scripts_connect_native: bool = False

    # What an application sends
    accepts_bom: bool = True
    replaces_invalid_utf8: bool = False
    ignores_malformed: bool = False


TRIO: Final = Dialect(name="trio")

FIREFOX: Final = Dialect(
    name="firefox",
    keeps_unheard_messages=False,
    max_buffer_size=math.inf,
    max_buffer_bytes=math.inf,
    max_message_bytes=math.inf,
    tells_late_listeners=False,
    tells_crashes=False,
    receiver_disconnects="all",
    receiver_vanishes="all",
    post_after_close_text="Attempt to postMessage on disconnected port",
    listener_errors="log",
    extension_url="moz-extension://{uuid}",
    cached_page_ports="lose",
    externally_connectable_for_extensions=False,
    document_id_overrules="tab and frame",
    tabs_connect_reaches_opener=True,
    incognito_split=False,
    devtools_hear_content_scripts=False,
    offscreen_documents=False,
    prerenders=False,
    options_in_tab=True,
    returned_values_answer=False,
    first_answer_counts=False,
    declining_answers=True,
    tells_failures=True,
    one_shot_texts=OneShotTexts(
        gone=NO_RECEIVER_TEXT,
        forgotten="Promised response from onMessage listener went out of scope",
        not_serializable=NO_RECEIVER_TEXT,
    ),
    native_texts=NativeTexts(
        manifest="No such native application {name}",
        not_allowed="No such native application {name}",
        bad_name="No such native application {name}",
        program_missing="An unexpected error occurred",
        not_executable="An unexpected error occurred",
        malformed="An unexpected error occurred",
        too_large=(
            "Native application tried to send a message of {size} bytes, which exceeds the limit of {limit} bytes."
        ),
    ),
    content_scripts_connect_native=True,
    replaces_invalid_utf8=True,
)

CHROME: Final = Dialect(
    name="chrome",
    keeps_unheard_messages=False,
    max_buffer_size=math.inf,
    max_buffer_bytes=math.inf,
    too_large_text="Message exceeded maximum allowed size of 64MiB.",
    tells_late_listeners=False,
    keeps_error=False,
    tells_crashes=False,
    receiver_disconnects="opener",
    post_after_close_text="Attempting to use a disconnected port object",
    calls_removed_listeners=True,
    listener_errors="log",
    extension_url="chrome-extension://{id}",
    document_id_overrules="tab",
    tabs_connect_names_tab=False,
    document_id_without_tab=False,
    background_origin=False,
    names_user_script_world=False,
    document_lifecycle="active",
    content_scripts_outlive_extension=True,
    cached_page_ports="end",
    discard_renews_tab_id=True,
    own_posts_keep_awake=True,
    returned_values_answer=False,
    tells_failures=True,
    one_shot_texts=OneShotTexts(
        gone=_CHANNEL_CLOSED_TEXT, forgotten=None, not_serializable="Could not serialize message."
    ),
    native_port_name=False,
    native_name_raises=False,
    native_texts=NativeTexts(
        manifest="Specified native messaging host not found.",
        not_allowed="Access to the specified native messaging host is forbidden.",
        bad_name="Invalid native messaging host name specified.",
        program_missing="Specified native messaging host not found.",
        not_executable="Native host has exited.",
        interpreter_missing="Native host has exited.",
        too_large="Error when communicating with the native messaging host.",
        exited="Native host has exited.",
        closed_stdout="Native host has exited.",
        closed_stdin="Error when communicating with the native messaging host.",
    ),
    accepts_bom=False,
    replaces_invalid_utf8=True,
    ignores_malformed=True,
)

DIALECTS: Final[dict[str, Dialect]] = {dialect.name: dialect for dialect in (TRIO, FIREFOX, CHROME)}

PAGE_CACHED_TEXT: Final = (
    "The page keeping the extension port is moved into back/forward cache, so the message channel is closed."
)
INVALIDATED_TEXT: Final = "Extension context invalidated."
"""What a call of an orphaned content script raises."""


def find_dialect(name: str) -> Dialect:
    """Return the dialect with that name.

    Raises:
        ValueError: there is none.
    """
    try:
        return DIALECTS[name]
    except (KeyError, TypeError):
        raise ValueError(f"dialect must be one of {', '.join(map(repr, DIALECTS))}, not {name!r}") from None
