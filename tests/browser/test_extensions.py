"""Extensions: installing, pages, content scripts, uninstalling, and bad arguments."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from support import Witness, each_dialect, open_world, refuse_elsewhere, settle

from trio_ports import AlreadyInstalledError, LocalProtocolError, open_browser


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"extension_id": ""}, ValueError, "extension_id must not be empty"),
        ({"extension_id": None}, TypeError, "extension_id must be str"),
        ({"extension_id": "notes@example.org"}, AlreadyInstalledError, "is already installed"),
        ({"extension_id": "new", "externally_connectable": ["*"]}, TypeError, "must be a mapping"),
    ],
)
async def test_bad_arguments_of_install(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    """They raise at the call and install nothing."""
    async with open_world() as world:
        with pytest.raises(error, match=text):
            world.browser.install(**arguments)
        assert set(world.browser._registry.extensions) == {"notes@example.org"}


@each_dialect
async def test_uninstalling_closes_every_context(dialect: Any) -> None:
    """Once and for all; another extension is told, in good order, and the id is free again."""
    async with open_world(dialect=dialect) as world:
        other = world.browser.install("other").open_page()
        world.listen(other, external=True)
        port = world.page.runtime.connect("other")
        await settle()
        witness, own = Witness(*world.ports), Witness(port)
        port.post_message(1)
        world.extension.uninstall()
        world.extension.uninstall()
        await settle()
        assert (witness.seen, own.seen) == ([1, "end"], [])
        assert world.background.closed
        assert world.page.closed
        assert repr(world.extension) == "<Extension 'notes@example.org' (uninstalled)>"
        with pytest.raises(trio.ClosedResourceError, match="is uninstalled"):
            world.extension.open_page()
        with pytest.raises(trio.ClosedResourceError, match="is uninstalled"):
            world.extension.inject(world.browser.open_tab())
        assert world.browser.install("notes@example.org").installed


async def test_the_first_page_without_a_tab_is_the_background() -> None:
    """As long as it lives; after it, the next one."""
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        tab = browser.open_tab("https://example.org/")
        shown = extension.open_page("options.html", tab=tab)
        background, page = extension.open_page("/background.html"), extension.open_page("popup.html")
        assert [context.kind for context in (shown, background, page)] == ["page", "background", "page"]
        assert background.url == "extension://notes@example.org/background.html"
        background.close()
        assert extension.open_page().kind == "background"
        assert repr(extension) == "<Extension 'notes@example.org'>"


async def test_an_extension_shows_who_may_connect() -> None:
    """None is not the same as nobody."""
    async with open_browser() as browser:
        assert browser.install("open").externally_connectable is None
        key = browser.install("closed", externally_connectable={"ids": ["friend"]}).externally_connectable
        assert key is not None
        assert (key.allows_extension("friend"), key.allows_extension("stranger")) == (True, False)


@each_dialect
async def test_where_an_extensions_pages_live(dialect: Any) -> None:
    """Firefox gives each installation an address of its own; the others use the id."""
    async with open_browser(dialect=dialect) as browser, open_browser(dialect=dialect) as another:
        extensions = [browser.install("a"), browser.install("b"), another.install("a")]
        urls = [extension.open_page("x.html").url for extension in extensions]
        if dialect == "firefox":
            assert len(set(urls)) == 3 or urls[0] == urls[2]
            assert "//a/" not in urls[0]
        else:
            scheme = "extension" if dialect == "trio" else "chrome-extension"
            assert urls == [f"{scheme}://{name}/x.html" for name in ("a", "b", "a")]


async def test_a_page_in_a_tab() -> None:
    """It takes the top frame where no script runs, and a frame of its own otherwise."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        first = world.extension.open_page("first.html", tab=tab)
        second = world.extension.open_page("second.html", tab=tab)
        assert first.frame is tab.frames[0]
        assert tab.browser is world.browser
        assert tab.url == first.url
        assert second.frame is tab.frames[1]
        assert (first.tab, first.browser, first.extension) == (tab, world.browser, world.extension)
        assert (world.background.tab, world.background.frame) == (None, None)


async def test_one_content_script_for_each_document_and_extension() -> None:
    """Injected again it is the same one; another extension has its own."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        script = world.extension.inject(tab)
        assert world.extension.inject(tab) is script
        assert world.browser.install("other").inject(tab) is not script
        script.close()
        assert world.extension.inject(tab) is not script


async def test_another_browsers_tab() -> None:
    """It is refused, and nothing changes there."""
    async with open_world() as world, open_browser() as another:
        tab = another.open_tab()
        for call in (lambda: world.extension.inject(tab), lambda: world.extension.open_page(tab=tab)):
            with pytest.raises(LocalProtocolError, match="belongs to another browser"):
                call()
        assert not tab.frames[0]._entry.contexts


@pytest.mark.parametrize(
    ("method", "arguments", "text"),
    [
        ("open_page", {"path": 1}, "path must be str"),
        ("open_page", {"tab": 1}, "tab must be Tab"),
        ("inject", {"tab": None}, "tab must be Tab"),
        ("inject", {"tab": 1}, "tab must be Tab"),
    ],
)
async def test_bad_types_of_an_extension(method: str, arguments: dict[str, Any], text: str) -> None:
    """They raise at the call."""
    async with open_world() as world:
        with pytest.raises(TypeError, match=text):
            getattr(world.extension, method)(**arguments)
        assert len(world.extension._entry.contexts) == 2


async def test_a_page_outside_the_extension() -> None:
    """A URL is no path; what looks like one in a query is the page's business."""
    async with open_world() as world:
        with pytest.raises(ValueError, match="path must be one inside the extension"):
            world.extension.open_page("https://example.org/")
        assert world.extension.open_page("page.html?next=https://a/").url.endswith("/page.html?next=https://a/")


@each_dialect
async def test_the_address_of_a_page_is_written_as_browsers_write_it(dialect: Any) -> None:
    """Inside an extension whose id no address could have."""
    async with open_world(dialect=dialect) as world:
        extension = world.browser.install("any text: [")
        base = extension.open_page().url.removesuffix("/background.html")
        assert extension.open_page("/a b/../my page.html?ä#b").url == f"{base}/my%20page.html?%C3%A4#b"
        assert base == extension._entry.base_url


async def test_from_another_thread() -> None:
    """Everything that opens or closes says that it must be called inside Trio."""
    async with open_world() as world:
        tab = world.browser.open_tab()
        await refuse_elsewhere(
            lambda: world.browser.install("other"),
            world.browser.open_tab,
            world.extension.open_page,
            lambda: world.extension.inject(tab),
            world.extension.uninstall,
            world.page.close,
        )
        assert not world.page.closed
        assert len(world.browser._registry.contexts) == 2
