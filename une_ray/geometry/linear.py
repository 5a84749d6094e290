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
from typing import TypeAlias

import torch

from une_ray.errors import UneError
from une_ray.geometry.arrays import Booleans
from une_ray.geometry.cross_validation import best_for_each
from une_ray.geometry.gram import Gram, Rows, centred, column_sums, in_panels
from une_ray.geometry.left_out import Fitted, best_ridge, of_mean_difference
from une_ray.geometry.logistic import reduced, standardised
from une_ray.geometry.scales import evening, rescaled, variances
from une_ray.geometry.shifted import DIRECT, Shifted
from une_ray.geometry.spectral import Spectrum

PENALTIES = tuple(10.0**e for e in range(-4, 3))  # of ridge and lda
SINGULAR = (
    "the latents' scatter is singular at λ = {:g}, as some coordinates depend on others; give ridge a larger"
    " λ"
)
GUARD = 0.01  # of the rows: with fewer degrees of freedom left, cross-validation would choose by rounding
EXACT = 8192  # dims up to which an eigendecomposition is worth while where groups are to be left out


@dataclass(frozen=True)
class TrainData:
    """What a method may use: the Gram of the train rows' latents and labels ±1, those rows, and settings.

    The Gram has a scatter as `train_rows` says.

    `copies` is how many train rows there are of one picture, on average: λ is chosen as of one row of each.
    `groups` (n,) are whole numbers of the train rows, where rows of one are alike but not equal.
    """

    gram: Gram
    rows: Rows  # of z and labels 0 or 1
    penalties: Sequence[float] | None
    rank: int
    copies: float = 1.0
    groups: torch.Tensor | None = None


@dataclass(frozen=True)
class Alike:
    """Of rows that were fitted on, the equal ones among them, themselves included: their number (b, 1), and
    the sum (b, k) of their labels ±1."""

    count: torch.Tensor
    labels: torch.Tensor

    def of(self, rows: Booleans) -> Alike:
        """Of some of the rows."""
        chosen = torch.as_tensor(rows)
        return Alike(self.count[chosen], self.labels[chosen])


HeldOut: TypeAlias = "Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Alike], torch.Tensor]"
"""Of train rows z (b, d), their scores (b, k) and labels ±1 (b, k) of the first k attributes, and what is
alike among the train rows: the scores (b, k) that fits without the rows that are alike give them."""


@dataclass(frozen=True)
class Linear:
    """Scores z·w + b of k attributes: w (d, k), the rest (k,), float64.

    Probabilities are σ(slope · score + offset), whose slope and offset are one and zero until scores of rows
    that were not fitted on say better (`calibration`). `held_out` makes such scores of rows that were, where
    that has a closed form for a row and its copies; `is_calibrated` where groups were left out already.
    """

    w: torch.Tensor
    b: torch.Tensor
    slope: torch.Tensor
    offset: torch.Tensor
    penalty: torch.Tensor | None
    converged: torch.Tensor  # bool
    rank: int | None = None
    held_out: HeldOut | None = None
    is_calibrated: bool = False


def ridge(train: TrainData) -> Linear:
    """Hoerl & Kennard 1970: w = (S + λI)⁻¹ Σ (z − z̄)(y − ȳ) of labels y = ±1.

    It minimises Σ (y − z·w − b)² + λ‖w‖². Each attribute's λ is that of least generalised cross-validation
    (`cross_validation`) among all of them, whatever other attributes are fitted beside it: by one
    eigendecomposition (`spectral`), or of many rows and dims by a system for every λ (`shifted`). With groups
    it is that of least squared error of rows without their group (`left_out`). Raises UneError for a λ that
    is not a finite number of at least 0, or at which S + λI is singular. Where coordinates' variances differ
    by orders of magnitude (`scales`), of which no λ would leave the small ones, they are standardised.
    """
    return _on_one_scale(_plain_ridge, train)


def _plain_ridge(train: TrainData) -> Linear:
    fitted = _ridge(train)
    return _linear(fitted.w, fitted.b, fitted.penalty, fitted.held_out, fitted.calibration)


def least_squares(train: TrainData) -> Linear:
    """Ridge at λ = 0. Raises UneError unless there are more rows than dims."""
    return ridge(replace(train, penalties=(0.0,)))


def lda(train: TrainData) -> Linear:
    """Hastie, Buja & Tibshirani 1995: Fisher's discriminant w = n (W + λI)⁻¹ Δ, whose score is the log odds.

    The direction is ridge's of the same λ, which cross-validation chooses, as W = S − c ΔΔᵀ, and standardised
    where ridge is; length and threshold differ.
    """
    return _on_one_scale(_plain_lda, train)


