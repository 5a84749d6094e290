"""What every metric starts from: codes and factors that are whole, split into rows to train and to measure
on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from une_ray.errors import UneError

TRAIN, TEST = 10_000, 5_000  # rows at most, as unsupervised_study_v1 has them
FAST_TRAIN, FAST_TEST = 1_000, 500
BINS = 20
HUGE = 1e30  # of which squares are numbers; trees read codes as float32, up to 3e38
FEWEST = 3 * BINS // 2  # rows, of which two thirds are as many as bins


@dataclass(frozen=True, kw_only=True)
class Rows:
    """codes (n, d) float64 and factors (n, f) int64, each factor's values numbered from 0."""

    codes: np.ndarray
    factors: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Sample:
    """`train` to fit on, `test` to measure on, and the generator of whatever else is drawn. `batches` is how
    many a metric that draws batches instead of rows takes, to fit on and to measure on."""

    train: Rows
    test: Rows
    random: np.random.Generator
    batches: tuple[int, int]

    @property
    def whole(self) -> Rows:
        """Both together."""
        return Rows(
            codes=np.concatenate([self.train.codes, self.test.codes]),
            factors=np.concatenate([self.train.factors, self.test.factors]),
        )


def sample(codes: np.ndarray, factors: np.ndarray, seed: int, fast: bool) -> Sample:
    """Two thirds and one third of the rows, at random. Raises UneError for what no metric is defined of."""
    z, v = checked(codes, factors)
    random = np.random.default_rng(seed)
    train, test = split(len(z), random, fast)
    return Sample(
        train=Rows(codes=z[train], factors=v[train]),
        test=Rows(codes=z[test], factors=v[test]),
        random=random,
        batches=_most(fast),
    )


def split(count: int, random: np.random.Generator, fast: bool) -> tuple[np.ndarray, np.ndarray]:
    """Which of so many rows are trained on and which are measured on; the others are not read."""
    order = random.permutation(count)
    most = _most(fast)
    train = order[: min(most[0], 2 * count // 3)]
    return train, order[len(train) :][: most[1]]


def half(count: int, seed: int, fast: bool, half_seed: int) -> np.ndarray:
    """A random half of the rows that `sample` reads of so many under `seed`, in an order in which `sample`
    under `half_seed` trains on those that were trained on, and measures on the others.

    So a score of such halves has the standard deviation that a score of all has over fresh rows (delete-half
    jackknife, Shao and Wu 1989). Halves of all rows would have more in common than they should where more are
    there than a metric reads, and less where it reads them all, since their splits differ.
    """
    whole = split(count, np.random.default_rng(seed), fast)
    size = sum(len(part) for part in whole) // 2
    places = split(size, np.random.default_rng(half_seed), fast)
    random = np.random.default_rng([half_seed, 1])
    rows = np.empty(size, np.int64)
    for part, place in zip(whole, places):
        rows[place] = random.choice(part, len(place), replace=False)
    return rows


def _most(fast: bool) -> tuple[int, int]:
    return (FAST_TRAIN, FAST_TEST) if fast else (TRAIN, TEST)


def checked(codes: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """codes (n, d) float64 and factors (n, f) int64 whose values are 0, 1, 2, …; UneError for others. A code
    whose values differ by rounding alone becomes a constant one, its first value."""
    z, v = np.asarray(codes, np.float64), np.asarray(factors)
    if z.ndim != 2 or v.ndim != 2 or len(z) != len(v) or not z.shape[1] or not v.shape[1]:
        raise UneError(
            f"codes are (n, d) and factors (n, f) of the same n items; got {z.shape} and {v.shape}"
            + ("; a corpus without factors has none of these metrics" if v.ndim == 2 and not v.size else "")
        )
    if len(z) < FEWEST:
        raise UneError(f"{len(z)} rows are fewer than {BINS} bins need; give at least {FEWEST}")
    if not np.isfinite(z).all():
        row, column = np.argwhere(~np.isfinite(z))[0]
        raise UneError(f"code {column} of row {row} is {z[row, column]}; leave such rows out")
    if (huge := np.abs(z).max(0) > HUGE).any():
        column = int(np.argmax(huge))
        raise UneError(
            f"code {column} is as large as {np.abs(z[:, column]).max():.3g}, whose variance is no number;"
            f" divide it by so much, or leave out rows beyond {HUGE:g}"
        )
    if not np.issubdtype(v.dtype, np.integer):
        raise UneError(f"factors are whole numbers; got {v.dtype}")
    numbered = np.empty(v.shape, np.int64)
    for column in range(v.shape[1]):
        values, numbered[:, column] = np.unique(v[:, column], return_inverse=True)
        if len(values) < 2:
            raise UneError(
                f"factor {column} has one value, {values[0]}, in all {len(v):,} rows; leave it out or give"
                " rows in which it varies"
            )
    same = np.ptp(z, axis=0) <= BINS * np.finfo(np.float64).eps * np.abs(z).max(0)
    return np.where(same, z[:1], z), numbered


def binned(values: np.ndarray) -> np.ndarray:
    """(n, d) int64: each column in 20 bins of equal width from its least to its largest value."""
    columns = [np.digitize(column, np.histogram(column, BINS)[1][1:-1]) for column in values.T]
    return np.stack(columns, axis=1)


def mutual_information(bins: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """(d, f): in nats, between each column of bins (n, d) and each of factors (n, f), as counted; exactly 0
    of a code in one bin."""
    information = np.empty((bins.shape[1], factors.shape[1]))
    for place, (code, factor) in _pairs(bins, factors):
        joint = np.zeros((code.max() + 1, factor.max() + 1))
        np.add.at(joint, (code, factor), 1)  # whole numbers: of a code in one bin the ratio is 1, not nearly
        ratio = joint * len(code) / (joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)).clip(1)
        present = joint > 0
        information[place] = (joint[present] * np.log(ratio[present])).sum() / len(code)
    return np.maximum(information, 0)


def entropies(factors: np.ndarray) -> np.ndarray:
    """(f,): of each factor, in nats."""
    shares = [np.bincount(column) / len(column) for column in factors.T]
    return np.array([-(share[share > 0] * np.log(share[share > 0])).sum() for share in shares])


def _pairs(
    bins: np.ndarray, factors: np.ndarray
) -> Iterator[tuple[tuple[int, int], tuple[np.ndarray, np.ndarray]]]:
    for row, code in enumerate(bins.T):
        for column, factor in enumerate(factors.T):
            yield (row, column), (code, factor)


def top_two(scores: np.ndarray) -> np.ndarray:
    """(f,): by how much the best of codes (d, f) is ahead of the second; of a single code, of nothing."""
    ordered = np.sort(np.concatenate([scores, np.zeros((1, scores.shape[1]))]), axis=0)
    if len(scores) > 1:
        ordered = np.sort(scores, axis=0)
    return ordered[-1] - ordered[-2]


class Partners:
    """Draws, for rows (…) and the factor that each holds, other rows that share its value."""

    def __init__(self, factors: np.ndarray) -> None:
        self.factors = factors
        self.order = np.argsort(factors, axis=0, kind="stable")
        counts = [np.bincount(column) for column in factors.T]
        self.counts = counts
        self.starts = [np.concatenate([[0], np.cumsum(count)[:-1]]) for count in counts]

    def draw(self, rows: np.ndarray, held: int, random: np.random.Generator) -> np.ndarray:
        """(…): a random row each, with the same value of factor `held`; perhaps itself."""
        values = self.factors[rows, held]
        offsets = (random.random(rows.shape) * self.counts[held][values]).astype(np.int64)
        return self.order[self.starts[held][values] + offsets, held]
