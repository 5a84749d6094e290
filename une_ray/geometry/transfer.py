"""Ridge maps between spaces (paper 1, cross-space transfer): every pair, both ways, from one pass over the rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import linalg
from scipy.stats import rankdata

from une_ray.errors import UneError

PENALTIES = np.logspace(
    -5, 6, 45
)  # in units of the source's mean eigenvalue; the ends are interpolation and the mean predictor
ROUNDING = 1e-12  # eigenvalues below this share of the largest are rounding, as those of a space with fewer rows than dims


@dataclass(frozen=True)
class LinearMap:
    """z ↦ z·weight + intercept: `weight` (source dim, target dim), `intercept` (target dim,), both float64."""

    weight: np.ndarray
    intercept: np.ndarray
    penalty: float | None = None

    def __call__(self, z: np.ndarray) -> np.ndarray:
        return z @ self.weight + self.intercept

    def pull_back(self, probes: Probes) -> Probes:
        """Probes of the target as probes of the source: the same scores, with no mapped row in between."""
        return Probes(probes.attributes, self.weight @ probes.w, self.intercept @ probes.w + probes.b)


@dataclass(frozen=True)
class Probes:
    """Linear readings of one space: `w` (dim, k) and `b` (k,) of k attributes."""

    attributes: list[str]
    w: np.ndarray
    b: np.ndarray

    def __call__(self, z: np.ndarray) -> np.ndarray:
        return z @ self.w + self.b


class JointMoments:
    """Means and second moments of several spaces over the same images, in float64.

    Memory is 16·(Σ dim)² bytes however many the rows. A second product pairs every image with another of its batch: the
    shuffled pairing that a map must beat, with the very same means and Gram matrices.
    """

    def __init__(self, dims: dict[str, int], seed: int = 0) -> None:
        ends = np.cumsum([0, *dims.values()])
        self.columns = {space: slice(*ends[i : i + 2]) for i, space in enumerate(dims)}
        self.rows, self.sums = 0, np.zeros(ends[-1])
        self.products, self.shuffled = np.zeros((2, ends[-1], ends[-1]))
        self.random = np.random.default_rng(seed)

    def add(self, batch: dict[str, np.ndarray]) -> None:
        """Count rows in: one (n, dim) array per space, row i of each of one image. Raises UneError where a latent is not finite."""
        z = np.concatenate([batch[space] for space in self.columns], axis=1, dtype=np.float64)
        if not np.isfinite(z).all():
            broken = next(space for space in self.columns if not np.isfinite(batch[space]).all())
            raise UneError(
                f"space {broken!r} has a latent that is not finite; find it with une verify and build that shard again"
            )
        order = self.random.permutation(len(z))
        partner = np.empty_like(order)
        partner[order] = np.roll(
            order, 1
        )  # one cycle through the batch, so nobody is left with itself but who is alone
        self.rows += len(z)
        self.sums += z.sum(0)
        self.products += z.T @ z
        self.shuffled += z.T @ z[partner]

    def mean(self, space: str) -> np.ndarray:
        return self.sums[self.columns[space]] / self.rows

    def scatter(self, a: str, b: str, shuffled: bool = False) -> np.ndarray:
        """Σ (z_a − mean)(z_b − mean)ᵀ, (dim of a, dim of b)."""
        products = self.shuffled if shuffled else self.products
        return products[self.columns[a], self.columns[b]] - self.rows * np.outer(self.mean(a), self.mean(b))


class Ridge:
    """Ridge regressions out of one space: a single eigendecomposition serves every target, pairing and penalty."""

    def __init__(self, moments: JointMoments, source: str) -> None:
        self.moments, self.source = moments, source
        self.eigenvalues, self.vectors = linalg.eigh(moments.scatter(source, source))
        self.kept = self.eigenvalues > ROUNDING * max(self.eigenvalues[-1], 0)

    def fit(self, target: str, shuffled: bool = False) -> LinearMap:
        """The map to `target`, its penalty chosen by generalised cross-validation; `shuffled` fits the control's pairing."""
        moments = self.moments
        projected = self.vectors.T @ moments.scatter(self.source, target, shuffled)
        total = np.trace(moments.scatter(target, target))
        eigenvalues, power = self.eigenvalues[self.kept], (projected[self.kept] ** 2).sum(1)
        penalties = PENALTIES * (eigenvalues.sum() / len(self.eigenvalues) or 1.0)
        penalty = penalties[np.argmin(gcv(eigenvalues, power, total, moments.rows, penalties))]
        weight = self.vectors @ (projected / (np.maximum(self.eigenvalues, 0) + penalty)[:, None])
        return LinearMap(weight, moments.mean(target) - moments.mean(self.source) @ weight, float(penalty))

    def mean(self, target: str) -> LinearMap:
        """The control that never looks at the source: every image goes to the target's mean."""
        intercept = self.moments.mean(target)
        return LinearMap(np.zeros((len(self.eigenvalues), len(intercept))), intercept)


