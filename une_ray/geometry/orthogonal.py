"""Moves that change one attribute's score and leave others' alone (paper 1, Editing), and their peers.

A *probe* w scores a latent as z·w; a *move* v adds to a latent, and changes that score by w·v. What an edit
must keep at zero is therefore w₂·v. An inner product ⟨u, w⟩ = uᵀMw pairs every probe with a move, v = Mw,
so that ⟨w₂, w⟩ = w₂·v:

- plain, M = I: v = w, the paper's edit. Orthogonal probes are perpendicular vectors.
- covariance, M = Σ: v = Σw, the probe's *pattern* (Haufe et al. 2014), which is how z differs on average
  between images whose scores differ. Orthogonal probes are those whose scores are uncorrelated.

In either, probes orthogonal to w₂ are those whose own move leaves w₂'s score. Crossed over, they are not:
moving along w of an uncorrelated score changes the other by w₂·w, and moving along Σw of a perpendicular
probe changes it by w₂ᵀΣw.

Of all moves that raise the target's score by one and no nuisance's at all, Mw of the orthogonalised w has
the least vᵀM⁻¹v: the plain one is the shortest, the covariance one the likeliest in N(μ, Σ). Where Σ ∝ I
they are one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from une_ray.errors import UneError
from une_ray.geometry.arrays import AnyFloats, Floats

SPANNED = 1e-6  # below this share of its norm, what is left of a probe, by itself or of others, is rounding

Fit = Callable[[Floats, AnyFloats], Floats]
"""(z (n, d), labels (n,)) → probe w (d,)."""


@dataclass(frozen=True)
class Orthogonalized:
    """`w` (d,) is the probe less its part in the nuisances' span.

    `move` (d,) raises the target's score by 1 and no nuisance's.
    `remaining_norm` is ‖w‖ in units of the norm before, in the inner product that was used: 1 where nothing
    had to go. In the covariance one it is √(1 − R²) of the target's score regressed on the nuisances'.
    """

    w: Floats
    move: Floats
    remaining_norm: float


def orthogonalized(
    w: Floats,
    nuisances: Mapping[str, Floats],
    covariance: Floats | None = None,
    tolerance: float = SPANNED,
) -> Orthogonalized:
    """w less its projection on the span of W₂ (paper 1): w − W₂ᵀ (W₂MW₂ᵀ)⁺ W₂Mw.

    For one nuisance and M = I that is w − (w·w₂/‖w₂‖²) w₂. `w` (d,); `nuisances` by name, each (d,), or (k,
    d) where several probes make up one (see `nullspace_probes`); they may depend on one another, and there
    may be none. M is I, or `covariance` (d, d) of the latents where it is given. All float64.

    Raises UneError where w is zero, and where less than `tolerance` of its norm remains.
    """
    before = _norm(w, covariance)
    if before == 0:
        raise UneError(
            "the target's probe has norm 0: its score is the same for every image; fit its probe anew"
        )
    left = _project(w, list(nuisances.values()), covariance)
    remaining_norm = _norm(left, covariance) / before
    if remaining_norm < tolerance:
        alone = {
            name: _norm(_project(w, [u], covariance), covariance) / before for name, u in nuisances.items()
        }
        nearest = min(alone, key=lambda name: alone[name])
        raise UneError(
            f"the nuisances {', '.join(nuisances)} span the target: {remaining_norm:.1e} of its norm remains "
            f"(at least {tolerance:.0e} is needed); nearest is {nearest}, which alone leaves "
            f"{alone[nearest]:.1e}. Keep fewer attributes, without that one"
        )
    move = left if covariance is None else covariance @ left
    return Orthogonalized(left, move / (move @ left), remaining_norm)


def _project(w: Floats, nuisances: Sequence[Floats], covariance: Floats | None) -> Floats:
    """w less its projection.

    Through a basis of the span, so that nuisances may have any length and depend on one another.
    """
    if not nuisances:
        return w
    stacked = np.vstack(nuisances)
    norms = np.linalg.norm(stacked, axis=1, keepdims=True)
    basis = linalg.orth((stacked / np.where(norms > 0, norms, 1)).T, rcond=SPANNED)
    image = basis if covariance is None else covariance @ basis
    return w - basis @ linalg.lstsq(basis.T @ image, image.T @ w)[0]


def _norm(w: Floats, covariance: Floats | None) -> float:
    square = float(w @ (w if covariance is None else covariance @ w))
    return float(np.sqrt(max(square, 0.0)))


def nullspace_probes(z: Floats, labels: AnyFloats, fit: Fit, rounds: int) -> Floats:
    """Iterative null-space projection (Ravfogel et al. 2020, algorithm 1): fit, project out of z, fit again.

    `z` (n, d), `labels` (n,) → unit probes (r, d), r ≤ `rounds`, orthogonal to one another: one attribute's
    nuisances for `orthogonalized`. Fewer than `rounds` come back where a fit adds nothing more, by its
    length beside the first one's.
    """
    probes, length = np.zeros((0, z.shape[1])), 0.0
    for _ in range(rounds):
        fitted = fit(z - (z @ probes.T) @ probes, labels)
        w = fitted - (fitted @ probes.T) @ probes
        length = length or float(np.linalg.norm(fitted))
        if np.linalg.norm(w) <= SPANNED * length:
            break
        probes = np.vstack([probes, w / np.linalg.norm(w)])
    return probes


@dataclass(frozen=True)
class Eraser:
    """z ↦ z − left·right·(z − mean): `left` (d, r), `right` (r, d), `mean` (d,)."""

    mean: Floats
    left: Floats
    right: Floats

    def __call__(self, z: AnyFloats) -> Floats:
        return z - (z - self.mean) @ self.right.T @ self.left.T


def leace(mean: Floats, covariance: Floats, cross_covariance: Floats) -> Eraser:
    """The least change of z after which no linear probe tells the labels (Belrose et al. 2023, theorem 4.3).

    z − W⁺PW(z − μ): W whitens z and P projects on the columns of W Σ_zy. `mean` (d,), `covariance` (d, d) and
    `cross_covariance` (d, k) of z with k labels, all of the same rows. `right` spans Σ⁺Σ_zy, the
    least-squares probes of the labels, and `left` their patterns: erasing a pattern move Σw is
    orthogonalising w against those probes in the covariance inner product.
    """
    values, vectors = linalg.eigh(covariance)
    varies = values > values[-1] * len(values) * np.finfo(float).eps
    scale, vectors = np.sqrt(values[varies]), vectors[:, varies]
    whitened = linalg.orth((vectors / scale).T @ cross_covariance)
    return Eraser(mean, vectors * scale @ whitened, ((vectors / scale) @ whitened).T)
