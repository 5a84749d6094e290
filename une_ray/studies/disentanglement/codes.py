"""Coordinates of a space that may each say one thing: principal and independent components, and what probes
read."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from une_ray.errors import UneError

FOLDS = 5
PENALTIES = np.geomspace(1e-2, 1e6, 9)
STEPS = 1000  # of FastICA
ROUNDING = 2**-11  # of float16, in which a lake keeps latents, as a share of a number
DEAD = 1e-6  # a deviation of so little of the largest is what is left of rounding in float32


@dataclass(frozen=True, kw_only=True)
class Codes:
    """`values` (n, k): components and probes' scores of mean 0 and variance 1 but for dead ones, own axes as
    they are; `note` says what went wrong."""

    values: np.ndarray
    note: str | None = None


def principal(z: np.ndarray, components: int, seed: int) -> Codes:
    """The first principal components of z (n, d), whitened: of a Gaussian space, any rotation of them is as
    white. A component of no more variance than the rounding of float16 has in so many directions (the edge
    of Marčenko and Pastur's law) is dead: whitened, it would be rounding of variance 1."""
    from sklearn.decomposition import PCA

    most = min(components, z.shape[1], len(z) - 1)
    solver = "full" if z.shape[1] <= 4 * most else "randomized"
    centred = z.astype(np.float64) - z.mean(0)
    if not (np.abs(centred) > 1e-6 * np.abs(z).max()).any():
        return Codes(values=np.zeros((len(z), most)), note="every latent is the same")
    scores = PCA(most, svd_solver=solver, random_state=seed).fit_transform(centred)
    size = np.sqrt(np.mean(np.square(z, dtype=np.float64)))
    rounding = ROUNDING / np.sqrt(3) * size * (1 + np.sqrt(z.shape[1] / len(z)))
    return Codes(values=standardised(np.where(scores.std(0) > rounding, scores, 0)))


def independent(z: np.ndarray, components: int, seed: int) -> Codes:
    """The rotation of the same principal components that is least Gaussian (Hyvärinen 1999, FastICA); of
    Gaussian data there is no such rotation, and it may not converge."""
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    principals = principal(z, components, seed)
    alive = principals.values.any(0)
    white = principals.values[:, alive]
    if white.shape[1] < 2:
        return principals
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        ica = FastICA(whiten="unit-variance", max_iter=STEPS, random_state=seed)
        scores = ica.fit_transform(white)
    values = np.zeros_like(principals.values)
    values[:, alive] = standardised(scores)
    failed = any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    return Codes(
        values=values,
        note=f"FastICA did not converge in {STEPS} steps" if failed else None,
    )


def probed(z: np.ndarray, factors: np.ndarray, groups: np.ndarray) -> Codes:
    """What a ridge probe of each factor reads, (n, f): each fifth of the items by probes that were fitted on
    the others, with λ by leave-one-out. Items of one group stand in one fifth. Raises UneError for fewer
    groups than fifths."""
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import GroupKFold

    if len(np.unique(groups)) < FOLDS:
        raise UneError(f"{len(np.unique(groups))} different pictures are too few for {FOLDS} folds of probes")
    scores = np.empty(factors.shape, np.float64)
    for train, test in GroupKFold(FOLDS).split(z, groups=groups):
        mean, scale = z[train].mean(0), z[train].std() or 1.0
        ridge = RidgeCV(PENALTIES, alpha_per_target=True).fit(
            (z[train] - mean) / scale, factors[train].astype(np.float64)
        )
        scores[test] = ridge.predict((z[test] - mean) / scale).reshape(len(test), -1)
    return Codes(values=standardised(scores))


def rotated(codes: np.ndarray, seed: int) -> np.ndarray:
    """(n, k): the codes, standardised, after a rotation drawn uniformly (Haar): as much is in them, along no
    chosen axes. Of codes that are not standardised yet a rotation would be one of their largest alone."""
    random = np.random.default_rng(seed)
    turn, upper = np.linalg.qr(random.standard_normal((codes.shape[1],) * 2))
    return standardised(codes) @ (turn * np.sign(np.diag(upper)))


def standardised(codes: np.ndarray) -> np.ndarray:
    """(n, k): mean 0 and variance 1; a column without variance, but for rounding, becomes zeros."""
    centred = codes - codes.mean(0)
    deviation = centred.std(0)
    dead = deviation <= DEAD * max(deviation.max(initial=0), 1e-300)
    return np.where(dead, 0, centred / np.where(dead, 1, deviation))
