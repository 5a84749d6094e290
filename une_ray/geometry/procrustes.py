"""The orthogonal map between two spaces (paper 2; Schönemann 1966): Q = UVᵀ of the cross-scatter's SVD.

Two spaces of the same images are a rotation apart if z_b ≈ (z_a − μ_a)·Q + μ_b with QᵀQ = I. Reflections are
allowed and there is no scale, unless it is asked for. Of unequal widths Q is semi-orthogonal: the narrower
side is kept whole, and the inverse is the transpose both ways.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from une_ray.errors import UneError
from une_ray.geometry.arrays import AnyFloats, Floats

# Singular values below this share of the largest, or of the rows' own size, are rounding: float64 sums of
# moments keep some 12 digits.
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class OrthogonalMap:
    """z ↦ scale·(z − source_mean)·q + target_mean, float64.

    `q` (source dim, target dim) has `rank` singular values of one. Where the anchors span fewer dimensions
    than the narrower space has, `undetermined` of them are mapped to zero: of all matrices that fit as well
    that is the one of least norm, and it adds nothing that the anchors did not say.
    """

    q: Floats
    source_mean: Floats
    target_mean: Floats
    rank: int
    scale: float = 1.0

    def __call__(self, z: AnyFloats) -> Floats:
        """(n, target dim) of rows (n, source dim)."""
        return self.scale * ((z - self.source_mean) @ self.q) + self.target_mean

    @property
    def undetermined(self) -> int:
        """Dimensions of the narrower space that no anchor reaches."""
        return min(self.q.shape) - self.rank

    def inverse(self) -> OrthogonalMap:
        """The way back, qᵀ: exact for what lies in the part that q keeps."""
        return replace(
            self,
            q=self.q.T,
            source_mean=self.target_mean,
            target_mean=self.source_mean,
            scale=1 / self.scale,
        )

    def about(self, source_mean: Floats, target_mean: Floats) -> OrthogonalMap:
        """The same rotation about other means, as texts have theirs (paper 2, procedure 2)."""
        return replace(self, source_mean=source_mean, target_mean=target_mean)


def procrustes(
    source: AnyFloats,
    target: AnyFloats,
    *,
    centred: bool = True,
    weights: Floats | None = None,
    scaled: bool = False,
) -> OrthogonalMap:
    """The orthogonal map of anchors `source` (n, d_a) onto `target` (n, d_b), row i of each of one item.

    It maximises Σ w_i ⟨z_a·Q, z_b⟩ about the weighted means where `centred`: the least squared distance in
    the wider of the two spaces, and so one Q for both ways. `weights` (n,) ≥ 0, all equal by default;
    `scaled` fits the one factor of least squares as well. Raises UneError for unpaired rows, numbers that
    are not finite, and weights that are no weights.
    """
    a, b = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b) or not len(a):
        raise UneError(f"anchors are pairs of rows, as many on both sides; got {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UneError("an anchor is not finite; leave it out, or find it with une verify")
    w = np.ones(len(a)) if weights is None else np.asarray(weights, np.float64)
    if w.shape != (len(a),) or not np.isfinite(w).all() or w.min() < 0 or not w.sum():
        raise UneError(f"weights are {len(a)} numbers, none below zero and not all zero; got shape {w.shape}")
    size = float(np.sqrt((w @ np.square(a)).sum()) * np.sqrt((w @ np.square(b)).sum()))
    mean_a, mean_b = (w @ z / w.sum() if centred else np.zeros(z.shape[1]) for z in (a, b))
    a, b = a - mean_a, b - mean_b
    weighted = a * w[:, None]
    rows = int(np.count_nonzero(w)) - centred
    scatter = weighted.T @ a if scaled else None
    return procrustes_of_moments(weighted.T @ b, mean_a, mean_b, rows=rows, scatter=scatter, size=size)


def procrustes_of_moments(
    cross: Floats,
    source_mean: Floats,
    target_mean: Floats,
    *,
    rows: int,
    scatter: Floats | None = None,
    size: float = 0.0,
) -> OrthogonalMap:
    """The same from Σ (z_a − μ_a)(z_b − μ_b)ᵀ (d_a, d_b), which a stream of any length adds up to.

    `rows` bounds the rank: the anchors, less one where they are about their own mean. With the source's own
    `scatter` Σ (z_a − μ_a)(z_a − μ_a)ᵀ the map has the scale of least squares. `size` is ‖Z_a‖·‖Z_b‖ of the
    rows as they are, about no mean: a cross-scatter of 1e-12 of it is their rounding. Raises UneError where
    the spaces have nothing in common, as of a space that does not vary.
    """
    u, values, vt = linalg.svd(cross, full_matrices=False, lapack_driver="gesdd", check_finite=False)
    if not values.size or not values[0] > ROUNDING * size:
        raise UneError("nothing varies together in these anchors: no orthogonal map is better than another")
    rank = min(int((values > ROUNDING * values[0]).sum()), max(rows, 1))
    q = u[:, :rank] @ vt[:rank]
    scale = 1.0
    if scatter is not None:
        mapped = u[:, :rank]  # ‖Z·q‖² is that of Z's part along these
        scale = float(values[:rank].sum() / np.einsum("ij,ij->", mapped, scatter @ mapped))
    return OrthogonalMap(q=q, source_mean=source_mean, target_mean=target_mean, rank=rank, scale=scale)


def distance_between(one: OrthogonalMap, other: OrthogonalMap) -> float:
    """How far apart two maps are: ‖Q₁ − Q₂‖_F / √(2·rank), 0 if equal, about 1 for two at random.

    Fitted on two halves of the anchors it is the noise floor: a map is not known more exactly than that.
    """
    rank = max(one.rank, other.rank)
    return float(np.linalg.norm(one.q - other.q) / np.sqrt(2 * rank))


def random_orthogonal(source_dim: int, target_dim: int, random: np.random.Generator) -> Floats:
    """A (semi-)orthogonal matrix (source_dim, target_dim), uniform by Haar's measure (Stewart 1980)."""
    wide, narrow = max(source_dim, target_dim), min(source_dim, target_dim)
    q, r = np.linalg.qr(random.standard_normal((wide, narrow)))
    q = q * np.sign(np.diag(r))
    return q if source_dim >= target_dim else q.T
