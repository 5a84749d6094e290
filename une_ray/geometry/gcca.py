"""Generalised CCA, MAXVAR with ridge (Kettenring 1971; paper 1, shared space), without anything of n rows.

It looks for X (n, k), orthonormal, that every view predicts: min Σ_i ‖X − Z_i·A_i‖² + λ_i‖A_i‖². With the
SVD Z_i = U_i·S_i·V_iᵀ of each centred view the solution is X = the leading left singular vectors of
B = [B_1 … B_m], B_i = U_i·S_i/√(S_i² + λ_i). BᵀB needs the views' scores on their principal components
through their joint scatter alone, so that X is never formed: (Σ r)² numbers, and as many passes over the rows
as it takes to add up a scatter, whatever n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from une_ray.errors import UneError
from une_ray.geometry.arrays import AnyFloats, Floats

RIDGE = 1e-3  # in units of the mean squared singular value of a view's kept components
VARYING = 1e-7  # of a view's first eigenvalue: float16 latents hold a rounding noise of some 1e-7


@dataclass(frozen=True, kw_only=True, eq=False)
class Components:
    """The leading principal components of a view: `vectors` (d, r), `squares` (r,) = S², `mean` (d,)."""

    vectors: Floats
    squares: Floats
    mean: Floats

    def scores(self, z: AnyFloats) -> Floats:
        """(n, r) of rows (n, d)."""
        return (z - self.mean) @ self.vectors


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedSpace:
    """Fitted by `gcca`: `weights` {view: A_i (d_i, k)}, `means` {view: (d_i,)}, `variances` (k,), falling.

    A variance is how many of the views' worth of X they predict together: m where all predict it fully, 1
    where one does so alone. X is in units of standard deviations: its columns have variance one over the
    rows it was fitted on.
    """

    weights: Mapping[str, Floats]
    means: Mapping[str, Floats]
    variances: Floats
    rows: int
    blocks: Mapping[tuple[str, str], Floats]
    components: Mapping[str, Components]
    penalties: Mapping[str, float]

    def predicted(self, view: str, z: AnyFloats) -> Floats:
        """(n, k): what one view's rows (n, d) say of X, Z_i·A_i."""
        return (z - self.means[view]) @ self.weights[view]

    def maps(self, views: Sequence[str] | None = None) -> dict[str, Floats]:
        """{view: (d, k)}: X from the views at hand is the sum of their centred rows times these.

        Of all views (the default) it is X itself, Σ Z_i·A_i / variance. Of some it is the ridge regression of
        X on those alone, which of a single view is Z_i·A_i. Raises UneError for views it was not fitted on.
        """
        names = list(self.weights) if views is None else list(views)
        if not names or not set(names) <= set(self.weights):
            raise UneError(f"views are of {', '.join(self.weights)}; got {', '.join(names) or 'none'}")
        if set(names) == set(self.weights):
            return {name: self.weights[name] / self.variances for name in names}
        parts = [self.components[name] for name in names]
        gram = np.block([[self.blocks[a, b] for b in names] for a in names])
        gram[np.diag_indices_from(gram)] += np.concatenate(
            [np.full(len(part.squares), self.penalties[name]) for name, part in zip(names, parts)]
        )
        # UᵀX of a view follows from its A: A_i = V·diag(S/(S² + λ))·UᵀX, and ZᵀX = V·S·UᵀX.
        towards = np.concatenate(
            [
                (part.squares + self.penalties[name])[:, None] * (part.vectors.T @ self.weights[name])
                for name, part in zip(names, parts)
            ]
        )
        solved = linalg.solve(gram, towards, assume_a="pos")
        ends = np.cumsum([0, *(len(part.squares) for part in parts)])
        return {
            name: part.vectors @ solved[ends[i] : ends[i + 1]]
            for i, (name, part) in enumerate(zip(names, parts))
        }

    def transform(self, rows: Mapping[str, AnyFloats]) -> Floats:
        """X (n, k) from the rows (n, d_i) of all views or of some."""
        maps = self.maps(list(rows))
        return np.sum([(z - self.means[name]) @ maps[name] for name, z in rows.items()], axis=0)

    def back(self, view: str) -> Floats:
        """(k, d): the least move of a view's latent for a step in X as that view sees it, A_i⁺."""
        return np.asarray(np.linalg.pinv(self.weights[view]), np.float64)


