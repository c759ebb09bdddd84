"""What becomes of an extension's contexts when it goes, and when it comes back. Source: rule 47.

Disabling, reloading, updating and uninstalling an extension do the same to what runs of it.
"""

from __future__ import annotations

from .._protocol.contexts import ContextHappening, ContextState
from .entries import ContextEntry, ExtensionEntry
from .injecting import inject_open
from .navigation import forget_document
from .ports import deliver_rest, sever
from .registry import Registry


def uninstall(registry: Registry, extension: ExtensionEntry) -> None:
    """Remove an extension. Idempotent."""
    if extension.installed:
        extension.installed = False
        del registry.extensions[extension.id]
        unload(registry, extension)


def unload(registry: Registry, extension: ExtensionEntry) -> None:
    """End whatever runs of an extension that has gone: its pages close, and its content scripts lose it."""
    for page in tuple(extension.pages):
        if page.frame is not None and page.frame.id == 0:
            registry.close_tab(page.frame.tab)
        else:
            registry.close_context(page)
    for script in tuple(extension.contexts):
        if script.script.state is ContextState.FROZEN:
            _end_frozen(registry, script)
        else:
            _orphan(registry, script)


def load(registry: Registry, extension: ExtensionEntry) -> None:
    """Let an extension that is back have its background, and its content scripts where the browser injects them."""
    if extension.background is not None:
        registry.put_to_sleep(extension.background)
    for script in extension.content_scripts:
        inject_open(registry, extension, script)


def _end_frozen(registry: Registry, context: ContextEntry) -> None:
    """End a content script whose page is in the back/forward cache, and the page too, if content scripts live on."""
    if context.frame is not None and registry.options.dialect.content_scripts_outlive_extension:
        tab = context.frame.tab
        for document_id, cached in tuple(tab.cache.items()):
            if context in cached.all_contexts():
                forget_document(registry, tab, document_id)
    registry.close_context(context)


def _orphan(registry: Registry, context: ContextEntry) -> None:
    """End the connections of a content script. What was on its way to it still reaches it, and is the last that does.

    Where it lives on, it is told of the ends, and can do nothing any more once it was.
    """
    script = context.script
    lives_on = registry.options.dialect.content_scripts_outlive_extension
    script.happen(ContextHappening.EXTENSION_GONE)
    registry.set_apart(context)
    sever(script.scope, silently=not lives_on)
    script.scope.start_soon(_finish, registry, context)


async def _finish(registry: Registry, context: ContextEntry) -> None:
    await deliver_rest(context.script.scope)
    if context.script.closed:
        registry.close_context(context)
    else:
        context.script.scope.invalidated = True
