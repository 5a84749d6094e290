"""Scores that train rows get from fits without their group: all pictures of a person, or near-copies.

With a hat matrix H of all rows, ridge without the rows g gives them the scores y − (I − H_gg)⁻¹ r, where r
are their residuals (Cook & Weisberg 1982, section 3.6, of least squares; ridge is that with rows for λ). So
nothing is fitted again: the rows are read once more, a group at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from une_ray.geometry.calibration import Classes
from une_ray.geometry.gram import Gram, Rows, column_sums, in_panels

HELD = 2**27  # numbers of latents in memory: of more, the rows are read again for every part
BATCH = 2**22  # numbers of one batch of groups


@dataclass(frozen=True, eq=False)
class Fitted:
    """A ridge regression on all rows: weights (d, k in panels) and `scale` (d,) of coordinates `turned` like
    them, so that products of scaled rows are the hat matrix less 1/n; no eigenvalue of it is above `most`."""

    weights: torch.Tensor
    scale: torch.Tensor
    most: float = 1 - 1e-9


def by_groups(rows: Rows, group: torch.Tensor, gram: Gram) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Latents (m, c, d) and labels ±1 (m, c, k in panels) of m groups of c rows, float64, small groups first.

    `group` (n,) are whole numbers of the `rows`, which `gram` is of. Every HELD numbers cost a pass.
    """
    width = max(in_panels(gram.zy).shape)
    number = group.unique(return_inverse=True)[1]
    size = number.bincount()
    order = torch.argsort(size[number] * len(size) + number, stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    for part in _parts(size.sort().values.tolist(), width):
        low, high = part[0][0], part[-1][0] + part[-1][1] * part[-1][2]
        z, y = _gathered(rows, place, low, high)
        for start, count, rows_each in part:
            of = slice(start - low, start - low + count * rows_each)
            labels = in_panels(2 * y[of].double() - 1)
            yield z[of].double().view(count, rows_each, -1), labels.view(count, rows_each, -1)


def _parts(sizes: list[int], width: int) -> Iterator[list[tuple[int, int, int]]]:
    """What is in memory together: batches of groups of one size, each its first row, groups and size."""
    part: list[tuple[int, int, int]] = []
    start = at = 0
    while at < len(sizes):
        size = sizes[at]
        count = 1
        while at + count < len(sizes) and sizes[at + count] == size and (count + 1) * size * width <= BATCH:
            count += 1
        if part and (start + count * size - part[0][0]) * width > HELD:
            yield part
            part = []
        part.append((start, count, size))
        start, at = start + count * size, at + count
    yield part


def _gathered(rows: Rows, place: torch.Tensor, low: int, high: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents and labels of the rows whose `place` is from `low` to below `high`, in that order."""
    found, start = [], 0
    for z, y in rows():
        at = place[start : start + len(z)]
        start += len(z)
        inside = (at >= low) & (at < high)
        if inside.any():
            chosen = inside.to(z.device)
            found.append((at[inside], z[chosen], y[chosen]))
    order = torch.argsort(torch.cat([at for at, _, _ in found])).to(found[0][1].device)
    return torch.cat([z for _, z, _ in found])[order], torch.cat([y for _, _, y in found])[order]


def best_ridge(
    rows: Rows,
    group: torch.Tensor,
    gram: Gram,
    fits: Sequence[Fitted],
    turned: Callable[[torch.Tensor], torch.Tensor],
    guard: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Place (k,) of the fit whose scores without the own group have least squared error, of each attribute,
    and slope and offset (k,) of these scores.

    `fits` are of the largest λ first. Where groups' residuals are a share of `guard` or less of what they are
    without the group, on average, in the direction in which they are least, errors are nothing but rounding:
    such a fit is chosen only where it is the first and all others are like it.
    """
    k = len(gram.yy)
    errors = torch.zeros(len(fits), k, dtype=torch.float64, device=gram.zy.device)
    kept, classes = [0.0] * len(fits), [Classes(k, gram.zy.device) for _ in fits]
    mean_y = in_panels(gram.mean_y[None])[0]
    for z, y in by_groups(rows, group, gram):
        z = turned(z - gram.mean_z)
        for i, fit in enumerate(fits):
            scores, least = without_group(z * fit.scale, y, z @ fit.weights + mean_y, gram.count, fit.most)
            scores, labels = scores.flatten(0, 1)[:, :k], y.flatten(0, 1)[:, :k]
            errors[i] += column_sums((labels - scores).square())
            classes[i].add(scores, labels)
            kept[i] += least.sum().item() * z.shape[1] / gram.count
    sound = [share > guard for share in kept]
    errors[[not each for each in sound]] = torch.inf
    best = errors.argmin(0) if any(sound) else torch.zeros_like(errors[0], dtype=torch.long)
    slope, offset = (torch.stack(each) for each in zip(*(each.calibration() for each in classes)))
    return best, slope.gather(0, best[None])[0], offset.gather(0, best[None])[0]


def without_group(
    x: torch.Tensor, y: torch.Tensor, scores: torch.Tensor, count: int, most: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores (m, c, k) of m groups' rows by fits without them, from those of all `count` rows, and the least
    eigenvalue (m,) of I − H_gg.

    `x` (m, c, d) are rows whose products are H less 1/n; of more rows than dims, the products of the dims
    have the same eigenvalues.
    """
    x = torch.cat([x, torch.full_like(x[..., :1], count**-0.5)], dim=2)
    residual = y - scores
    if x.shape[1] <= x.shape[2]:
        values, vectors = torch.linalg.eigh(x @ x.mT)
        kept = 1 - values.clamp_max(most)
        residual = vectors @ (vectors.mT @ residual / kept[..., None])
    else:
        values, vectors = torch.linalg.eigh(x.mT @ x)
        kept = 1 - values.clamp_max(most)
        x = x @ vectors
        residual = residual + x @ (x.mT @ residual / kept[..., None])
    return y - residual, kept[:, -1]


def of_mean_difference(
    rows: Rows, group: torch.Tensor, gram: Gram, delta: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Slope and offset (k,) of the scores z·Δ, zero halfway, of both classes' means without the own group.

    Without c of its n rows a class' mean μ is less by e = Σ (z − μ) / (n − c), summed over those; the score
    is half the difference of the squared distances from both.
    """
    k = len(gram.yy)
    classes, delta = Classes(k, gram.zy.device), in_panels(delta)
    square, mean_y = column_sums(delta.square()), in_panels(gram.mean_y[None])[0]
    for z, y in by_groups(rows, group, gram):
        z = z - gram.mean_z
        along, products = z @ delta, z @ z.mT
        scores = along + mean_y * square / 2  # of all rows
        for side in (1, -1):
            members = (side * y > 0).double()
            m = side * (1 - side * mean_y) / 2  # the class' mean is z̄ + mΔ
            number = members.sum(1, keepdim=True)
            left = (gram.count * (1 + side * mean_y) / 2 - number).clamp_min(1)
            towards = products @ members - m * (along * number + (along * members).sum(1, keepdim=True))
            towards = (towards + m**2 * square * number) / left  # (z − μ)·e
            length = (towards * members).sum(1, keepdim=True) / left
            scores = scores - side * (towards + length / 2)
        classes.add(scores.flatten(0, 1)[:, :k], y.flatten(0, 1)[:, :k])
    return classes.calibration()
