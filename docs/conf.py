"""The documentation as a static site: `make docs` builds it into build/docs, without network.

Sphinx reads the package's docstrings itself (autodoc), so that the API pages are the code's, and MyST lets every page be the Markdown that a
code host shows as well. Looked at in November 2026: MkDocs' newest release is 1.6.1 of 2024 and its Material theme is in maintenance, their
successor Zensical is at 0.1, and Jupyter Book 2 has no autodoc; Sphinx, MyST-Parser and Furo are released regularly. Sphinx 9.0 is the last
that runs on Python 3.11. Licences: Sphinx BSD-2-Clause, MyST-Parser and Furo MIT, all that they bring BSD or MIT (certifi MPL-2.0).
"""

from __future__ import annotations

import re
from typing import Any

import une_ray

project, author, copyright = "une_ray", "The une_ray developers", "The une_ray developers, Apache-2.0"
release = version = une_ray.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.viewcode"]
exclude_patterns = ["_api/une_ray.rst"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"une_ray {release}"
html_static_path = ["_static"]
html_css_files = ["une_ray.css"]
html_copy_source = False
pygments_style, pygments_dark_style = "friendly", "github-dark"
highlight_language = "none"

myst_heading_anchors = 4  # links to headings are those that a code host makes
myst_enable_extensions = ["attrs_block"]
suppress_warnings = ["myst.header"]  # included pages begin at their own level

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # docstrings of other libraries are not ours to show
autodoc_default_options = {"members": True, "show-inheritance": False}
autosummary_ignore_module_all = False
default_role = "code"
python_use_unqualified_type_names = True

CODE = re.compile(r"(`[^`]+`)")


def markdown(app: Any, what: str, name: str, object: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text with code in single backticks: what else reStructuredText would read into them is escaped."""
    parts = CODE.split("\n".join(lines))
    parts[::2] = [re.sub(r"([*|\\]|_(?=\W|$))", r"\\\1", text) for text in parts[::2]]
    lines[:] = "".join(parts).split("\n")


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", markdown)
