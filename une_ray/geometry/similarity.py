"""How alike are two spaces of the same images? Five measures, each beside what shuffled pairs reach.

Every one of them drifts with the number of rows and dims (arXiv 2602.14486, 2604.18572), so none is read
without its permutation null: the same measure of the same rows in mixed-up pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from une_ray.errors import UneError
from une_ray.geometry.arrays import AnyFloats, Floats, Integers
from une_ray.geometry.fidelity import Halves, ridge_r2
from une_ray.geometry.pairing import DIGITS, nearest_others
from une_ray.geometry.unit import unit_rows

NEIGHBOURS, COMPONENTS, PAIRED_ROWS = 10, 32, 512
FEWEST = 4 * NEIGHBOURS

Paired = Callable[[Integers], float]
"""The measure with row i of the first space beside row `order[i]` of the second."""


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """A measure's value, and mean and standard deviation over `permutations` mixed-up pairings.

    `p_value`: the share of pairings at random that are as alike (the true one counted), one-sided.
    """

    value: float
    null_mean: float
    null_sd: float
    p_value: float
    permutations: int

    @property
    def excess(self) -> float:
        """What is left without what mixed-up pairs reach."""
        return self.value - self.null_mean

    @property
    def deviations(self) -> float:
        """The excess in the null's standard deviations."""
        return self.excess / self.null_sd if self.null_sd > 0 else np.nan


def cka(a: AnyFloats, b: AnyFloats) -> Paired:
    """Linear centred kernel alignment (Kornblith et al. 2019): ‖AᵀB‖² / (‖AᵀA‖·‖BᵀB‖)."""
    a, b = (z - z.mean(0) for z in (np.asarray(a, np.float64), np.asarray(b, np.float64)))
    if len(a) < a.shape[1] + b.shape[1]:  # by kernels of n × n, which are the smaller then
        one, other = a @ a.T, b @ b.T
        scale = np.linalg.norm(one) * np.linalg.norm(other)
        return lambda order: float((one * other[np.ix_(order, order)]).sum() / scale)
    scale = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return lambda order: float(np.square(a.T @ b[order]).sum() / scale)


def mutual_neighbours(a: AnyFloats, b: AnyFloats) -> Paired:
    """Mean share of an image's ten nearest by cosine that are the same in both (Huh et al. 2024).

    Ties are broken at random in each by itself, so that spaces of few distinct vectors are alike by chance.
    """
    centred = (z - z.mean(0) for z in (_wide(a), _wide(b)))
    one, other = (nearest_others(z, z, NEIGHBOURS, seed) for seed, z in enumerate(centred))

    def paired(order: Integers) -> float:
        place = np.argsort(order)  # row i of b stands at place[i]
        turned = place[other[order]]
        return float((one[:, :, None] == turned[:, None, :]).any(2).mean())

    return paired


def canonical_correlation(a: AnyFloats, b: AnyFloats) -> Paired:
    """Mean squared canonical correlation of both spaces' leading components (SVCCA, Raghu et al. 2017).

    32 of them, or an eighth of the rows.
    """
    one, other = (_whitened(_wide(z)) for z in (a, b))
    rank = min(one.shape[1], other.shape[1])
    return lambda order: float(np.square(one.T @ other[order]).sum() / rank)


def transfer(a: AnyFloats, b: AnyFloats) -> Paired:
    """R² of ridge maps on the half of the rows that they were not fitted on, mean of both ways."""
    one, other = Halves.of(a), Halves.of(b)
    there, back = ridge_r2(one, other), ridge_r2(other, one)
    half = len(one.train)

    def paired(order: Integers) -> float:
        kept = order[order < half]  # the fitted half is mixed up, the pairs that it is measured on are true
        return (there(kept) + back(np.argsort(kept))) / 2

    return paired


def rank_correlation(a: AnyFloats, b: AnyFloats) -> Paired:
    """Spearman's correlation of all cosines between 512 images at most (Kriegeskorte et al. 2008).

    Cosines that are the same to nine digits are ties, as many are in spaces of few distinct vectors.
    """
    one, other = (unit_rows(z[:PAIRED_ROWS] - z[:PAIRED_ROWS].mean(0)) for z in (_wide(a), _wide(b)))
    upper = np.triu_indices(len(one), 1)
    ranks, others = (_standard(rankdata(np.round((z @ z.T)[upper], DIGITS))) for z in (one, other))
    square = np.zeros((len(one), len(one)))
    square[upper] = others
    square += square.T

    def paired(order: Integers) -> float:
        kept = order[order < len(one)]
        return float((ranks * square[np.ix_(kept, kept)][upper]).mean())

    return paired


MEASURES: Mapping[str, Callable[[AnyFloats, AnyFloats], Paired]] = {
    "cka": cka,
    "cca": canonical_correlation,
    "transfer": transfer,
    "mutual-neighbours": mutual_neighbours,
    "rank-correlation": rank_correlation,
}


MOST_ROWS: Mapping[str, int] = {"rank-correlation": PAIRED_ROWS}
"""Measures that look at so many rows at most, however many there are: of more they are no other figure."""


def similarity(a: AnyFloats, b: AnyFloats, measure: str, permutations: int = 20, seed: int = 0) -> Similarity:
    """One measure of rows `a` (n, d_a) and `b` (n, d_b), row i of each of one image.

    Raises UneError for unpaired rows, fewer than forty, and a space that does not vary.
    """
    if len(a) != len(b) or len(a) < FEWEST:
        raise UneError(f"a similarity needs pairs of rows, {FEWEST} or more; got {len(a)} and {len(b)}")
    if not all(np.isfinite(z).all() and np.ptp(z, axis=0).max() > 0 for z in (a, b)):
        raise UneError("a space is the same for every image, or not finite; there is nothing to compare")
    return against_null(MEASURES[measure](a, b), len(a), permutations, seed)


def against_null(paired: Paired, rows: int, permutations: int, seed: int = 0) -> Similarity:
    """A measure in the true pairing of `rows`, and in as many mixed-up ones."""
    random = np.random.default_rng(seed)
    value = paired(np.arange(rows))
    null = np.array([paired(random.permutation(rows)) for _ in range(permutations)])
    return Similarity(
        value=value,
        null_mean=float(null.mean()),
        null_sd=float(null.std(ddof=1)) if permutations > 1 else 0.0,
        p_value=float((1 + (null >= value - 1e-12).sum()) / (1 + permutations)),
        permutations=permutations,
    )


def _wide(z: AnyFloats) -> Floats:
    return np.asarray(z, np.float64)


def _whitened(z: Floats) -> Floats:
    """(n, r) orthonormal scores on the leading components."""
    rank = max(1, min(COMPONENTS, len(z) // 8, z.shape[1]))
    u, values, _ = np.linalg.svd(z - z.mean(0), full_matrices=False)
    return u[:, :rank][:, values[:rank] > 1e-9 * values[0]]


def _standard(values: Floats) -> Floats:
    spread = values.std()
    return (values - values.mean()) / (spread if spread > 0 else 1)
