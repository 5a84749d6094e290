"""Do a generator's prompts fall into the categories that people put them in? Clusters, and a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError
from une_ray.geometry.prompt_clusters import Score, clusters, map_of
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.lake.tables import InALine
from une_ray.studies.prompts.read import (
    Prompts,
    computed,
    labelled,
    number,
    rows_of,
)

KEY, FEWEST = "category", 6


@dataclass(frozen=True, eq=False, repr=False)
class ClustersResult(InALine):
    """`table`: rows of the view `prompt_clusters`, one per space and prompt; `scores`: of
    `prompt_cluster_scores`, one per space and measure."""

    table: pa.Table
    scores: pa.Table


def cluster(
    lake: Lake,
    neutral: str,
    spaces: Sequence[str] | None = None,
    categories: str = KEY,
    resamples: int = 100,
) -> ClustersResult:
    """k-means of the directions of all prompts that have a category, as many clusters as categories, and
    their places on a map.

    `categories` is the key of the prompts' metadata that has them; a category of one prompt is left out.
    Raises UneError for fewer than six such prompts or two categories, and an unknown neutral prompt.
    """
    known = {text: name for text, name in labelled(lake, categories).items() if text != neutral}
    counts = Counter(known.values())
    known = {text: name for text, name in known.items() if counts[name] > 1}
    if len(known) < FEWEST or len(set(known.values())) < 2:
        raise UneError(
            f"{len(known)} prompts of {lake.url} stand in {len(set(known.values()))} categories of two or"
            f" more by {categories!r}; clusters are of {FEWEST} prompts and two categories at the least"
        )
    settings = {"neutral": neutral, "categories": categories, "halves": resamples}
    configs = computed(
        lake,
        "prompt_clusters",
        spaces,
        lambda space: settings,
        lambda config, prompts: _commit(lake, config, prompts, known),
    )
    return ClustersResult(
        *(rows_of(lake, name, configs) for name in ("prompt_clusters", "prompt_cluster_scores"))
    )


def _commit(lake: Lake, config: Mapping[str, Any], prompts: Prompts, known: Mapping[str, str]) -> None:
    texts = [text for text in known if text not in prompts.undirected]
    neutral = prompts.of(config["neutral"])
    h = np.stack([prompts.of(text) for text in texts])
    found = clusters(h, neutral, [known[text] for text in texts], config["halves"])
    places = map_of((h - neutral).mean(1))
    stamp = {name: config[name] for name in ("space", "space_fingerprint", "neutral", "categories")}
    rows = [
        stamp | {"prompt": text, "category": known[text], "cluster": int(label), "x": float(x), "y": float(y)}
        for text, label, (x, y) in zip(texts, found.assigned, places.places, strict=True)
    ]
    of_map = {"trust": places.trust, "trust_of_components": places.trust_of_components}
    shared = of_map | {
        "prompts": len(texts),
        "clusters": len(set(known.values())),
        "seeds": h.shape[1],
        "halves": number(found.halves),
    }
    scores = [
        stamp | shared | {"measure": name} | _numbers(score)
        for name, score in (("NMI", found.nmi), ("ARI", found.ari))
    ]
    results.commit(lake, "prompt_cluster_scores", config, scores)
    results.commit(lake, "prompt_clusters", config, rows)


def _numbers(score: Score) -> dict[str, float | None]:
    numbers = {"value": score.value, "low": score.low, "high": score.high}
    numbers |= {"shuffled": score.shuffled, "p": score.p}
    return {name: number(value) for name, value in numbers.items()}
