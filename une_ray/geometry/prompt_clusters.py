"""Do the directions of prompts fall into known categories? k-means beside shuffled labels, and a map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from une_ray.geometry.prompt_directions import HIGH, LOW
from une_ray.geometry.unit import unit_rows

STARTS, NEIGHBOURS, PERPLEXITY = 10, 5, 30.0

Measure = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True, kw_only=True)
class Score:
    """A measure of two partitions; `low` and `high`, which 95 in 100 random halves of the seeds lie between
    (NaN for fewer than two seeds); what 95 in 100 shuffled categories stay below, and the share of them that
    reach it."""

    value: float
    low: float
    high: float
    shuffled: float
    p: float


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """`assigned` (p,) to as many clusters as there are categories; `halves` is the adjusted Rand index of the
    clusters by even and by odd seeds, each half as many as the clusters themselves are of."""

    assigned: np.ndarray
    nmi: Score
    ari: Score
    halves: float


def clusters(
    h: np.ndarray,
    neutral: np.ndarray,
    categories: Sequence[str],
    resamples: int = 100,
    shuffles: int = 1000,
    seed: int = 0,
) -> Clusters:
    """k-means of unit directions h(prompt) − h(neutral), for `h` (p, S, d) and `neutral` (S, d), held against
    `categories` (p) by normalised mutual information and the adjusted Rand index (Hubert & Arabie 1985).

    NMI grows with the number of clusters whatever they are, so only what exceeds `shuffled` counts. No
    interval over seeds holds for k-means, which jumps where a mean moves a little: a bootstrap's 95 % of ARI
    covered half of simulated truths. So what half of the seeds give is shown instead, `resamples` of them.
    """
    labels = np.unique(np.array(categories), return_inverse=True)[1]
    groups, seeds, generator = labels.max() + 1, h.shape[1], np.random.default_rng(seed)
    moved = h - neutral
    assigned = _k_means(moved.mean(1), groups)
    drawn, halves = [], float("nan")
    if seeds > 1:
        chosen = [generator.choice(seeds, seeds // 2, replace=False) for _ in range(resamples)]
        drawn = [_k_means(moved[:, half].mean(1), groups) for half in chosen]
        halves = adjusted_rand_score(*(_k_means(moved[:, side::2].mean(1), groups) for side in (0, 1)))
    orders = [generator.permutation(labels) for _ in range(shuffles)]
    nmi, ari = (
        _score(measure, labels, assigned, drawn, orders)
        for measure in (normalized_mutual_info_score, adjusted_rand_score)
    )
    return Clusters(assigned=assigned, nmi=nmi, ari=ari, halves=float(halves))


@dataclass(frozen=True, kw_only=True)
class Map:
    """`places` (p, 2); `trust` is how far neighbours on the map are neighbours in the space (trustworthiness
    of Venna & Kaski 2001, 1 is all), beside that of two principal components."""

    places: np.ndarray
    trust: float
    trust_of_components: float


def map_of(directions: np.ndarray) -> Map:
    """Unit directions (p, d) in two dimensions by t-SNE, started from principal components: the same for the
    same directions. Raises ValueError for fewer than four."""
    if len(directions) < 4:
        raise ValueError(f"a map is of four prompts or more, got {len(directions)}")
    unit = unit_rows(directions)
    components = PCA(2, random_state=0).fit_transform(unit)
    perplexity = min(PERPLEXITY, (len(unit) - 1) / 3)
    places = TSNE(2, perplexity=perplexity, init="pca", random_state=0, method="exact").fit_transform(unit)
    neighbours = min(NEIGHBOURS, (len(unit) - 1) // 2)
    trust, of_components = (
        float(trustworthiness(unit, x, n_neighbors=neighbours)) for x in (places, components)
    )
    return Map(places=places, trust=trust, trust_of_components=of_components)


def _k_means(directions: np.ndarray, groups: int) -> np.ndarray:
    return KMeans(groups, n_init=STARTS, random_state=0).fit(unit_rows(directions)).labels_


def _score(
    measure: Measure,
    labels: np.ndarray,
    assigned: np.ndarray,
    drawn: Sequence[np.ndarray],
    orders: Sequence[np.ndarray],
) -> Score:
    value = float(measure(labels, assigned))
    by_chance = np.array([measure(order, assigned) for order in orders])
    low = high = float("nan")
    if drawn:
        low, high = map(float, np.percentile([measure(labels, other) for other in drawn], (LOW, HIGH)))
    return Score(
        value=value,
        low=low,
        high=high,
        shuffled=float(np.percentile(by_chance, 95)),
        p=float((1 + np.sum(by_chance >= value)) / (1 + len(by_chance))),
    )
