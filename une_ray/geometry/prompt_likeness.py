"""What a prompt's direction is nearest to among directions of a word list, with intervals over seeds (Zeng,
Chen, Wong 2024, arXiv 2410.21314: what does the model take for granted of an unmarked concept?)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from une_ray.geometry.intervals import jackknife_margin, share_interval
from une_ray.geometry.prompt_directions import HIGH, LOW, leave_one_out, rank_correlation
from une_ray.geometry.unit import unit_rows

TINY = 1e-12  # a squared norm that is none
QUANTILE = 95


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """Of prompts and descriptors (p, k): the cosine of their directions with its 95 % interval over seeds
    (NaN for fewer than two), and `firsts`, the share of resamples in which the descriptor is the nearest of
    its group. `random` (k,) is what the nearest of the descriptor's group reaches for 95 in 100 random
    directions."""

    cosines: np.ndarray
    low: np.ndarray
    high: np.ndarray
    firsts: np.ndarray
    random: np.ndarray


def likeness(
    h: np.ndarray,
    neutral: np.ndarray,
    others: np.ndarray,
    groups: Sequence[str],
    resamples: int = 1000,
    seed: int = 0,
) -> Likeness:
    """Cosines of d = h(prompt) − h(neutral), for prompts `h` (p, S, d) and descriptors `others` (k, S, d) of
    `groups` (k), under the same S seeds, which are left out, and resampled for `firsts`, together.

    The interval is the jackknife's of Fisher's z = artanh(cosine), with Student's t. A random direction is a
    combination of the prompts' own with normal weights: random where prompts differ at all.
    """
    seeds, generator = h.shape[1], np.random.default_rng(seed)
    mean = np.full((1, seeds), 1 / seeds)
    moved, described = h - neutral, others - neutral
    inner = Inner(moved, described)
    cosines = inner.cosines(mean)[0]
    missing = np.full(cosines.shape, np.nan)
    low, high, firsts = missing, missing, missing
    if seeds > 1:
        half = jackknife_margin(_z(inner.cosines(leave_one_out(seeds))))
        low, high = np.tanh(_z(cosines) - half), np.tanh(_z(cosines) + half)
        drawn = inner.cosines(generator.multinomial(seeds, mean[0], resamples) / seeds)
        firsts = _is_first(drawn, groups).mean(0)
    mixed = generator.normal(size=(resamples, len(h))) @ unit_rows(moved.mean(1))
    reached = unit_rows(mixed) @ unit_rows(described.mean(1)).T
    random = np.empty(len(groups))
    for columns in _columns(groups):
        random[columns] = np.percentile(reached[:, columns].max(1), QUANTILE)
    return Likeness(cosines=cosines, low=low, high=high, firsts=firsts, random=random)


@dataclass(frozen=True, kw_only=True)
class DefaultsAgreement:
    """How defaults agree with a truth, of so many `prompts`.

    `accuracy`: how often the nearest of a group is the likeliest in truth, with the exact 95 % interval over
    prompts; `majority` is what naming each group's commonest answer reaches, `p` the share of truths shuffled
    among prompts, all groups of a prompt together, that reach the accuracy. `rho`: Spearman's over prompts, a
    descriptor at a time, and the mean of them, with its interval over prompts.
    """

    prompts: int
    accuracy: float
    low: float
    high: float
    majority: float
    p: float
    rho: float
    rho_low: float
    rho_high: float


def agreement(
    cosines: np.ndarray, truth: np.ndarray, groups: Sequence[str], resamples: int = 200, seed: int = 0
) -> DefaultsAgreement:
    """`cosines` (p, k) of prompts and descriptors of `groups` (k) against `truth` (p, k), the share of what
    a prompt names that has what a descriptor says; NaN where that is not asked or not known. Raises
    ValueError where nothing is known of two descriptors or more of a group."""
    generator, prompts = np.random.default_rng(seed), len(cosines)
    hits, sizes, common = np.zeros(prompts, int), np.zeros(prompts, int), 0
    orders = np.array([generator.permutation(prompts) for _ in range(resamples)])
    hits_by_chance, sizes_by_chance = np.zeros(resamples, int), np.zeros(resamples, int)
    for columns in _columns(groups):
        known = ~np.isnan(truth[:, columns]).any(1)
        if len(columns) < 2 or not known.any():
            continue
        said, true = (np.nan_to_num(x[:, columns]).argmax(1) for x in (cosines, truth))
        hits += (said == true) & known
        sizes += known
        common += np.bincount(true[known]).max()
        both = known & known[orders]
        hits_by_chance += ((said == true[orders]) & both).sum(1)
        sizes_by_chance += both.sum(1)
    asked = np.flatnonzero(sizes)
    if not len(asked):
        raise ValueError("of no group of descriptors is a truth known")
    accuracy = float(hits.sum() / sizes.sum())
    by_chance = hits_by_chance / np.maximum(sizes_by_chance, 1)
    low, high = share_interval(hits[asked], sizes[asked])
    chosen = generator.choice(asked, (resamples, len(asked)))
    drawn = [_mean_rho(cosines[rows], truth[rows]) for rows in chosen]
    rho_low, rho_high = np.nanpercentile(drawn, (LOW, HIGH))
    return DefaultsAgreement(
        prompts=len(asked),
        accuracy=accuracy,
        low=low,
        high=high,
        majority=float(common / sizes.sum()),
        p=float((1 + np.sum(by_chance >= accuracy)) / (1 + resamples)),
        rho=_mean_rho(cosines, truth),
        rho_low=float(rho_low),
        rho_high=float(rho_high),
    )


def _mean_rho(cosines: np.ndarray, truth: np.ndarray) -> float:
    known = ~np.isnan(truth)
    pairs = [(cosines[rows, column], truth[rows, column]) for column, rows in enumerate(known.T)]
    return float(np.nanmean([rank_correlation(a, b) for a, b in pairs if len(a) > 2]))


def is_first(cosines: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """(p, k) bool: whether a descriptor is the nearest of its group."""
    return _is_first(cosines[None], groups)[0]


class Inner:
    """Cosines of every pair of two lists of directions under any weights of the seeds, from inner products
    of seeds alone: a resample costs no dimension.

    `a` (p, S, d) and `b` (k, S, d).
    """

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        self.across = np.einsum("psd,ktd->pkst", a, b, optimize=True)
        self.first, self.second = (np.einsum("psd,ptd->pst", x, x, optimize=True) for x in (a, b))

    def cosines(self, weights: np.ndarray) -> np.ndarray:
        """(r, p, k), for weights (r, S) of the seeds."""
        inner = np.einsum("rs,pkst,rt->rpk", weights, self.across, weights, optimize=True)
        norms = [
            np.sqrt(np.maximum(np.einsum("rs,pst,rt->rp", weights, gram, weights, optimize=True), TINY))
            for gram in (self.first, self.second)
        ]
        return inner / norms[0][:, :, None] / norms[1][:, None, :]


def _z(cosines: np.ndarray) -> np.ndarray:
    return np.arctanh(np.clip(cosines, -1 + TINY, 1 - TINY))


def _is_first(drawn: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """(r, p, k) bool of cosines (r, p, k)."""
    first = np.zeros(drawn.shape, bool)
    for columns in _columns(groups):
        nearest = columns[drawn[:, :, columns].argmax(2)]
        np.put_along_axis(first, nearest[:, :, None], True, 2)
    return first


def _columns(groups: Sequence[str]) -> list[np.ndarray]:
    """Places of every group's descriptors."""
    return [np.flatnonzero(np.array(groups) == group) for group in dict.fromkeys(groups)]
