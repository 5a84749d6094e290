"""Maps between two spaces side by side: the orthogonal one and what it has to beat (paper 2, baselines).

All are fitted on the same anchors, rows of unit length, and asked the same questions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from une_ray.geometry.arrays import AnyFloats, Floats
from une_ray.geometry.procrustes import OrthogonalMap, procrustes, random_orthogonal
from une_ray.geometry.transfer import JointMoments, LinearMap, Ridge
from une_ray.geometry.unit import unit_rows

Function = Callable[[AnyFloats], Floats]

RELATIVE_ANCHORS = 512  # as many cosines describe an item; more cost time and say no more
MLP_WIDTH = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class Anchors:
    """Pairs of rows `a` (n, d_a) and `b` (n, d_b) that a map is fitted on, of unit length, and a seed."""

    a: Floats
    b: Floats
    seed: int = 0

    @property
    def means(self) -> tuple[Floats, Floats]:
        return self.a.mean(0), self.b.mean(0)


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedMap:
    """How rows of either space come into one where they are compared: for a map that is the target's own.

    `in_target`: whether it is; of a third space nothing of the target, as its mean, may be subtracted.
    `fitted_about` are the means of the rows that it was fitted on; `about` gives the same for others.
    """

    source: Function
    target: Function
    fitted_about: tuple[Floats, Floats] | None = None
    orthogonal: OrthogonalMap | None = None
    in_target: bool = True

    def about(self, source_mean: Floats, target_mean: Floats) -> FittedMap:
        """The same map about other means, z ↦ f(z − mean + old mean) − old target mean + target mean.

        Texts lie elsewhere than pictures (the modality gap), so a centred map is moved to their means; one
        that was not centred stays as it is.
        """
        if self.fitted_about is None:
            return self
        (a, b), inner = self.fitted_about, self.source
        return FittedMap(
            source=lambda z: inner(z - source_mean + a) - b + target_mean,
            target=self.target,
            fitted_about=(source_mean, target_mean),
            in_target=self.in_target,
        )


Fit = Callable[[Anchors], FittedMap]


def as_it_is(z: AnyFloats) -> Floats:
    """The target's own coordinates."""
    return np.asarray(z, np.float64)


def fit_identity(anchors: Anchors, centred: bool = True) -> FittedMap:
    """Coordinate i to coordinate i, what the wider space has more left out or zero."""
    return _turned(np.eye(anchors.a.shape[1], anchors.b.shape[1]), anchors, centred)


def fit_random(anchors: Anchors, centred: bool = True) -> FittedMap:
    """A rotation that knows nothing of the anchors but their means."""
    random = np.random.default_rng(anchors.seed)
    return _turned(random_orthogonal(anchors.a.shape[1], anchors.b.shape[1], random), anchors, centred)


def fit_orthogonal(anchors: Anchors, centred: bool = True) -> FittedMap:
    """Procrustes' rotation, the paper's."""
    return _of(procrustes(anchors.a, anchors.b, centred=centred), centred)


def fit_ridge(anchors: Anchors) -> FittedMap:
    """A linear map whose penalty is chosen by generalised cross-validation."""
    return _linear(Ridge(_moments(anchors), "a").fit("b"), anchors)


def fit_affine(anchors: Anchors) -> FittedMap:
    """Least squares without a penalty, of least norm where the anchors leave it open."""
    mean_a, mean_b = anchors.means
    weight: Floats = np.asarray(
        np.linalg.lstsq(anchors.a - mean_a, anchors.b - mean_b, rcond=1e-6)[0], np.float64
    )
    return _linear(LinearMap(weight, mean_b - mean_a @ weight), anchors)


def fit_mlp(anchors: Anchors) -> FittedMap:
    """A perceptron of one hidden layer of 512 (ReLU, Adam, stopped on a tenth of the anchors)."""
    from sklearn.neural_network import MLPRegressor

    scale = np.sqrt(anchors.b.shape[1])  # unit rows have tiny coordinates, and Adam's tolerance is absolute
    network = MLPRegressor(
        hidden_layer_sizes=(MLP_WIDTH,),
        max_iter=100,
        early_stopping=len(anchors.a) >= 100,
        random_state=anchors.seed,
    )
    _quietly(lambda: network.fit(scale * anchors.a, scale * anchors.b))
    return FittedMap(
        source=lambda z: network.predict(scale * z) / scale, target=as_it_is, fitted_about=anchors.means
    )


def fit_relative(anchors: Anchors) -> FittedMap:
    """Relative representations (Moschella et al. 2023): an item is its cosines with each space's anchors.

    No map: both sides come into a third space, of one coordinate for each anchor.
    """
    random = np.random.default_rng(anchors.seed)
    chosen = random.permutation(len(anchors.a))[:RELATIVE_ANCHORS]
    a, b = unit_rows(anchors.a[chosen]), unit_rows(anchors.b[chosen])
    return FittedMap(
        source=lambda z: unit_rows(z) @ a.T, target=lambda z: unit_rows(z) @ b.T, in_target=False
    )


PEERS: Mapping[tuple[str, bool], Fit] = {
    ("identity", True): fit_identity,
    ("identity", False): lambda anchors: fit_identity(anchors, centred=False),
    ("random", True): fit_random,
    ("random", False): lambda anchors: fit_random(anchors, centred=False),
    ("orthogonal", True): fit_orthogonal,
    ("orthogonal", False): lambda anchors: fit_orthogonal(anchors, centred=False),
    ("ridge", True): fit_ridge,
    ("affine", True): fit_affine,
    ("mlp", True): fit_mlp,
    ("relative", False): fit_relative,
}
"""(name, whether about the anchors' means) → how it is fitted."""


def _turned(q: Floats, anchors: Anchors, centred: bool) -> FittedMap:
    means = anchors.means if centred else tuple(np.zeros(z.shape[1]) for z in (anchors.a, anchors.b))
    return _of(OrthogonalMap(q=q, source_mean=means[0], target_mean=means[1], rank=min(q.shape)), centred)


def _of(found: OrthogonalMap, centred: bool) -> FittedMap:
    means = (found.source_mean, found.target_mean) if centred else None
    return FittedMap(source=found, target=as_it_is, fitted_about=means, orthogonal=found)


def _linear(linear: LinearMap, anchors: Anchors) -> FittedMap:
    return FittedMap(source=linear, target=as_it_is, fitted_about=anchors.means)


def _moments(anchors: Anchors) -> JointMoments:
    moments = JointMoments({"a": anchors.a.shape[1], "b": anchors.b.shape[1]}, anchors.seed)
    moments.add({"a": anchors.a, "b": anchors.b})
    return moments


def _quietly(work: Callable[[], object]) -> None:
    """Without scikit-learn's word that it would go on learning: the number of passes is the setting."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        work()
