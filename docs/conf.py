"""Sphinx builds the documentation from the installed package; `nox -s docs` calls it."""

import inspect
import io
import re
import sys
from collections.abc import Iterable
from importlib.metadata import version as installed_version
from pathlib import Path

import attrs
from docutils import nodes
from docutils.statemachine import StringList
from rich.console import Console
from rich.text import Text
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from trio_ports._protocol import dialects
from trio_ports._protocol.contexts import CONTEXT_TRANSITIONS, ContextState
from trio_ports._protocol.lifecycle import TRANSITIONS, State

sys.path.append(str(Path(__file__).parent))  # Sphinx does not look for modules beside this file.
import command_pages
import rule_checks

project = "trio_ports"
author = "trio_ports contributors"
copyright = f"2026, {author}"  # noqa: A001  # Sphinx asks for this name.
release = version = installed_version("trio-ports")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "news", "terminal", "reference/doubles.rst"]

html_theme = "furo"
html_title = "trio_ports"
html_static_path = ["_static"]
html_css_files = ["tiles.css"]

autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False

# A reference to one of our public names has to lead somewhere. Other projects' names are not looked up, so that the
# build needs no network; private modules appear in signatures and have no page.
nitpick_ignore_regex = [(r"py:.*", r"(?!trio_ports\.).*"), (r"py:.*", r"trio_ports\.(.*\.)?_.*")]

TERMINALS = Path(__file__).parent / "terminal"
TERMINAL_LETTERS = 96

# Where a state stands in the picture of a life: the middle of its box.
LIVES = {
    "ends": ("The states of one end of a connection", TRANSITIONS, {
        State.OPEN: (80, 60), State.ENDING: (330, 60), State.ENDED: (580, 60), State.CLOSED: (330, 190),
    }),
    "contexts": ("The states of a context", CONTEXT_TRANSITIONS, {
        ContextState.ASLEEP: (80, 60), ContextState.STARTING: (330, 60), ContextState.RUNNING: (580, 60),
        ContextState.FROZEN: (830, 60), ContextState.GONE: (330, 330), ContextState.ORPHANED: (700, 200),
    }),
}  # fmt: skip
WIDTH, HEIGHT = 110, 40


def draw_life(name: str) -> str:
    """Return a life as an SVG, drawn from its table."""
    title, transitions, places = LIVES[name]
    wide, high = (max(place[axis] for place in places.values()) for axis in (0, 1))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide + 100} {high + 60}" role="img" class="lifecycle">',
        f"<title>{title}</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">',
        '<path d="M0 0 L8 4 L0 8 z" fill="currentColor"/></marker></defs>',
    ]
    stays = {state: [] for state in places}
    for (before, happening), after in transitions.items():
        if before is after:
            stays[before].append(happening)
            continue
        (x1, y1), (x2, y2) = places[before], places[after]
        # An arrow there and one back stand apart.
        goes_back = any(start is after and to is before for (start, _), to in transitions.items())
        apart = 0 if not goes_back else 10 if x2 > x1 else -10
        if y1 == y2:
            side = WIDTH / 2 if x2 > x1 else -WIDTH / 2
            x1, x2, y1, y2 = x1 + side, x2 - side, y1 - apart, y2 - apart
        else:
            y1, y2 = y1 + HEIGHT / 2, y2 - HEIGHT / 2
            x2 += (x1 - x2) / 6
        lines.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="currentColor" marker-end="url(#tip)"/>')
        lines.append(f'<text x="{(x1 + x2) / 2}" y="{(y1 + y2) / 2 - 6}" text-anchor="middle">{happening.value}</text>')
    for state, (x, y) in places.items():
        box = f'x="{x - WIDTH / 2}" y="{y - HEIGHT / 2}" width="{WIDTH}" height="{HEIGHT}" rx="6"'
        lines.append(f'<rect {box} fill="none" stroke="currentColor"/>')
        lines.append(f'<text x="{x}" y="{y + 5}" text-anchor="middle">{state.value}</text>')
        if stays[state]:
            still = ", ".join(happening.value for happening in stays[state])
            lines.append(f'<text x="{x}" y="{y + HEIGHT / 2 + 16}" text-anchor="middle">stays: {still}</text>')
    return "\n".join([*lines, "</svg>"]).replace("<text ", '<text font-size="13" fill="currentColor" ')


