"""What can be read, told from the registry of corpora: each kind with its form, options and table's columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from une_ray.registry import CORPORA

WIDTH = 110
NAMES = 18  # characters that names of options and columns are padded to


@dataclass(frozen=True, kw_only=True)
class CorpusHelp:
    """One kind: how it is written, what it is, and what each option and column means."""

    kind: str
    form: str
    about: str
    options: Mapping[str, str]
    columns: Mapping[str, str]

    def text(self, indent: str = "") -> str:
        """Lines for a terminal."""
        lines = [f"{indent}{self.form:{NAMES + 4}} {self.about}"]
        lines += [_line(f"?{option}=", about, indent) for option, about in self.options.items()]
        if self.columns:
            lines.append(f"{indent}    its table's columns:")
            lines += [_line(column, about, indent) for column, about in self.columns.items()]
        return "\n".join(lines)

    def markdown(self) -> str:
        """A paragraph and a list, for a page."""
        lines = [f"`{self.form}`: {self.about}", ""]
        lines += [f"- option `{option}`: {about}" for option, about in self.options.items()]
        lines += [f"- column {_code(column)}: {about}" for column, about in self.columns.items()]
        return "\n".join(lines).rstrip()


def corpora() -> list[CorpusHelp]:
    """Every kind of corpus that is known here, other packages' among them."""
    return [
        CorpusHelp(
            kind=kind,
            form=corpus.FORM,
            about=CORPORA.about(kind),
            options=corpus.OPTIONS,
            columns=getattr(corpus, "COLUMNS", {}),
        )
        for kind, corpus in CORPORA.items()
    ]


def forms() -> str:
    """How every kind is written, in one line: `avatars:N, celeba:PATH, …`."""
    return ", ".join(corpus.form for corpus in corpora())


def corpus_help() -> str:
    """All kinds with their options and columns, for a terminal."""
    head = "A corpus is written KIND:ARGUMENT, with options as in folder:photos?table=labels.csv; the kinds:"
    return "\n\n".join([head, *(corpus.text() for corpus in corpora())])


def corpus_markdown() -> str:
    """All kinds with their options and columns, for a page of documentation or a command's help."""
    return "\n\n".join(corpus.markdown() for corpus in corpora())


def _line(name: str, about: str, indent: str) -> str:
    start = f"{indent}    {name:{NAMES}} "
    return textwrap.fill(about, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))


def _code(column: str) -> str:
    """A column's name as code; what is no name (`any other`) as it stands."""
    return f"`{column}`" if column.isidentifier() else column
