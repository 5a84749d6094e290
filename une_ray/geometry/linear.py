"""Methods that fit linear probes of all attributes of a space at once (paper 1, Linear probes).

An attribute's score is z·w + b, positive above zero. A new method is a function of `TrainData` and a row of
METHODS. In what follows n rows z have the means μ₁ and μ₀ in the two classes, Δ = μ₁ − μ₀, the scatter S =
Σ (z − z̄)(z − z̄)ᵀ about their common mean and W about the mean of either class; λ is a penalty times the
mean eigenvalue of S.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from une_ray.errors import UneError
from une_ray.geometry.cross_validation import best_for_each
from une_ray.geometry.gram import Gram
from une_ray.geometry.logistic import Rows, reduced, standardised
from une_ray.geometry.shifted import Shifted

PENALTIES = tuple(10.0**e for e in range(-4, 3))  # of ridge and lda
GUARD = 0.01  # of the rows: with fewer degrees of freedom left, cross-validation would choose by rounding


@dataclass(frozen=True)
class TrainData:
    """What a method may use: the Gram of the train rows' latents and labels ±1, those rows, and settings."""

    gram: Gram
    rows: Rows  # of z and labels 0 or 1
    penalties: Sequence[float] | None
    rank: int


@dataclass(frozen=True)
class Linear:
    """Scores z·w + b of k attributes: w (d, k), the rest (k,), float64.

    Probabilities are σ(slope · score + offset).
    """

    w: torch.Tensor
    b: torch.Tensor
    slope: torch.Tensor
    offset: torch.Tensor
    penalty: torch.Tensor | None
    converged: torch.Tensor  # bool
    rank: int | None = None


def ridge(train: TrainData) -> Linear:
    """Hoerl & Kennard 1970: w = (S + λI)⁻¹ Σ (z − z̄)(y − ȳ) of labels y = ±1.

    It minimises Σ (y − z·w − b)² + λ‖w‖². Each attribute's λ is that of least generalised cross-validation
    (`cross_validation`). One solve per λ serves all attributes and the degrees of freedom that are left:
    exactly, or where many dims let conjugate gradients be quicker, to a percent (`shifted`). Raises
    UneError for a λ that is not a finite number of at least 0, or at which S + λI is singular.
    """
    w, penalty = _ridge(train)
    return _calibrated(train.gram, w, train.gram.mean_y - train.gram.mean_z @ w, penalty)


def least_squares(train: TrainData) -> Linear:
    """Ridge at λ = 0. Raises UneError unless there are more rows than dims."""
    return ridge(replace(train, penalties=(0.0,)))


def lda(train: TrainData) -> Linear:
    """Hastie, Buja & Tibshirani 1995: Fisher's discriminant w = n (W + λI)⁻¹ Δ, whose score is the log odds.

    The direction is ridge's of the same λ, which cross-validation chooses, as W = S − c ΔΔᵀ; length and
    threshold differ.
    """
    gram = train.gram
    delta, middle, log_odds = _classes(gram)
    w, penalty = _ridge(train)
    w = w * 2 / gram.yy  # (S + λI)⁻¹ Δ
    w = gram.count * w / (1 - gram.yy / 4 * (delta * w).sum(0))  # from S to W: Sherman & Morrison 1950
    return _calibrated(gram, w, log_odds - (w * middle).sum(0), penalty)


def mean_difference(train: TrainData) -> Linear:
    """w = Δ, zero halfway between the means: discriminant analysis with identity covariance."""
    delta, middle, _ = _classes(train.gram)
    return _calibrated(train.gram, delta, -(delta * middle).sum(0))


def logistic(train: TrainData) -> Linear:
    """L2 logistic regression of standardised coordinates; reads the latents once per step, some 30 times."""
    penalty = _single(train.penalties)
    return _own_log_odds(*standardised(train.gram, train.rows, penalty), penalty)


