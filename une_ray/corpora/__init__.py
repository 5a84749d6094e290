"""Corpora, named in one string: `avatars:2000`, `folder:/data/faces`, `celeba:/data/celeba?partition=val`, …"""

from __future__ import annotations

from importlib import import_module
from urllib.parse import parse_qsl

from une_ray.corpora.base import Corpus, Item
from une_ray.errors import UneError, unknown

KINDS = {
    "avatars": "une_ray.corpora.avatars:Avatars",
    "duplicates": "une_ray.corpora.duplicates:Duplicates",
    "folder": "une_ray.corpora.folder:Folder",
    "celeba": "une_ray.corpora.celeba:CelebA",
    "parquet": "une_ray.corpora.parquet:ParquetFiles",
    "hub": "une_ray.corpora.hub:HubDataset",
}

__all__ = ["KINDS", "Corpus", "Item", "open_corpus"]


def open_corpus(text: str) -> Corpus:
    """The corpus that `KIND:ARGUMENT?option=value&…` names. Raises UneError for an unknown kind or option."""
    kind, colon, rest = text.partition(":")
    if not colon:
        raise UneError(
            f"a corpus is named KIND:ARGUMENT, as in avatars:2000 or folder:/data/faces; got {text!r}"
        )
    if kind not in KINDS:
        raise unknown("corpus kind", kind, KINDS)
    module, name = KINDS[kind].split(":")
    corpus = getattr(import_module(module), name)
    argument, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for option in options:
        if option not in corpus.OPTIONS:
            raise unknown(f"option of {kind}", option, corpus.OPTIONS or ["(it has none)"])
    return corpus.parse(argument, options)
