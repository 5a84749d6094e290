"""Methods that fit linear probes of all attributes of a space at once (paper 1, Linear probes).

An attribute's score is z·w + b, positive above zero. A new method is a function of `Train` and a row of METHODS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from une_ray.errors import UneError
from une_ray.geometry.gram import Gram
from une_ray.geometry.logistic import Rows, Solution, reduced, standardised
from une_ray.geometry.shifted import Shifted

PENALTIES = tuple(
    10.0**e for e in range(-4, 3)
)  # of ridge and lda, in units of the scatter's mean eigenvalue


@dataclass(frozen=True)
class Train:
    """What a method may use: the Gram of the train rows' latents and labels ±1, those rows again, and the caller's settings."""

    gram: Gram
    rows: Rows  # of z and labels 0 or 1
    penalties: Sequence[float] | None
    rank: int


@dataclass(frozen=True)
class Linear:
    """Scores z·w + b of k attributes: w (d, k), the rest (k,), float64; probabilities are σ(slope · score + offset)."""

    w: torch.Tensor
    b: torch.Tensor
    slope: torch.Tensor
    offset: torch.Tensor
    penalty: torch.Tensor | None
    converged: torch.Tensor  # bool
    rank: int | None = None


def ridge(train: Train) -> Linear:
    """Ridge regression of ±1, each attribute's λ by generalised cross-validation (Golub, Heath & Wahba 1979).

    Minimises Σ (y − z·w − b)² + λ‖w‖², where λ is a penalty times the scatter's mean eigenvalue. One solve per λ serves all attributes
    and the degrees of freedom that are left: exactly, or where many dims let conjugate gradients be quicker, to a percent (`shifted`).
    """
    return _calibrated(train.gram, *_ridge(train))


def least_squares(train: Train) -> Linear:
    """Ridge at λ = 0. Raises UneError unless there are more rows than dims."""
    return ridge(replace(train, penalties=(0.0,)))


def lda(train: Train) -> Linear:
    """Fisher's discriminant with pooled within-class covariance (W + λI) / n, score = log odds (Hastie, Buja & Tibshirani 1995).

    The direction is ridge's of the same λ, which cross-validation chooses, since W = S − c ΔΔᵀ; length and threshold differ.
    """
    gram = train.gram
    w, _, penalty = _ridge(train)
    delta, middle, log_odds = _classes(gram)
    w = w * 2 / gram.yy  # (S + λI)⁻¹ Δ
    w = gram.count * w / (1 - gram.yy / 4 * (delta * w).sum(0))  # Sherman and Morrison's step from S to W
    return _calibrated(gram, w, log_odds - (w * middle).sum(0), penalty)


def mean_difference(train: Train) -> Linear:
    """w = μ₁ − μ₀, zero halfway between the means: discriminant analysis with identity covariance."""
    delta, middle, _ = _classes(train.gram)
    return _calibrated(train.gram, delta, -(delta * middle).sum(0))


def logistic(train: Train) -> Linear:
    """L2 logistic regression of standardised coordinates; reads the latents once per step, some 30 times."""
    penalty = _single(train.penalties)
    return _logistic(standardised(train.gram, train.rows, penalty), penalty)


def pca_logistic(train: Train) -> Linear:
    """The paper's chain, PCA → standardise → L2 logistic; rank at most that of the centred rows."""
    penalty, rank = _single(train.penalties), min(train.rank, train.gram.count - 1, len(train.gram.mean_z))
    return _logistic(reduced(train.gram, train.rows, penalty, rank), penalty, rank)


METHODS: dict[str, Callable[[Train], Linear]] = {
    "ridge": ridge,
    "least-squares": least_squares,
    "lda": lda,
    "mean-difference": mean_difference,
    "logistic": logistic,
    "pca-logistic": pca_logistic,
}


