"""The lake that a question about prompts needs, made or brought up to date from a generator and a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from une_ray.corpora import open_corpus
from une_ray.corpora.files import absolute
from une_ray.corpora.prompts import Prompts
from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.run.build import Built
from une_ray.run.build import build as run
from une_ray.run.cluster import DEFAULT, Cluster
from une_ray.spaces.space import Space


@dataclass(frozen=True, kw_only=True)
class PromptLake:
    """A lake of prompts, its spaces of this question, the generator's first, and what the build did."""

    lake: Lake
    spaces: Sequence[str]
    built: Built


def build_prompts(
    model: str,
    prompts: str,
    besides: Sequence[str],
    url: str | None = None,
    seeds: int | None = None,
    texts: Sequence[str] | None = None,
    cluster: Cluster = DEFAULT,
) -> PromptLake:
    """The h-space in `model` of `prompts` (files or lists of the package, with commas) and those `besides`.

    `texts` are image–text models whose text towers stand beside it; None takes the one that the generator is
    conditioned by, where the table of models knows it. `url` None is `MODEL-LIST` in the current folder. Does
    only what is missing. Raises UneError for a model that does not generate, and what `une build` refuses.
    """
    given, equals, source = model.rpartition("=")
    kind = "hspace" if seeds is None else f"hspace{seeds}"
    asked = f"{given}/{kind}={source}/{kind}" if equals else f"{model}/{kind}"
    space = Space.parse(asked)
    towers = [space.model.text_model] if texts is None and space.model.text_model else texts or []
    text_spaces = [f"{name}/text" for name in towers]
    corpus = Prompts.parse(prompts, {})
    named = f"{space.name.partition('/')[0]}-{'-'.join(Path(file).stem for file in corpus.files)}"
    url = named if url is None else url
    lake = Lake(absolute(url))
    corpus = with_besides(lake, corpus, besides)
    built = run(url, corpus.name, [asked, *text_spaces], cluster=cluster)
    return PromptLake(lake=Lake(absolute(url)), spaces=[space.name, *text_spaces], built=built)


def with_besides(lake: Lake, corpus: Prompts, besides: Sequence[str]) -> Prompts:
    """The files with what an earlier question added to the lake's list, whose prompts keep their ids, and
    those `besides` that are in neither. Raises UneError for a lake of another kind of corpus."""
    known = _known_besides(lake)
    there = {item.caption for item in Prompts(corpus.files, besides=known).items()}
    new = [text for text in dict.fromkeys(besides) if text not in there]
    return Prompts(corpus.files, besides=(*known, *new))


def _known_besides(lake: Lake) -> tuple[str, ...]:
    """What an earlier question added to the lake's list: its prompts keep their places."""
    if not lake.exists():
        return ()
    corpus = open_corpus(lake.manifest["corpus"])
    if not isinstance(corpus, Prompts):
        raise UneError(f"{lake.url} is a lake of {corpus.name}; name another --lake for prompts")
    return corpus.besides
