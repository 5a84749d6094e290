"""The documentation as a static site: `make docs` builds it into build/docs, without network.

Sphinx reads the package's docstrings itself (autodoc), so that the API pages are the code's, and MyST lets
every page be the Markdown that a code host shows as well. Looked at in November 2026: MkDocs' newest release
is 1.6.1 of 2024, its likely successor Zensical is at 0.1, and Jupyter Book 2 has no autodoc; Sphinx,
MyST-Parser and Furo are released regularly. Sphinx 9.0 is the last that runs on Python 3.11.
Licences: Sphinx BSD-2-Clause, MyST-Parser and Furo MIT; what they bring is BSD, MIT, Apache-2.0 or MPL-2.0.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import une_ray

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
CARDS = ROOT / "une_ray/models/weights"

project, author, copyright = "une_ray", "The une_ray developers", "The une_ray developers, Apache-2.0"
release = version = une_ray.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = f"une_ray {release}"
html_static_path = ["_static"]
html_css_files = ["une_ray.css"]
html_copy_source = False
pygments_style, pygments_dark_style = "friendly", "github-dark"
highlight_language = "none"

myst_heading_anchors = 4  # links to headings are those that a code host makes

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # docstrings of other libraries are not ours to show
autodoc_default_options = {"members": True}
suppress_warnings = ["ref.python"]  # a name that two modules have is a link to the first
autosummary_ignore_module_all = False
python_use_unqualified_type_names = True

# Files of the repository that are pages of the site under another name.
PAGES = {
    ROOT / "une_ray/queries/README.md": "sql.md",
    ROOT / "une_ray/corpora/avatars.md": "avatars.md",
    ROOT / "une_ray/corpora/prompt_lists/README.md": "prompt-lists.md",
    ROOT / "cluster/README.md": "clusters.md",
    ROOT / "CONTRIBUTING.md": "contributing.md",
    ROOT / "CHANGELOG.md": "changelog.md",
    **{card: f"cards/{card.parent.name}.md" for card in CARDS.glob("*/README.md")},
}

EXAMPLE = re.compile(r"(^(?! )(?![-*] ).+\n\n)((?: {4}.*\n|\n(?= {4}))+)", re.MULTILINE)
MARKUP = re.compile(r"((?<![\w*])\*\w[^*\n]*\*(?![\w*]))|[*|\\]|_(?=\W|$)")
LINK = re.compile(r"(\]\()([^()\s#:]+)((?:#[^()\s]*)?\))")


def relinked(text: str, file: Path, page: str) -> str:
    """Markdown of `file` as it stands in the site's `page`: links lead to the pages that other files are."""

    def link(match: re.Match[str]) -> str:
        target = (file.parent / match[2]).resolve()
        shown = DOCS / PAGES[target] if target in PAGES else target
        return match[1] + os.path.relpath(shown, (DOCS / page).parent) + match[3]

    return LINK.sub(link, text)


def read_page(app: Any, page: str, source: list[str]) -> None:
    file = DOCS / f"{page}.md"
    if file.exists():
        source[0] = relinked(source[0], file, page)


def read_included(app: Any, path: Path, stem: str, source: list[str]) -> None:
    """`path` is relative to this folder, `stem` only the last part of the page's name."""
    if path.suffix == ".md":
        source[0] = relinked(source[0], (DOCS / path).resolve(), app.env.docname)


def write_cards(app: Any) -> None:
    """A page for every model's card, which stands beside its weights."""
    (DOCS / "cards").mkdir(exist_ok=True)
    for card in sorted(CARDS.glob("*/README.md")):
        page = DOCS / PAGES[card]
        text = f"---\norphan: true\n---\n\n```{{include}} {os.path.relpath(card, page.parent)}\n```\n"
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


def forget_gone_modules(app: Any) -> None:
    """Pages of the API of an earlier build, where they know modules that there are no more."""
    modules = (ROOT.joinpath(*page.stem.split(".")) for page in (DOCS / "_api").glob("*.rst"))
    if not all(module.is_dir() or module.with_suffix(".py").exists() for module in modules):
        shutil.rmtree(DOCS / "_api")


def escaped(markup: re.Match[str]) -> str:
    """Emphasis as it is, all else behind a backslash."""
    return markup[1] or f"\\{markup[0]}"


def as_restructured(app: Any, what: str, name: str, object: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text with code in backticks or indented, and emphasis: the rest is escaped."""
    text = EXAMPLE.sub(r"\1::\n\n\2\n", "\n".join(lines) + "\n")
    parts = re.split(r"(`[^`]+`|^::\n\n(?:(?: {4}.*)?\n)+)", text, flags=re.MULTILINE)
    parts[::2] = [MARKUP.sub(escaped, part) for part in parts[::2]]
    for i in range(1, len(parts), 2):
        if parts[i].startswith("`"):  # what touches a word needs a separator that is not shown
            before, after = re.search(r"\w\Z", parts[i - 1]), re.match(r"\w", parts[i + 1])
            parts[i] = ("\\ " if before else "") + f"`{parts[i]}`" + ("\\ " if after else "")
    lines[:] = "".join(parts).split("\n")


def setup(app: Any) -> None:
    app.connect("builder-inited", write_cards)
    app.connect("builder-inited", forget_gone_modules, priority=100)  # before autosummary reads them
    app.connect("source-read", read_page)
    app.connect("include-read", read_included)
    app.connect("autodoc-process-docstring", as_restructured)