def scatter_up_to(method: str, device: str) -> float:
    """Dims up to which a method is told the scatter; of more, PCA reads the rows again and again: less work, and no d² numbers in memory."""
    return math.inf if method != "pca-logistic" else 8192 if device == "cpu" else 16384


def _ridge(train: Train) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """w (d, k), b (k,) and the penalty (k,) of least generalised cross-validation n RSS / (n − dof)², down to one that serves none better."""
    gram, scatter = train.gram, train.gram.scatter()
    dim, count, unit = len(scatter), gram.count, scatter.trace().item() / len(scatter)
    penalties = sorted((train.penalties or PENALTIES), reverse=True)
    if not all(0 <= penalty < math.inf for penalty in penalties):
        raise UneError(f"penalties {penalties}: every λ must be a finite number, at least 0")
    if penalties[-1] == 0 and count <= dim:
        raise UneError(
            f"λ = {penalties[-1]:g} needs more train rows than the {dim} dims, but there are {count}; give ridge a λ > 0"
        )
    shifted = Shifted(scatter, gram.zy, count if len(penalties) > 1 else None)
    least, w, chosen = (
        torch.full_like(gram.yy, torch.inf),
        torch.zeros_like(gram.zy),
        torch.zeros_like(gram.yy),
    )
    for i, penalty in enumerate(penalties):
        try:
            found, free = shifted.solve(penalty * unit)
        except torch.linalg.LinAlgError as error:
            advice = "some coordinates depend on others; give ridge a larger λ"
            raise UneError(f"the latents' scatter is singular at λ = {penalty:g}, as {advice}") from error
        residual = gram.yy - (gram.zy * found).sum(0) - penalty * unit * found.square().sum(0)
        # With hardly a degree of freedom left the criterion is 0/0, and rounding would choose; the largest λ stands in any case.
        score = (
            count * residual / free**2
            if free and free > 0.01 * count
            else torch.full_like(residual, torch.inf)
        )
        better = score < least if i else torch.ones_like(least, dtype=torch.bool)
        if not better.any():
            break
        least, chosen, w = (
            torch.where(better, score, least),
            torch.where(better, penalty, chosen),
            torch.where(better, found, w),
        )
    return w, gram.mean_y - gram.mean_z @ w, chosen


def _classes(gram: Gram) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Δ = μ₁ − μ₀ (d, k), (μ₁ + μ₀) / 2 (d, k) and the log odds (k,) of the classes."""
    delta = 2 * gram.zy / gram.yy
    return (
        delta,
        gram.mean_z[:, None] - gram.mean_y * delta / 2,
        ((1 + gram.mean_y) / (1 - gram.mean_y)).log(),
    )


def _calibrated(gram: Gram, w: torch.Tensor, b: torch.Tensor, penalty: torch.Tensor | None = None) -> Linear:
    """With the probabilities of scores that are Gaussian in each class with one variance, all from the train rows' Gram."""
    delta, middle, log_odds = _classes(gram)
    gap = (delta * w).sum(0)
    within = ((w * (gram.scatter() @ w)).sum(0) - gram.yy / 4 * gap**2) / (gram.count - 2)
    slope = gap / torch.maximum(within, 1e-12 * gap**2)  # classes that don't overlap have no finite slope
    return Linear(
        w,
        b,
        slope,
        log_odds - slope * ((middle * w).sum(0) + b),
        penalty,
        torch.ones_like(b, dtype=torch.bool),
    )


def _logistic(solution: Solution, penalty: float, rank: int | None = None) -> Linear:
    w, b, converged = solution
    one = torch.ones_like(b)
    return Linear(w, b, one, 0 * one, penalty * one, converged, rank)


def _single(penalties: Sequence[float] | None) -> float:
    penalties = penalties or (1.0,)
    if len(penalties) > 1 or not 0 < penalties[0] < math.inf:
        raise UneError(
            f"logistic regression takes one penalty 1/C > 0, not {list(penalties)}; run it once for each"
        )
    return penalties[0]
