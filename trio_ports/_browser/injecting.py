"""Content scripts that an extension has registered: which documents they run in. Source: rule 47."""

from __future__ import annotations

from .entries import ContentScriptEntry, ExtensionEntry, FrameEntry
from .registry import Registry
from .starting import run_script


def register_content_script(registry: Registry, extension: ExtensionEntry, script: ContentScriptEntry) -> None:
    """Run a content script in every document that matches, from now on."""
    extension.content_scripts.append(script)
    inject_open(registry, extension, script)


def inject_open(registry: Registry, extension: ExtensionEntry, script: ContentScriptEntry) -> None:
    """Run a content script in the documents that are open, where the browser does that."""
    if registry.options.dialect.content_scripts_outlive_extension:
        return  # The page may still have the script of an earlier time.
    for tab in tuple(registry.tabs.values()):
        for frame in tuple(tab.frames.values()):
            _inject(registry, frame, extension, script)


def inject_registered(registry: Registry, frame: FrameEntry) -> None:
    """Run the content scripts that match in a frame whose document has just been loaded."""
    for extension in tuple(registry.extensions.values()):
        for script in extension.content_scripts if extension.enabled else ():
            _inject(registry, frame, extension, script)


def _inject(registry: Registry, frame: FrameEntry, extension: ExtensionEntry, script: ContentScriptEntry) -> None:
    in_reach = frame.parent is None or script.all_frames
    may_be_there = not frame.tab.incognito or extension.may_be_private(registry.options.dialect)
    if in_reach and may_be_there and any(pattern.matches(frame.url) for pattern in script.matches):
        context = registry.open_script(frame, extension)
        context.script.scope.start_soon(run_script, registry, context, script.start, context=script.variables)
