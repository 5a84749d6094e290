"""Prompts as directions from a neutral one: bias towards one of two poles, with intervals over seeds and a
truth to hold it against (Zeng, Chen, Wong 2024, arXiv 2410.21314)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from une_ray.geometry.intervals import jackknife_margin
from une_ray.geometry.unit import unit_rows

LOW, HIGH = 2.5, 97.5  # percentiles of a 95 % interval
BLOCK = 32  # prompts whose directions without each seed are in memory at once


@dataclass(frozen=True, kw_only=True)
class Biases:
    """Per prompt (p,): the bias, its 95 % interval over seeds (NaN for fewer than two), and the bias by even
    and by odd seeds alone."""

    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    even: np.ndarray
    odd: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Spearman's ρ of biases with the truth, its 95 % interval over prompts, and the share of shuffled truths
    that reach |ρ|."""

    rho: float
    low: float
    high: float
    p: float


def biases(h: np.ndarray, neutral: np.ndarray, poles: np.ndarray) -> Biases:
    """cos(d, d₁) − cos(d, d₂) of every prompt, d = h(prompt) − h(neutral) and d₁, d₂ those of the poles.

    `h` (p, S, d), `neutral` (S, d) and `poles` (2, S, d) are of the same S seeds, each of which is left out
    of all three together: seeds are shared, so what they have in common leaves the differences. The
    interval is the jackknife's with Student's t, as far as such a difference goes, from −2 to 2. It holds
    in 92 to 95 of 100 where the noise of a mean over seeds is short beside the directions, in 77 to 87
    where it is as long, as noise shortens cosines (a bootstrap's in 50 to 60 of two seeds).
    """
    seeds = h.shape[1]
    mean = np.full((1, seeds), 1 / seeds)
    even, odd = (np.arange(seeds) % 2 == side for side in (0, 1))
    values = _biases(mean, h, neutral, poles)[0]
    if seeds < 2:
        missing = np.full(len(h), np.nan)
        return Biases(values=values, low=missing, high=missing, even=missing, odd=missing)
    halves = np.stack([even / even.sum(), odd / odd.sum()])
    without = leave_one_out(seeds)
    parts = [_biases(without, h[i : i + BLOCK], neutral, poles) for i in range(0, len(h), BLOCK)]
    half = jackknife_margin(np.concatenate(parts, 1))
    by_even, by_odd = _biases(halves, h, neutral, poles)
    return Biases(
        values=values,
        low=np.maximum(values - half, -2),
        high=np.minimum(values + half, 2),
        even=by_even,
        odd=by_odd,
    )


def leave_one_out(seeds: int) -> np.ndarray:
    """(S, S) weights of means over seeds, each without one of them."""
    return (1 - np.eye(seeds)) / (seeds - 1)


def agreement(values: np.ndarray, truth: np.ndarray, resamples: int = 1000, seed: int = 0) -> Agreement:
    """How biases (p,) rank prompts beside the truth (p,); the interval resamples prompts, `p` shuffles the
    truth among them. All NaN where the biases or the truth are the same of all prompts."""
    generator = np.random.default_rng(seed)
    rho = rank_correlation(values, truth)
    if np.isnan(rho):
        return Agreement(rho=rho, low=rho, high=rho, p=rho)
    chosen = generator.integers(0, len(values), (resamples, len(values)))
    drawn = np.array([rank_correlation(values[rows], truth[rows]) for rows in chosen])
    shuffled = np.array([rank_correlation(values, generator.permutation(truth)) for _ in range(resamples)])
    low, high = np.nanpercentile(drawn, (LOW, HIGH))
    p = (1 + np.sum(np.abs(shuffled) >= abs(rho))) / (1 + resamples)
    return Agreement(rho=rho, low=float(low), high=float(high), p=float(p))


def random_poles(
    h: np.ndarray, neutral: np.ndarray, truth: np.ndarray, draws: int = 500, seed: int = 0
) -> float:
    """|ρ| that nineteen in twenty random pairs of the prompts stay below as poles: what any two directions
    reach. `h` (p, d) and `neutral` (d,) are means over seeds."""
    generator, found = np.random.default_rng(seed), []
    for _ in range(draws):
        pair = generator.choice(len(h), 2, replace=False)
        others = np.setdiff1d(np.arange(len(h)), pair)
        values = _biases(np.ones((1, 1)), h[others, None], neutral[None], h[pair, None])[0]
        found.append(abs(rank_correlation(values, truth[others])))
    known = [rho for rho in found if not np.isnan(rho)]
    return float(np.percentile(known, 95)) if known else float("nan")


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's ρ; NaN where a side is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)


def _biases(weights: np.ndarray, h: np.ndarray, neutral: np.ndarray, poles: np.ndarray) -> np.ndarray:
    """(r, p): a bias per row of seeds' `weights` (r, S)."""
    at = weights @ neutral
    first, second = (unit_rows(weights @ pole - at) for pole in poles)
    directions = unit_rows(np.einsum("rs,psd->rpd", weights, h) - at[:, None])
    return np.einsum("rpd,rd->rp", directions, first - second)
