"""Corpora that are every combination of a few factors: which index has which factors, and subsamples of them.

The grid is a table that nobody holds: item `index` has the factors that are the digits of `index` in mixed
radix, the last factor running fastest, as dSprites and 3DShapes are published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from une_ray.errors import UneError, unknown

STRONGEST = 0.9  # correlation of a subsample's two factors: beyond, cells of a coarse grid run empty
NODES = 400  # points in each value's interval at which the copula's cells are integrated


@dataclass(frozen=True)
class FactorGrid:
    """Every combination of factors, each a whole number from 0 to its size − 1."""

    sizes: Mapping[str, int] = field(hash=False)

    def __len__(self) -> int:
        return int(np.prod(list(self.sizes.values())))

    @property
    def names(self) -> list[str]:
        """The factors, the slowest first."""
        return list(self.sizes)

    def factors_of(self, indices: np.ndarray | Sequence[int]) -> np.ndarray:
        """(n, f) int64: the factors of items (n,). Raises UneError outside the grid."""
        items = np.asarray(indices, np.int64)
        if items.size and (items.min() < 0 or items.max() >= len(self)):
            outside = items[(items < 0) | (items >= len(self))][0]
            raise UneError(f"item {outside} is outside of a grid of {len(self):,} items, which starts at 0")
        return np.stack(np.unravel_index(items, tuple(self.sizes.values())), axis=-1)

    def indices_of(self, factors: np.ndarray | Sequence[Sequence[int]]) -> np.ndarray:
        """(n,) int64: which items have factors (n, f). Raises UneError for a value that a factor lacks."""
        values = checked(np.asarray(factors, np.int64), self.sizes)
        return np.ravel_multi_index(tuple(values.T), tuple(self.sizes.values())).astype(np.int64)

    def subsample(
        self, count: int, seed: int = 0, *, correlation: float = 0.0, pair: tuple[str, str] | None = None
    ) -> np.ndarray:
        """(count,) int64: different items in random order.

        Without a `pair` every item is as likely, and a smaller count is the beginning of a larger one. With
        one, its two factors follow a Gaussian copula: their values are the bins of two standard normal
        variables with that `correlation`, cut so that each factor's own values stay equally frequent. How
        many items a pair of values gets is not drawn but exact, up to one; which items of them, is drawn. All
        other factors stay independent. Raises UneError where the grid has too few items of the commonest pair
        of values, with the largest count there is.
        """
        generator = np.random.default_rng(seed)
        if count > len(self):
            raise UneError(f"the grid has {len(self):,} items; {count:,} different ones can't be had")
        if pair is None:
            return generator.permutation(len(self))[:count]
        first, second = pair
        axes = [self._axis(first), self._axis(second)]
        if first == second:
            raise UneError(f"a factor is not correlated with itself; name two of {', '.join(self.sizes)}")
        shares = copula(self.sizes[first], self.sizes[second], correlation)
        per_cell = len(self) // shares.size
        counts = _apportioned(shares, count)
        if counts.max() > per_cell:
            most = int(per_cell / shares.max())
            raise UneError(
                f"at a correlation of {correlation:g} between {first} and {second} the grid has about"
                f" {most:,} items to take, for its commonest pair of values is on {per_cell:,}; got {count:,}"
            )
        return generator.permutation(np.concatenate(list(self._of_cells(axes, counts, generator))))

    def _of_cells(
        self, axes: list[int], counts: np.ndarray, generator: np.random.Generator
    ) -> Iterator[np.ndarray]:
        """As many random items of each pair of values as `counts` says."""
        sizes = tuple(self.sizes.values())
        others = [axis for axis in range(len(sizes)) if axis not in axes]
        shape = tuple(sizes[axis] for axis in others)
        for cell, wanted in np.ndenumerate(counts):
            drawn = generator.choice(int(np.prod(shape)), wanted, replace=False)
            digits: list[np.ndarray] = [np.empty(0)] * len(sizes)
            digits[axes[0]], digits[axes[1]] = np.full(wanted, cell[0]), np.full(wanted, cell[1])
            for axis, values in zip(others, np.unravel_index(drawn, shape)):
                digits[axis] = values
            yield np.ravel_multi_index(tuple(digits), sizes)

    def _axis(self, name: str) -> int:
        if name not in self.sizes:
            raise unknown("factor", name, self.sizes)
        return self.names.index(name)


def checked(factors: np.ndarray, sizes: Mapping[str, int]) -> np.ndarray:
    """The factors (n, f), or UneError for other shapes and values."""
    if factors.ndim != 2 or factors.shape[1] != len(sizes):
        raise UneError(f"factors are rows of {', '.join(sizes)}; got an array of shape {factors.shape}")
    for name, size, values in zip(sizes, sizes.values(), factors.T):
        if len(values) and (values.min() < 0 or values.max() >= size):
            wrong = values[(values < 0) | (values >= size)][0]
            raise UneError(f"{name} is 0 to {size - 1}; got {wrong}")
    return factors


def copula(first: int, second: int, correlation: float) -> np.ndarray:
    """(first, second): shares of the pairs of values of two factors whose normal scores correlate so; each
    row sums to 1/first and each column to 1/second. Raises UneError beyond ±0.9."""
    from scipy.special import ndtr, ndtri

    if not abs(correlation) <= STRONGEST:
        raise UneError(f"a correlation is −{STRONGEST} to {STRONGEST}; got {correlation:g}")
    ranks = (np.arange(first * NODES) + 0.5) / (first * NODES)
    edges = ndtri(np.arange(second + 1) / second)
    spread = np.sqrt(1 - correlation**2)
    below = ndtr((edges[None, :] - correlation * ndtri(ranks)[:, None]) / spread)
    shares = np.diff(below, axis=1).reshape(first, NODES, second).mean(1) / first
    for _ in range(20):  # what integration leaves of the margins, about 1e-5
        shares /= shares.sum(1, keepdims=True) * first
        shares /= shares.sum(0, keepdims=True) * second
    return shares


def _apportioned(shares: np.ndarray, count: int) -> np.ndarray:
    """Whole numbers that sum to `count`, each its share rounded down or up: the largest remainders go up."""
    exact = shares * count
    counts = np.floor(exact).astype(np.int64)
    missing = count - int(counts.sum())
    largest = np.argsort(-(exact - counts), axis=None, kind="stable")[:missing]
    counts.ravel()[largest] += 1
    return counts