def pca_logistic(train: TrainData) -> Linear:
    """Paper 1's chain, PCA → standardise → L2 logistic; rank at most that of the centred rows."""
    penalty, rank = _single(train.penalties), min(train.rank, train.gram.count - 1, len(train.gram.mean_z))
    return _own_log_odds(*reduced(train.gram, train.rows, penalty, rank), penalty, rank)


METHODS: dict[str, Callable[[TrainData], Linear]] = {
    "ridge": ridge,
    "least-squares": least_squares,
    "lda": lda,
    "mean-difference": mean_difference,
    "logistic": logistic,
    "pca-logistic": pca_logistic,
}


def scatter_up_to(method: str, device: str) -> float:
    """Dims up to which a method is given the scatter.

    Of more, PCA reads the rows again and again: less work, and no d² numbers in memory.
    """
    return math.inf if method != "pca-logistic" else 8192 if device == "cpu" else 16384


def _ridge(train: TrainData) -> tuple[torch.Tensor, torch.Tensor]:
    """w (d, k), and the penalties (k,) that cross-validation chose."""
    gram, S = train.gram, train.gram.scatter()
    dim, unit = len(S), S.trace().item() / len(S)
    penalties = _checked(train.penalties or PENALTIES, gram.count, dim)
    system = Shifted(S, gram.zy, gram.count if len(penalties) > 1 else None)

    def fit(penalty: float) -> tuple[torch.Tensor, torch.Tensor, float]:
        try:
            w, freedom = system.solve(penalty * unit)
        except torch.linalg.LinAlgError as error:
            advice = "some coordinates depend on others; give ridge a larger λ"
            raise UneError(f"the latents' scatter is singular at λ = {penalty:g}, as {advice}") from error
        return w, gram.yy - (gram.zy * w).sum(0) - penalty * unit * w.square().sum(0), freedom

    return best_for_each(penalties, gram.count, fit, GUARD)


def _checked(penalties: Sequence[float], rows: int, dim: int) -> Sequence[float]:
    if not all(0 <= penalty < math.inf for penalty in penalties):
        shown = sorted(penalties, reverse=True)
        raise UneError(f"penalties {shown}: every λ must be a finite number, at least 0")
    if min(penalties) == 0 and rows <= dim:
        raise UneError(
            f"λ = 0 needs more train rows than the {dim} dims, but there are {rows}; give ridge a λ > 0"
        )
    return penalties


def _classes(gram: Gram) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Δ (d, k), (μ₁ + μ₀) / 2 (d, k) and the log odds (k,) of the classes."""
    delta = 2 * gram.zy / gram.yy
    middle = gram.mean_z[:, None] - gram.mean_y * delta / 2
    return delta, middle, ((1 + gram.mean_y) / (1 - gram.mean_y)).log()


def _calibrated(gram: Gram, w: torch.Tensor, b: torch.Tensor, penalty: torch.Tensor | None = None) -> Linear:
    """With the probabilities of scores that are Gaussian in each class with one variance.

    All from the train rows' Gram.
    """
    delta, middle, log_odds = _classes(gram)
    gap = (delta * w).sum(0)
    within = ((w * (gram.scatter() @ w)).sum(0) - gram.yy / 4 * gap**2) / (gram.count - 2)
    slope = gap / torch.maximum(within, 1e-12 * gap**2)  # classes that don't overlap have no finite slope
    offset = log_odds - slope * ((middle * w).sum(0) + b)
    return Linear(w, b, slope, offset, penalty, torch.ones_like(b, dtype=torch.bool))


def _own_log_odds(
    w: torch.Tensor, b: torch.Tensor, converged: torch.Tensor, penalty: float, rank: int | None = None
) -> Linear:
    """Of logistic regression, whose scores are log odds as they are."""
    one = torch.ones_like(b)
    return Linear(w, b, one, 0 * one, penalty * one, converged, rank)


def _single(penalties: Sequence[float] | None) -> float:
    penalties = penalties or (1.0,)
    if len(penalties) > 1 or not 0 < penalties[0] < math.inf:
        raise UneError(
            f"logistic regression takes one penalty 1/C > 0, not {list(penalties)}; run it once for each"
        )
    return penalties[0]