def leading_components(scatter: Floats, mean: Floats, rank: int) -> Components:
    """The components of a scatter (d, d) about `mean` that vary, `rank` of them at most.

    Raises UneError for a view that does not vary.
    """
    dim = len(scatter)
    first = max(0, dim - rank)
    squares, vectors = linalg.eigh(scatter, subset_by_index=(first, dim - 1), check_finite=False)
    squares, vectors = squares[::-1], vectors[:, ::-1]
    if not squares[0] > 0:
        raise UneError("a view is the same for every image; leave it out")
    kept = squares > VARYING * squares[0]
    return Components(vectors=np.ascontiguousarray(vectors[:, kept]), squares=squares[kept], mean=mean)


class ScoreMoments:
    """Joint scatter of all views' scores, block by block of rows: (Σ r)² numbers in float64."""

    def __init__(self, components: Mapping[str, Components]) -> None:
        self.components = components
        ends = np.cumsum([0, *(len(part.squares) for part in components.values())])
        self.columns = {view: slice(*ends[i : i + 2]) for i, view in enumerate(components)}
        self.products, self.rows = np.zeros((ends[-1], ends[-1])), 0

    def add(self, rows: Mapping[str, AnyFloats]) -> None:
        """Count rows {view: (n, d)} in, row i of each of one image."""
        scores = np.concatenate([part.scores(rows[view]) for view, part in self.components.items()], axis=1)
        self.products += scores.T @ scores
        self.rows += len(scores)

    def blocks(self) -> dict[tuple[str, str], Floats]:
        """{(a, b): (r_a, r_b)}."""
        return {
            (a, b): self.products[one, other]
            for a, one in self.columns.items()
            for b, other in self.columns.items()
        }


def gcca(
    components: Mapping[str, Components],
    blocks: Mapping[tuple[str, str], Floats],
    rows: int,
    dim: int,
    ridge: float = RIDGE,
    *,
    or_fewer: bool = False,
) -> SharedSpace:
    """The shared space of `dim` from the views' components and the joint scatter of their scores.

    `ridge` is λ in units of each view's mean squared singular value. Raises UneError for fewer than two
    views, and for more dimensions than the views have together: where one view is a linear image of another
    those are fewer than the sum of theirs. With `or_fewer` it then has as many as vary.
    """
    views = list(components)
    if len(views) < 2:
        raise UneError(f"a shared space is of two views or more; got {', '.join(views) or 'none'}")
    sizes = [len(components[view].squares) for view in views]
    if not 0 < dim <= sum(sizes):
        raise UneError(f"{dim} shared dimensions; the views have {sum(sizes)} together")
    penalties = {view: ridge * float(part.squares.mean()) for view, part in components.items()}
    scales = {view: 1 / np.sqrt(part.squares + penalties[view]) for view, part in components.items()}
    stacked = np.block([[scales[a][:, None] * blocks[a, b] * scales[b] for b in views] for a in views])
    total = len(stacked)
    values, vectors = linalg.eigh(stacked, subset_by_index=(total - dim, total - 1), check_finite=False)
    values, vectors = values[::-1], vectors[:, ::-1]
    varying = int((values > VARYING).sum())
    if varying < dim and not or_fewer:
        raise UneError(f"{dim} shared dimensions are more than vary: {varying} do")
    values, vectors = values[:varying], vectors[:, :varying]
    ends = np.cumsum([0, *sizes])
    # A_i = √value · V_i·D_i·w_i, and √(rows) makes X's columns of unit variance.
    weights = {
        view: np.sqrt(values * rows)
        * (components[view].vectors @ (scales[view][:, None] * vectors[ends[i] : ends[i + 1]]))
        for i, view in enumerate(views)
    }
    return SharedSpace(
        weights=weights,
        means={view: part.mean for view, part in components.items()},
        variances=values,
        rows=rows,
        blocks=blocks,
        components=components,
        penalties=penalties,
    )


