"""Other images to pair each image with, the null of whatever is measured of pairs: mixed over the whole lake,
whatever its order.

Mixed within a batch of a corpus that is sorted by class, an image meets its own class, and the null is as
strong as the truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from une_ray.geometry.arrays import AnyFloats, Booleans, Integers

MOST = 8192  # rows of each space in memory
SKIPPED = 2**20  # places that are drawn at once to be left out
MIXED = {"mixed": "over the lake"}  # in configs: rows whose null was mixed within batches are others


class Partners:
    """`rows` {space: (m, d)} of m images: all of those that are streamed, in the stream's order, or a random
    sample of them where they are more than MOST (`of` says which rows)."""

    def __init__(
        self, rows: Mapping[str, AnyFloats], total: int, seed: int | np.random.Generator = 0
    ) -> None:
        self.rows, self.total, self.at = rows, total, 0
        self.random = np.random.default_rng(seed)
        self.size = len(next(iter(rows.values())))
        self.orders = {space: self.random.permutation(self.size) for space in rows}
        cycle = self.random.permutation(self.size)
        self.partner = np.empty_like(cycle)
        self.partner[cycle] = np.roll(cycle, 1)  # one cycle: nobody is paired with itself unless it is alone

    @staticmethod
    def of(total: int, seed: int = 0) -> np.ndarray:
        """Which rows of a stream of `total` it wants, in their order."""
        return np.sort(np.random.default_rng(seed).permutation(total)[:MOST])

    def next(self, count: int) -> dict[str, AnyFloats]:
        """For the next `count` rows of the stream another image each, the same one in all spaces."""
        places = self._places(count)
        return {space: z[self.partner[places]] for space, z in self.rows.items()}

    def mixed(self, count: int) -> dict[str, AnyFloats]:
        """So many rows, of another image in each space."""
        places = self._places(count)
        return {space: z[self.orders[space][places]] for space, z in self.rows.items()}

    def skip(self, count: int) -> None:
        """Leave out so many rows of the stream, as if they had been given partners."""
        for start in range(0, count, SKIPPED):
            self._places(min(SKIPPED, count - start))

    def _places(self, count: int) -> np.ndarray:
        """The next rows of those in memory: in turn where these are all there are, else any."""
        if self.total > self.size:
            return self.random.integers(0, self.size, count)
        self.at, start = self.at + count, self.at
        return np.arange(start, self.at) % self.size


def every_fifth(groups: Integers) -> Booleans:
    """(n,) whether an image is of the fifth of the groups (n,) that is held out: every fifth as they come,
    with all images of each."""
    _, first, places = np.unique(groups, return_index=True, return_inverse=True)
    ranks = np.argsort(np.argsort(first))
    return ranks[places] % 5 == 0
