"""How often 95 % intervals hold what they are said to: of probes' AUC over splits, of shares of titles, of
their changes, and of detectors.

    python benchmarks/interval_coverage.py                  # about two minutes of one core
    python benchmarks/interval_coverage.py --corpora 1000

Corpora are drawn anew, the truth is the mean over all of them. An AUC stands beside 1.96 · sd / √5, which
takes the five splits for independent; a share and a change beside the t interval of the titles' shares; a
detector's figures beside the Bayesian bootstrap over prompts (Rubin 1981).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
from scipy import stats

from une_ray.geometry.intervals import share_interval, split_margin
from une_ray.geometry.probes import fit
from une_ray.lake.session import QUERIES
from une_ray.studies.memorization.columns import TABLE

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


def changes(corpora: int) -> Iterator[Line]:
    """Coverage of the change of eight titles' share of copies, four pictures each, before and after."""
    for before, after in ((1.0, 0.05), (0.95, 0.9), (0.6, 0.6)):
        random, truth = np.random.default_rng(0), after - before
        plain, changed = (random.random((corpora, 8, 4)) < share for share in (before, after))
        rows = pa.concat_tables(
            [pictures("none", "held-out", plain), pictures("method", "held-out", changed)]
        )
        low, high = asked(rows, "SELECT copies_from, copies_to FROM method_changes").T
        each = changed.mean(2) - plain.mean(2)
        half = stats.t.ppf(0.975, 7) * each.std(1, ddof=1) / np.sqrt(8)
        ours, rival = (low <= truth) & (truth <= high), abs(each.mean(1) - truth) <= half + 1e-9
        yield Line(f"change of copies from {before} to {after}", truth, ours.mean(), rival.mean())


def detectors(corpora: int) -> Iterator[Line]:
    """Coverage of AUC and TPR at 1 % FPR of normal scores, eight titles and forty captions of four pictures
    each, which are correlated by .7 within a prompt."""
    for apart in (2.0, 3.0, 4.0):
        random = np.random.default_rng(0)
        # Every picture twice: even seeds choose the titles, and are no part of the figures.
        titles, captions = (normal(random, (corpora, prompts, 4)) for prompts in (8, 40))
        titles += apart
        rows = pa.concat_tables(
            [
                pictures("none", "duplicated", np.ones((corpora, 8, 8), bool), np.repeat(titles, 2, 2)),
                pictures("none", "held-out", np.zeros(captions.shape, bool), captions),
            ]
        )
        ours = asked(rows, "SELECT auc_from, auc_to, tpr_from, tpr_to FROM detectors").T
        rival = np.array([bootstrap(*both, random) for both in zip(titles, captions)]).T
        truths = stats.norm.cdf(apart / np.sqrt(2)), stats.norm.sf(stats.norm.isf(0.01) - apart)
        for name, truth, place in zip(("AUC", "TPR at 1 % FPR"), truths, (0, 2)):
            held = [(of[place] <= truth) & (truth <= of[place + 1]) for of in (ours, rival)]
            yield Line(f"{name} of a detector", truth, held[0].mean(), held[1].mean())


def normal(random: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """(corpora, prompts, pictures) scores of variance 1, correlated by .7 within a prompt."""
    shared = random.standard_normal((*shape[:2], 1))
    return np.sqrt(0.7) * shared + np.sqrt(0.3) * random.standard_normal(shape)


def bootstrap(titles: np.ndarray, captions: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """AUC from and to, TPR from and to, over 400 draws of weights of prompts; scores (prompts, pictures)."""
    of_titles, of_captions = (random.dirichlet(np.ones(len(of)), 400) for of in (titles, captions))
    reaching = (captions[None, None] >= titles[..., None, None]).mean(3) @ of_captions.T
    aucs = 1 - np.einsum("dt,tsd->d", of_titles, reaching) / titles.shape[1]
    tprs = np.einsum("dt,tsd->d", of_titles, reaching <= 0.01) / titles.shape[1]
    return np.concatenate([np.quantile(drawn, [0.025, 0.975]) for drawn in (aucs, tprs)])


def pictures(method: str, kind: str, copied: np.ndarray, scores: np.ndarray | None = None) -> pa.Table:
    """Rows of `memorization`: `copied`, and `scores` of a detector, (corpora, prompts, seeds); a corpus is a
    `model`."""
    corpus, prompt, seed = (index.ravel() for index in np.indices(copied.shape))
    known = {
        "model": pa.array([f"{of:05}" for of in corpus]),
        "prompt": pa.array([f"{kind} {of} of {model}" for of, model in zip(prompt, corpus)]),
        "seed": pa.array(seed),
        "is_copy": pa.array(copied.ravel()),
    } | {
        name: pa.array([text] * copied.size)
        for name, text in (("weights", "w"), ("method", method), ("settings", "{}"), ("kind", kind))
    }
    known |= {
        "steps": pa.array(np.full(copied.size, 50)),
        "guidance_scale": pa.array(np.full(copied.size, 7.5)),
    }
    if scores is not None:
        known["detectors"] = pa.array(
            [[("score", of)] for of in scores.ravel().tolist()], TABLE.schema.field("detectors").type
        )
    return pa.table(
        {field.name: known.get(field.name, pa.nulls(copied.size, field.type)) for field in TABLE.schema}
    )


def asked(rows: pa.Table, query: str) -> np.ndarray:
    """(corpora, columns) of a query over the views of `memorization.sql`, corpora in their order."""
    connection = duckdb.connect()
    connection.register("rows", rows)
    connection.execute("CREATE TEMP VIEW memorization AS FROM rows")
    for statement in connection.extract_statements((QUERIES / "memorization.sql").read_text()):
        if statement.type.name == "CREATE":
            connection.execute(statement.query)
    return np.array(connection.execute(f"{query} ORDER BY model").fetchall(), float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=int, default=200)
    corpora = parser.parse_args().corpora
    print(f"| of {corpora} corpora | truth | interval holds it | its rival |\n|---|---|---|---|")
    for line in (*probes(corpora), *shares(corpora), *changes(corpora), *detectors(corpora)):
        print(f"| {line.what} | {line.truth:.2f} | {line.ours:.1%} | {line.rival:.1%} |", flush=True)


if __name__ == "__main__":
    main()
