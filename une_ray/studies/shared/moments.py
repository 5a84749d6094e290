"""What a shared space is fitted from: scatters of its views' train images, and λ and k by a fifth of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError
from une_ray.geometry.arrays import AnyFloats, Booleans
from une_ray.geometry.gcca import Components, Scatters, ScoreMoments, SharedSpace, agreement_in, gcca
from une_ray.geometry.partners import every_fifth
from une_ray.lake.latents import BATCH, groups_of
from une_ray.lake.layout import Lake
from une_ray.lake.paired import in_order, partners_of, side_by_side

MOST = 64  # shared dimensions that are looked at
RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # in units of a view's mean squared singular value


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Joint scatters of the views' scores: of all train images, and to choose by, in the components of four
    fifths of these alone, of the four fifths, of the last fifth, and of that fifth in mixed-up pairs."""

    every: ScoreMoments
    fit: ScoreMoments
    validation: ScoreMoments
    mixed: ScoreMoments

    def space(self, dim: int, ridge: float) -> SharedSpace:
        """Fitted on all train images; of `dim`, or of as many as vary."""
        return _space(self.every, dim, ridge)

    def looked_at(self) -> int:
        """Dimensions whose agreement is measured."""
        return min(MOST, max(1, self.fit.rows // 4))

    def chosen(self, ridge: float | None, dim: int | None) -> tuple[float, int]:
        """λ and the number of dimensions: those by which the views agree most on the last fifth, beyond what
        mixed-up pairs of it reach. It has a say in nothing that they are fitted by, and test images in none.

        Raises UneError where one of them is to be chosen and all train images are of one group.
        """
        if ridge is not None and dim is not None:
            return ridge, dim
        if not self.fit.rows:
            raise UneError(
                f"all {self.validation.rows:,} train images are of one group, so that none are left to choose"
                " by; name a ridge and a dim"
            )
        best, most = (RIDGES[0], 1), -np.inf
        for penalty in RIDGES if ridge is None else (ridge,):
            shared = _space(self.fit, max(dim or 0, self.looked_at()), penalty)
            agreed = agreement_in(shared, self.validation.blocks())
            null = np.abs(agreement_in(shared, self.mixed.blocks())).max()
            beyond = np.maximum(agreed - null, 0)
            if (total := float(beyond[: dim or None].sum())) > most:
                best, most = (penalty, dim or _leading(beyond > 0)), total
        return best


def moments_of(lake: Lake, views: Sequence[str], train: pa.Array, rank: int, *, shuffled: bool) -> Moments:
    """Two passes over the train images, and one that draws partners to mix them with."""
    order = in_order(lake, views[0], train)
    is_validated = every_fifth(groups_of(lake, order))
    fit, rest = Scatters(), Scatters()
    for rows, is_rest in _parts(lake, views, train, is_validated):
        fit.add(_some(rows, ~is_rest))
        rest.add(_some(rows, is_rest))
    of_fit = fit.components(rank) if fit.rows else rest.components(rank)
    fit.join(rest)
    moments = Moments(
        every=ScoreMoments(fit.components(rank)),
        fit=ScoreMoments(of_fit),
        validation=ScoreMoments(of_fit),
        mixed=ScoreMoments(of_fit),
    )
    del fit, rest
    others = partners_of(lake, views, train) if shuffled else None
    of_validated = partners_of(lake, views, order.filter(pa.array(is_validated)))
    for batch, is_rest in _parts(lake, views, train, is_validated):
        rows = others.mixed(len(is_rest)) if others else batch
        moments.every.add(rows)
        moments.fit.add(_some(rows, ~is_rest))
        moments.validation.add(_some(rows, is_rest))
        moments.mixed.add(of_validated.mixed(int(is_rest.sum())))
    return moments


def shuffled_views(
    lake: Lake, components: Mapping[str, Components], train: pa.Array, dim: int, ridge: float
) -> SharedSpace:
    """The control: fitted on views of different images, from all over the lake."""
    moments, others = ScoreMoments(components), partners_of(lake, list(components), train)
    for at in range(0, len(train), BATCH):
        moments.add(others.mixed(min(BATCH, len(train) - at)))
    return _space(moments, dim, ridge)


def _space(moments: ScoreMoments, dim: int, ridge: float) -> SharedSpace:
    most = sum(len(part.squares) for part in moments.components.values())
    dim = min(dim, most)
    return gcca(moments.components, moments.blocks(), moments.rows, dim, ridge, or_fewer=True)


def _parts(
    lake: Lake, views: Sequence[str], train: pa.Array, is_validated: Booleans
) -> Iterator[tuple[dict[str, np.ndarray], Booleans]]:
    """Batches {view: (n, d)} of the train images, and of each whether it is of the fifth (n,)."""
    at = 0
    for ids, rows in side_by_side(lake, views, train):
        yield rows, is_validated[at : at + len(ids)]
        at += len(ids)


def _some(rows: Mapping[str, AnyFloats], chosen: Booleans) -> dict[str, AnyFloats]:
    return {view: z[chosen] for view, z in rows.items()}


def _leading(holds: Booleans) -> int:
    """How many dimensions hold before the first that does not; one at least."""
    return max(1, len(holds) if holds.all() else int((~holds).argmax()))