def _plain_lda(train: TrainData) -> Linear:
    gram = train.gram
    delta, middle, log_odds = _classes(gram)
    fitted = _ridge(train)
    towards = fitted.w * 2 / gram.yy  # (S + λI)⁻¹ Δ
    # From S to W: Sherman & Morrison 1950.
    length = gram.count * 2 / gram.yy / (1 - gram.yy / 4 * column_sums(delta * towards))
    w = length * fitted.w
    b = log_odds - column_sums(w * middle)

    def held_out(z: torch.Tensor, scores: torch.Tensor, y: torch.Tensor, alike: Alike) -> torch.Tensor:
        """Ridge's, at the length and threshold of all rows."""
        k = scores.shape[1]
        as_ridge = (scores - b[:k]) / length[:k] + fitted.b[:k]
        return length[:k] * (fitted.held_out(z, as_ridge, y, alike) - fitted.b[:k]) + b[:k]

    calibration = fitted.calibration
    if calibration:
        slope = calibration[0] / length
        calibration = slope, calibration[1] + calibration[0] * fitted.b - slope * b
    return _linear(w, b, fitted.penalty, held_out, calibration)


def mean_difference(train: TrainData) -> Linear:
    """w = Δ, zero halfway between the means: discriminant analysis with identity covariance."""
    gram = train.gram
    delta, middle, _ = _classes(gram)
    count, mean_z, mean_y = gram.count, gram.mean_z, gram.mean_y  # without the scatter

    def held_out(z: torch.Tensor, scores: torch.Tensor, y: torch.Tensor, alike: Alike) -> torch.Tensor:
        """Without c equal rows a class' mean lies ec / (m − c) further from them, e from the mean of m."""
        k = y.shape[1]
        ours = (1 + y * mean_y[:k]) / 2  # the share of the row's own class
        length = column_sums(delta[:, :k].square()).sqrt()
        to_mean = y * (1 - ours) * length  # from z̄ to it, along ±Δ
        centred = z - mean_z
        along = (centred @ in_panels(delta[:, :k]))[:, :k] / length
        distance = centred.square().sum(1, keepdim=True) - along.square() + (along - to_mean).square()
        removed = (alike.count + y * alike.labels) / 2  # of the row's own class
        further = removed / (count * ours - removed).clamp_min(1)
        return scores - y * distance * (further + 0.5 * further**2)

    of_groups = (
        of_mean_difference(train.rows, train.groups, gram, delta) if train.groups is not None else None
    )
    return _linear(delta, -column_sums(delta * middle), None, held_out, of_groups)


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
RIDGES = ("ridge", "least-squares", "lda")


@dataclass(frozen=True)
class _Ridge:
    """Weights (d, k), intercepts and chosen penalties (k,), and what rows weigh in their own fit."""

    w: torch.Tensor
    b: torch.Tensor
    penalty: torch.Tensor
    mean_z: torch.Tensor
    count: int
    leverages: Callable[[torch.Tensor, float], torch.Tensor]  # centred rows (b, d), λ's penalty → (b,)
    calibration: tuple[torch.Tensor, torch.Tensor] | None = None  # slope and offset (k,), of groups

    def held_out(self, z: torch.Tensor, scores: torch.Tensor, y: torch.Tensor, alike: Alike) -> torch.Tensor:
        """Leave-one-out scores y − r / (1 − ch) of residuals r and leverages h (Allen 1974); y is the mean of
        c equal rows' labels."""
        centred, penalty = z - self.mean_z, self.penalty[: y.shape[1]]
        h = torch.empty_like(scores)
        for each in penalty.unique().tolist():
            h[:, penalty == each] = self.leverages(centred, each)[:, None] + 1 / self.count
        mean = alike.labels / alike.count
        return mean - (mean - scores) / (1 - alike.count * h).clamp_min(1e-9)


def _ridge(train: TrainData) -> _Ridge:
    """Every λ is tried; each attribute gets the one that cross-validation chooses for it alone."""
    gram, dim = train.gram, len(train.gram.mean_z)
    penalties = _checked(train.penalties or PENALTIES, gram.count, dim)
    if not gram.has_scatter:
        solved = _by_spectrum(train, Spectrum.of_rows(centred(gram, train.rows), gram.zy), penalties)
    elif dim <= (DIRECT if train.groups is None else EXACT):
        solved = _by_spectrum(train, Spectrum.of(gram.scatter(), gram.zy), penalties)
    else:
        solved = _by_systems(train, gram.scatter(), penalties)
    w, penalty, leverages, calibration = solved
    b = gram.mean_y - column_sums(gram.mean_z[:, None] * w)
    return _Ridge(w, b, penalty, gram.mean_z, gram.count, leverages, calibration)


_Leverages: TypeAlias = "Callable[[torch.Tensor, float], torch.Tensor]"
_Solved: TypeAlias = "tuple[torch.Tensor, torch.Tensor, _Leverages, tuple[torch.Tensor, torch.Tensor] | None]"


