"""Coordinates whose scales differ by orders, brought to one scale: whatever is measured against the largest
or the mean variance, as principal components and λ are, would else not see the small ones."""

from __future__ import annotations

import torch

from une_ray.geometry.gram import Gram, Rows

ORDERS = 1e4  # between the largest variance of a coordinate and their median
# Where half or more are large: between it and the variance that one in ten is below. Ridge's least λ, 1e-4 of
# the mean variance, leaves a sixth of those. Of fewer it may be noise of features that never fire.
SHARE, ORDERS_OF_SHARE = 0.1, 1e5
ROUNDING = 1e-6  # of a coordinate's mean, which is no variation


def evening(variance: torch.Tensor, mean: torch.Tensor) -> torch.Tensor | None:
    """(d,) factors that make variances 1, of coordinates' `variance` (d,) and `mean`.

    None where scales do not differ by orders. Constant coordinates count for nothing and keep their scale.
    """
    varying = variance[variance > (ROUNDING * mean).square()].sort().values
    if len(varying) and (
        varying[-1] > ORDERS * varying.median()
        or varying[-1] > ORDERS_OF_SHARE * varying[int(SHARE * len(varying))]
    ):
        return torch.where(variance > 0, variance, 1.0).rsqrt()
    return None


def variances(gram: Gram, rows: Rows) -> torch.Tensor:
    """(d,) of the coordinates of the `rows` that `gram` is of, which are read where it has no scatter."""
    if gram.has_scatter:
        return gram.scatter().diagonal() / gram.count
    total = torch.zeros_like(gram.mean_z)
    for z, _ in rows():
        total += (z - gram.mean_z).square().sum(0)
    return total / gram.count


def rescaled(gram: Gram, rows: Rows, scale: torch.Tensor, exact: bool = False) -> tuple[Gram, Rows]:
    """Of the same rows with coordinates times `scale` (d,), which makes their variances 1; `exact` ones are
    float64."""
    zz = gram.scatter() * scale * scale[:, None] if gram.has_scatter else gram.zz
    spread, small = gram.count * float(len(scale)), scale.float()
    mean, zy = gram.mean_z * scale, gram.zy * scale[:, None]
    even = Gram(gram.count, mean, gram.mean_y, zz, zy, gram.yy, spread)
    return even, lambda: ((z.double() * scale if exact else z * small, y) for z, y in rows())
