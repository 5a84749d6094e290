"""How often 95 % intervals hold what they are said to: of probes' AUC over splits, and of shares of titles.

    python benchmarks/interval_coverage.py                  # about a minute of one core
    python benchmarks/interval_coverage.py --corpora 1000

Corpora are drawn anew, the truth is the mean over all of them. An AUC stands beside 1.96 · sd / √5, which
takes the five splits for independent; a share beside the t interval of the titles' shares.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

from une_ray.geometry.intervals import share_interval, split_margin
from une_ray.geometry.probes import fit

SPLITS = 5


class Line(NamedTuple):
    """A row of the table."""

    what: str
    truth: float
    ours: float
    rival: float


def aucs(images: int, dim: int, attributes: int, strength: float, corpora: int) -> np.ndarray:
    """(corpora, SPLITS): mean test AUC of ridge probes; `strength` is the signal in units of the noise."""
    random = np.random.default_rng(0)
    directions = random.standard_normal((dim, attributes)) / np.sqrt(dim)
    found = []
    for _ in range(corpora):
        z = random.standard_normal((images, dim)).astype(np.float32)
        noise = random.standard_normal((images, attributes))
        labels = (strength * z @ directions + noise > 0.5).astype(np.float32)
        held_out = random.integers(0, SPLITS, images)[:, None] == np.arange(SPLITS)
        probes = fit(lambda z=z: iter([z]), labels, held_out)
        found.append(
            [np.mean([probe.metrics["auc"] for probe in split if probe.metrics]) for split in probes]
        )
    return np.array(found)


def probes(corpora: int) -> Iterator[Line]:
    """Coverage of the interval over splits, for strong and for weak signals."""
    for attributes, strength in ((1, 2.0), (1, 0.3), (8, 2.0), (8, 0.3)):
        drawn = aucs(250, 60, attributes, strength, corpora)
        mean, sd, truth = drawn.mean(1), drawn.std(1, ddof=1), drawn.mean()
        ours = np.abs(mean - truth) <= split_margin(sd, SPLITS, 1 / (SPLITS - 1))
        rival = np.abs(mean - truth) <= 1.96 * sd / np.sqrt(SPLITS)
        yield Line(f"mean AUC of {attributes} attributes", truth, ours.mean(), rival.mean())


def shares(corpora: int) -> Iterator[Line]:
    """Coverage of the interval of a share over eight titles of four pictures, alike within a title or not."""
    random = np.random.default_rng(0)
    for share, alike in ((0.09, 0.3), (0.5, 0.3), (0.9, 0.3), (0.5, 0.9), (0.09, 0.9)):
        a, b = share * (1 / alike - 1), (1 - share) * (1 / alike - 1)
        copies = random.binomial(4, random.beta(a, b, (corpora, 8)))
        held = t_held = 0
        for row in copies:
            low, high = share_interval(row, np.full(8, 4))
            held += low <= share <= high
            mean, error = row.mean() / 4, row.std(ddof=1) / 4 / np.sqrt(8)
            t_held += abs(mean - share) <= stats.t.ppf(0.975, 7) * error
        yield Line(
            f"share of copies, correlation {alike} in a title", share, held / corpora, t_held / corpora
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=int, default=200)
    corpora = parser.parse_args().corpora
    print(f"| of {corpora} corpora | truth | interval holds it | its rival |\n|---|---|---|---|")
    for line in (*probes(corpora), *shares(corpora)):
        print(f"| {line.what} | {line.truth:.2f} | {line.ours:.1%} | {line.rival:.1%} |", flush=True)


if __name__ == "__main__":
    main()
