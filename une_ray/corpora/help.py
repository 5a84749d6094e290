"""What can be read, from the registry of corpora: each kind with its form, options and table's columns."""

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
        lines = [
            textwrap.fill(f"{indent}{self.form:{NAMES + 4}} {self.about}", WIDTH, subsequent_indent=" " * 8)
        ]
        lines += [_line(f"?{option}=", about, indent) for option, about in self.options.items()]
        if self.columns:
            lines.append(f"{indent}    columns of its table:")
            lines += [_line(f"  {column}", about, indent) for column, about in self.columns.items()]
        return "\n".join(lines)

    def markdown(self) -> str:
        """A paragraph and a list, for a page."""
        lines = [f"`{self.form}`: {self.about}", ""]
        lines += [f"- option `{option}`: {about}" for option, about in self.options.items()]
        lines += [f"- {_column(column)}: {about}" for column, about in self.columns.items()]
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


def _column(name: str) -> str:
    """``column `file` ``, or where it is no name: `any other column`."""
    return f"column `{name}`" if name.isidentifier() else f"{name} column"
