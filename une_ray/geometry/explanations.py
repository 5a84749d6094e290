"""Which words does a direction point to? Phrases of captions by the correlation of their presence with the
projection, beside what shuffled captions and random directions reach."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 0.02  # of the captions, and as much of those without: rarer phrases correlate by chance
QUANTILE = 95


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """`correlations` (k,) of the `phrases` with the projection; `shuffled` and `random` are what the
    strongest phrase reaches in 95 of 100 shuffles of the captions and of random directions, `random_p` the
    share of random directions whose strongest phrase is as strong."""

    phrases: list[str]
    shares: np.ndarray
    correlations: np.ndarray
    shuffled: float
    random: float
    random_p: float


def explain(
    z: np.ndarray, captions: Sequence[str], w: np.ndarray, draws: int = 200, seed: int = 0
) -> Explanation:
    """Of latents z (n, d), their captions (n) and a direction w (d,)."""
    phrases, present = phrases_of(captions)
    shares = present.mean(0)
    words = _standardised(present.astype(np.float32))
    centred = z - z.mean(0)
    correlations = words.T @ _standardised((centred @ w)[:, None])[:, 0] / len(z)
    generator = np.random.default_rng(seed)
    projection = _standardised((centred @ w)[:, None])
    orders = np.stack([generator.permutation(len(z)) for _ in range(draws)], 1)
    shuffled = _strongest(words, projection[:, 0][orders])
    others = _standardised(centred @ generator.normal(size=(z.shape[1], draws)).astype(np.float32))
    random = _strongest(words, others)
    reached = np.abs(correlations).max(initial=0)
    return Explanation(
        phrases=phrases,
        shares=shares,
        correlations=correlations,
        shuffled=float(np.percentile(shuffled, QUANTILE)),
        random=float(np.percentile(random, QUANTILE)),
        random_p=float((1 + np.sum(random >= reached)) / (1 + draws)),
    )


def phrases_of(captions: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Words and pairs of neighbours that some but not nearly all captions have, and (n, k) bool where; of
    phrases in the very same captions the longest."""
    found = [_phrases(caption) for caption in captions]
    counts = Counter(phrase for phrases in found for phrase in phrases)
    least = max(2.0, LEAST * len(captions))
    kept = sorted(phrase for phrase, n in counts.items() if least <= n <= len(captions) - least)
    present = np.array([[phrase in phrases for phrase in kept] for phrases in found], bool)
    present = present.reshape(len(captions), len(kept))
    longest: dict[bytes, int] = {}
    for column, phrase in enumerate(kept):
        key = present[:, column].tobytes()
        if key not in longest or len(phrase) > len(kept[longest[key]]):
            longest[key] = column
    columns = sorted(longest.values())
    return [kept[column] for column in columns], present[:, columns]


def _phrases(caption: str) -> set[str]:
    words = re.findall(r"\w+", caption.lower())
    return {*words, *map(" ".join, zip(words, words[1:]))}


def _strongest(words: np.ndarray, projections: np.ndarray) -> np.ndarray:
    """(r,) max |correlation| over phrases (n, k), for standardised projections (n, r)."""
    return np.abs(words.T @ projections / len(words)).max(0, initial=0)


def _standardised(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(0)) / np.maximum(x.std(0), 1e-12)
