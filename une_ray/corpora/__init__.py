"""Corpora, named in one string: `avatars:2000`, `folder:/data/faces`, `celeba:/data/celeba?partition=val`."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

from une_ray.corpora.base import Corpus, Item
from une_ray.errors import UneError, unknown
from une_ray.registry import CORPORA

__all__ = ["Corpus", "Item", "open_corpus"]


def open_corpus(text: str) -> Corpus:
    """The corpus that `KIND:ARGUMENT?option=value&…` names. Raises UneError for an unknown kind or option."""
    kind, colon, rest = text.partition(":")
    if not colon:
        instead = f"; do you mean folder:{text}?" if Path(text).is_dir() else ""
        raise UneError(
            f"a corpus is named KIND:ARGUMENT, as in avatars:2000 or folder:/data/faces; got {text!r}"
            + instead
        )
    corpus = CORPORA.find(kind)
    argument, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for option in options:
        if option not in corpus.OPTIONS:
            raise unknown(f"option of {kind}", option, corpus.OPTIONS or ["(it has none)"])
    return corpus.parse(argument, options)