def gcv(
    eigenvalues: np.ndarray, power: np.ndarray, total: float, rows: int, penalties: np.ndarray
) -> np.ndarray:
    """Generalised cross-validation scores (p,) of ridge regressions with an intercept (Golub, Heath & Wahba 1979, eq. 1.4).

    `eigenvalues` (r,) > 0 of the centred Gram matrix, `power` (r,) the squared length of Xᵀ Y along each eigenvector, `total`
    the targets' sum of squares. n·RSS / (n − degrees of freedom)², as sums of positive terms: near interpolation the textbook
    differences are nothing but rounding.
    """
    left = penalties[:, None] / (
        eigenvalues + penalties[:, None]
    )  # what the penalty leaves of each direction's residual
    residual = max(total - (power / eigenvalues).sum(), 0.0) + left**2 @ (power / eigenvalues)
    freedom = rows - 1 - len(eigenvalues) + left.sum(1)
    return rows * residual / np.maximum(freedom, np.finfo(float).tiny) ** 2


class Fidelity:
    """How near predictions come to the target's rows, from one pass.

    cosine: mean over rows. centred_cosine: the same after subtracting the target's train mean from both; zero where the
    prediction is that mean itself. r2: variance-weighted, 1 − Σ‖y − ŷ‖² / Σ‖y − test mean‖², which is the same in every
    rotation of the target space; an average over coordinates is not, and hangs on those of hardly any variance.
    """

    def __init__(self, centre: np.ndarray) -> None:
        self.centre, self.rows = centre, 0
        self.cosines = np.zeros(2)
        self.residual, self.square, self.sum = 0.0, 0.0, np.zeros_like(centre)

    def add(self, predicted: np.ndarray, true: np.ndarray) -> None:
        """Count rows (n, dim) in."""
        a, b = predicted - self.centre, true - self.centre
        self.rows += len(true)
        self.cosines += row_cosines(predicted, true).sum(), row_cosines(a, b).sum()
        self.residual += ((a - b) ** 2).sum()
        self.square += (b**2).sum()
        self.sum += b.sum(0)

    def figures(self) -> dict[str, float | None]:
        """cosine, centred_cosine, r2; the last None where the target does not vary."""
        cosine, centred = (self.cosines / self.rows).tolist()
        total = self.square - (self.sum**2).sum() / self.rows
        return {
            "cosine": cosine,
            "centred_cosine": centred,
            "r2": float(1 - self.residual / total) if total > 0 else None,
        }


@dataclass
class Trial:
    """A target's maps from one source, true and controls, and what its fixed probes read in the rows that they make."""

    maps: dict[str, LinearMap]
    fidelity: dict[str, Fidelity]
    probes: Probes
    scores: dict[str, list[np.ndarray]] = field(default_factory=dict)

    @classmethod
    def begin(cls, ridge: Ridge, target: str, probes: Probes) -> Trial:
        maps = {
            "ridge": ridge.fit(target),
            "mean": ridge.mean(target),
            "shuffled": ridge.fit(target, shuffled=True),
        }
        return cls(maps, {name: Fidelity(ridge.moments.mean(target)) for name in maps}, probes)

    def add(self, source: np.ndarray, target: np.ndarray) -> None:
        """Count test rows in: (n, dim) of either space, row i of one image."""
        self.scores.setdefault("native", []).append(self.probes(target))
        for name, linear in self.maps.items():
            self.fidelity[name].add(linear(source), target)
            self.scores.setdefault(name, []).append(linear.pull_back(self.probes)(source))

    def readings(
        self, name: str, labels: dict[str, np.ndarray]
    ) -> dict[str, tuple[float | None, float | None]]:
        """Accuracy and AUC per attribute on a map's rows, or on the 'native' ones; `labels` (n,) in the order that rows were added."""
        columns = zip(self.probes.attributes, np.concatenate(self.scores[name]).T)
        return {attribute: reading(labels[attribute], scores) for attribute, scores in columns}


def reading(labels: np.ndarray, scores: np.ndarray) -> tuple[float | None, float | None]:
    """Accuracy at threshold 0 and ROC-AUC where the label (0, 1 or NaN) is known; None without rows, or rows of both sides."""
    known = ~np.isnan(labels)
    labels, scores = labels[known] > 0, scores[known]
    if not len(labels):
        return None, None
    positive, negative = labels.sum(), (~labels).sum()
    above = (
        rankdata(scores)[labels].sum() - positive * (positive + 1) / 2
    )  # pairs in order, ties by half (Mann & Whitney 1947)
    accuracy = float(((scores > 0) == labels).mean())
    return accuracy, float(above / (positive * negative)) if positive and negative else None


def row_cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of each row of `a` (n, d) with the same row of `b`, (n,); 0 where either is zero."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(1), lengths, out=np.zeros(len(a)), where=lengths > 0)