def _by_spectrum(train: TrainData, spectrum: Spectrum, penalties: Sequence[float]) -> _Solved:
    gram = train.gram
    unit = spectrum.values.sum().item() / len(gram.mean_z)
    for penalty in penalties:
        if spectrum.is_singular(penalty * unit):
            raise UneError(SINGULAR.format(penalty))
    leverages = lambda centred, penalty: spectrum.leverages(centred, penalty * unit)  # noqa: E731
    if train.groups is not None:
        penalties = sorted(penalties, reverse=True)
        damped = [(spectrum.values + penalty * unit)[:, None] for penalty in penalties]
        fits = [Fitted(spectrum.right / each, each[:, 0].rsqrt()) for each in damped]
        w, places, calibration = _best_of_groups(train, fits, lambda centred: centred @ spectrum.vectors)
        w = (spectrum.vectors @ in_panels(w))[:, : len(gram.yy)]
    else:
        shifts, calibration = [penalty * unit for penalty in penalties], None
        w, places = spectrum.best(shifts, gram.count, gram.yy, GUARD, train.copies)
    chosen = torch.tensor(penalties, dtype=torch.float64, device=w.device)[places]
    return w, chosen, leverages, calibration


def _best_of_groups(
    train: TrainData, fits: list[Fitted], turned: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """Each attribute's weights (d, k), turned, and their places (k,) among `fits`; slope and offset (k,)."""
    assert train.groups is not None
    places, *calibration = best_ridge(train.rows, train.groups, train.gram, fits, turned, GUARD)
    w = fits[0].weights[:, : len(places)]
    for place, fit in enumerate(fits[1:], 1):
        w = torch.where(places == place, fit.weights[:, : len(places)], w)
    return w, places, (calibration[0], calibration[1])


def _by_systems(train: TrainData, S: torch.Tensor, penalties: Sequence[float]) -> _Solved:
    """Of many dims: a system for every λ.

    Their leverages are in proportion to the rows' squared lengths, as far as few directions hold the
    variance, and those of groups to products of rows, as they are wherever S is near a multiple of the
    identity.
    """
    gram, unit = train.gram, S.trace().item() / len(S)
    system, freedoms = Shifted(S, gram.zy, gram.count), dict[float, float]()

    def fit(penalty: float) -> tuple[torch.Tensor, torch.Tensor, float]:
        try:
            w, freedoms[penalty] = system.solve(penalty * unit)
        except torch.linalg.LinAlgError as error:
            raise UneError(SINGULAR.format(penalty)) from error
        residual = gram.yy - column_sums(gram.zy * w) - penalty * unit * column_sums(w.square())
        return w, residual, gram.count - train.copies * (gram.count - freedoms[penalty])

    # By themselves: with the Gram they would keep d² numbers for as long as there are leverages to ask for.
    count, spread = gram.count, gram.spread
    rank = (S.trace() ** 2 / S.square().sum()).item()  # the directions that hold most of the variance

    def used(penalty: float) -> float:
        return min(max(count - 1 - freedoms[penalty], 0.0), count - 1)

    def per_length(penalty: float) -> float:
        return used(penalty) / spread

    calibration = None
    if train.groups is None:
        w, chosen = best_for_each(penalties, gram.count, fit, GUARD)
    else:
        penalties = sorted(penalties, reverse=True)
        weights = [in_panels(fit(penalty)[0]) for penalty in penalties]
        scales = [torch.full_like(gram.mean_z, per_length(penalty)).sqrt() for penalty in penalties]
        fits = [Fitted(*each, 0.99) for each in zip(weights, scales)]
        w, places, calibration = _best_of_groups(train, fits, lambda centred: centred)
        chosen = torch.tensor(penalties, dtype=torch.float64, device=S.device)[places]

    def leverages(centred: torch.Tensor, penalty: float) -> torch.Tensor:
        along = min(used(penalty), rank) / spread * centred.square().sum(1)
        return (along + max(used(penalty) - rank, 0.0) / count).clamp_max(0.99)

    return w, chosen, leverages, calibration


def _on_one_scale(method: Callable[[TrainData], Linear], train: TrainData) -> Linear:
    """Fitted to coordinates of variance 1 where their variances differ by orders, and folded back."""
    gram = train.gram
    scale = evening(variances(gram, train.rows), gram.mean_z)
    if scale is None:
        return method(train)
    even, rows = rescaled(gram, train.rows, scale, exact=not gram.has_scatter)
    fitted = method(replace(train, gram=even, rows=rows))
    held_out = fitted.held_out
    assert held_out is not None
    return replace(
        fitted,
        w=scale[:, None] * fitted.w,
        held_out=lambda z, scores, y, alike: held_out(z * scale, scores, y, alike),
    )


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


def _linear(
    w: torch.Tensor,
    b: torch.Tensor,
    penalty: torch.Tensor | None,
    held_out: HeldOut,
    calibration: tuple[torch.Tensor, torch.Tensor] | None,
) -> Linear:
    one = torch.ones_like(b)
    slope, offset = calibration or (one, 0 * one)
    return Linear(
        w, b, slope, offset, penalty, one.bool(), held_out=held_out, is_calibrated=calibration is not None
    )


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