class LifecycleDirective(SphinxDirective):
    """``.. lifecycle::`` shows the states of an end; ``.. lifecycle:: contexts`` those of a context."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the picture; a reader without pictures gets the table's words."""
        return [nodes.raw("", draw_life(self.arguments[0] if self.arguments else "ends"), format="html")]


def draw_terminal(name: str) -> str:
    """Return a terminal's picture as an SVG, drawn from what `pictures.py` has kept."""
    lines = (TERMINALS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    texts = [Text.from_ansi(line) for line in lines]
    console = Console(record=True, file=io.StringIO(), width=TERMINAL_LETTERS)
    for text in texts:
        console.print(text, soft_wrap=True, highlight=False)
    drawn = console.export_svg(title=lines[0].removeprefix("$ "), unique_id=f"terminal-{name}")
    # Its letters would be fetched from another server.
    return re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)


class TerminalDirective(SphinxDirective):
    """``.. terminal:: NAME`` shows what a command of the tutorial prints."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the picture; a reader without pictures gets nothing, as the text round it says what happens."""
        return [nodes.raw("", draw_terminal(self.arguments[0]), format="html")]


def describe_fields() -> dict[str, str]:
    """Return what the source says under each field of the table of dialects."""
    source = inspect.getsource(dialects.Dialect)
    said = re.findall(r'^    (\w+): [^\n]+\n(?:    """(.*?)""")?', source, re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()) for name, text in said}


class DialectsDirective(SphinxDirective):
    """``.. dialects::`` shows the table of dialects, a row for each question."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        columns = tuple(dialects.DIALECTS.values())
        rows = [["", *(f"``{column.name}``" for column in columns)]]
        for name, text in describe_fields().items():
            if name not in ("name", "native_texts", "one_shot_texts"):
                rows.append([f"``{name}`` {text}".strip(), *self.show(columns, name)])
        for field in attrs.fields(dialects.NativeTexts):
            texts = (getattr(column.native_texts, field.name, "says what to mend") for column in columns)
            rows.append([f"what is said of a native application: {field.name}", *map(str, texts)])
        for field in attrs.fields(dialects.OneShotTexts):
            texts = (getattr(column.one_shot_texts, field.name, "our own text") for column in columns)
            rows.append([f"what the sender of a one-shot message learns: {field.name}", *map(str, texts)])
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 46 18 18 18", ""]
        for row in rows:
            lines += [f"   {'* -' if not index else '  -'} {cell}" for index, cell in enumerate(row)]
        node = nodes.section()
        self.state.nested_parse(StringList(lines, source="dialects"), self.content_offset, node)
        return node.children

    @staticmethod
    def show(columns: Iterable[dialects.Dialect], name: str) -> list[str]:
        """Return the cells of one row."""
        return [show_value(getattr(column, name)) for column in columns]


def show_value(value: object) -> str:
    """Return a value of the table as a reader likes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == float("inf"):
        return "–" if value is None else "none"
    return f"``{value}``" if isinstance(value, str) else f"{value:,}"


class RuleChecksDirective(SphinxDirective):
    """``.. rule-checks::`` shows a section for each rule: its stories, its checks and its mutants."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        return self.parse_text_to_nodes(rule_checks.write_rules(), allow_section_headings=True)


def setup(app: Sphinx) -> None:
    """Add what draws from the package's own tables and commands, and from the tests."""
    app.connect("builder-inited", command_pages.write_pages)
    app.add_directive("lifecycle", LifecycleDirective)
    app.add_directive("terminal", TerminalDirective)
    app.add_directive("dialects", DialectsDirective)
    app.add_directive("rule-checks", RuleChecksDirective)