def agreement_in(shared: SharedSpace, blocks: Mapping[tuple[str, str], Floats]) -> Floats:
    """(k,): what `HeldOut.correlations` measures, from other rows' joint scatter of scores about means."""
    views = list(shared.weights)
    weights = {view: shared.components[view].vectors.T @ shared.weights[view] for view in views}
    cross = {
        (a, b): np.einsum("rk,rs,sk->k", weights[a], blocks[a, b], weights[b], optimize=True)
        for i, a in enumerate(views)
        for b in views[i:]
    }
    found = []
    for i, a in enumerate(views):
        for b in views[i + 1 :]:
            lengths = np.sqrt(np.maximum(cross[a, a] * cross[b, b], 0))
            found.append(np.divide(cross[a, b], lengths, out=np.zeros_like(lengths), where=lengths > 0))
    return np.mean(found, axis=0)


class HeldOut:
    """How well the views agree about images that nothing was fitted on: correlations of what they predict.

    Sums over rows, so that no row is kept. `shuffled` is of mixed rows, of another image in each view: the
    null that the same maps reach on pairs that do not belong together.
    """

    def __init__(self, shared: SharedSpace) -> None:
        self.shared = shared
        views, dim = len(shared.weights), len(shared.variances)
        self.rows = 0
        self.sums, self.mixed_sums = np.zeros((2, views, dim))
        self.products, self.shuffled = np.zeros((2, views, views, dim))

    def add(self, rows: Mapping[str, AnyFloats], mixed: Mapping[str, AnyFloats]) -> None:
        """Count held-out rows {view: (n, d)} in, and as many `mixed` ones (`Partners.mixed`)."""
        for of, sums, products in ((rows, self.sums, self.products), (mixed, self.mixed_sums, self.shuffled)):
            seen = np.stack([self.shared.predicted(view, of[view]) for view in self.shared.weights])
            sums += seen.sum(1)
            products += np.einsum("ank,bnk->abk", seen, seen)
        self.rows += len(next(iter(rows.values())))

    def correlations(self, shuffled: bool = False) -> Floats:
        """(k,): the mean over pairs of views of their correlation in each shared dimension."""
        mean = self.sums / self.rows
        covariance = self.products / self.rows - mean[:, None] * mean[None]
        spread = np.sqrt(np.maximum(np.einsum("aak->ak", covariance), 0))
        if shuffled:
            mixed = self.mixed_sums / self.rows
            covariance = self.shuffled / self.rows - mixed[:, None] * mixed[None]
        lengths = spread[:, None] * spread[None]
        found = np.divide(covariance, lengths, out=np.zeros_like(covariance), where=lengths > 0)
        return found[np.triu_indices(len(mean), 1)].mean(0)


class Scatters:
    """Each view's own scatter and mean, block by block of rows: Σ d² numbers in float64.

    The views' cross-scatters wait for their scores, which are fewer. Means are brought up to date block by
    block (Chan, Golub & LeVeque 1983), so large ones cost no digits.
    """

    def __init__(self) -> None:
        self.own: dict[str, Floats] = {}
        self.means: dict[str, Floats] = {}
        self.rows = 0

    def add(self, rows: Mapping[str, AnyFloats]) -> None:
        """Count rows {view: (n, d)} in. Raises UneError for a latent that is not finite."""
        count = len(next(iter(rows.values())))
        own, means = {}, {}
        for view, part in rows.items():
            z = np.asarray(part, np.float64)
            if not np.isfinite(z).all():
                raise UneError(f"space {view!r} has a latent that is not finite; find it with une verify")
            means[view] = z.mean(0) if count else np.zeros(z.shape[1])
            own[view] = (z - means[view]).T @ (z - means[view])
        self._join(own, means, count)

    def join(self, other: Scatters) -> None:
        """Count the rows of `other` in."""
        self._join(other.own, other.means, other.rows)

    def components(self, rank: int) -> dict[str, Components]:
        """{view: its leading components}. Raises UneError for a view that does not vary."""
        return {view: leading_components(own, self.means[view], rank) for view, own in self.own.items()}

    def _join(self, own: Mapping[str, Floats], means: Mapping[str, Floats], count: int) -> None:
        total = self.rows + count
        for view, added in own.items() if count else ():
            if view not in self.own:
                self.own[view], self.means[view] = np.array(added), np.array(means[view])
                continue
            step = means[view] - self.means[view]
            self.own[view] += added
            self.own[view] += self.rows * count / total * np.outer(step, step)
            self.means[view] = self.means[view] + step * count / total
        self.rows = total
