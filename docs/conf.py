"""Sphinx builds the documentation from the installed package; `nox -s docs` calls it."""

from importlib.metadata import version as installed_version

project = "trio_ports"
author = "trio_ports contributors"
copyright = f"2026, {author}"  # noqa: A001  # Sphinx asks for this name.
release = version = installed_version("trio-ports")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "news"]

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
