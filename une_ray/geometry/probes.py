"""Linear probes of a space (paper 1, Linear probes): all attributes and splits, and a label permutation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from une_ray.errors import unknown
from une_ray.geometry.arrays import AnyFloats, Booleans, Floats, Integers
from une_ray.geometry.calibration import Classes, platt
from une_ray.geometry.gram import Rows, in_panels
from une_ray.geometry.linear import METHODS, RIDGES, Alike, Linear, TrainData
from une_ray.geometry.logistic import PASSES
from une_ray.geometry.metrics import auc, measure
from une_ray.geometry.scoring import SplitRows, score
from une_ray.geometry.spread import Blocks, Spread, here
from une_ray.geometry.train_rows import in_memory, train_rows

FEWEST = 5  # train rows of either class
INNER_FOLDS = 5  # of a split's train rows, where no closed form leaves one out
RANK = 500  # components of the paper's chain


@dataclass(frozen=True)
class Probe:
    """One attribute's probe on one split; with status "refused", `error` says why there are no numbers."""

    status: str
    error: str | None
    train: int
    train_positive: int
    test: int
    test_positive: int
    w: Floats | None = None  # (d,)
    b: float | None = None
    slope: float | None = None
    offset: float | None = None
    penalty: float | None = None
    rank: int | None = None
    metrics: dict[str, float] | None = None  # by the names of `metrics.measure`
    permutations: int = 0
    permuted_auc: float | None = None
    p_value: float | None = None


def fit(
    blocks: Blocks,
    labels: AnyFloats,
    test: Booleans,
    method: str = "ridge",
    penalties: Sequence[float] | None = None,
    rank: int = RANK,
    permutations: int = 0,
    seed: int = 0,
    device: str = "cpu",
    groups: Integers | None = None,
    copies: Integers | None = None,
    spread: Spread | None = None,
) -> list[list[Probe]]:
    """Probes by split, then attribute, measured on the split's test rows.

    `labels` (n, k) are 0, 1 or NaN where unknown; `test` (n, splits) bool; `blocks` yields the same rows'
    latents in the same order. Each attribute is fitted on exactly the rows that have its label, so every set
    of attributes that miss different rows costs its own passes. `penalties` are the λ that cross-validation
    chooses from, in units of the train scatter's mean eigenvalue, or logistic's one 1/C. `permutations`
    refits with labels shuffled within each split's train and test rows; p = (1 + shuffles with as high an
    AUC) / (1 + permutations). Rows with the same number in `copies` (n,) are equal, those of one of the
    `groups` (n,), such as a person's pictures, are alike, and would recite each other: both are left out
    together where λ is chosen (of copies generalised cross-validation is that of one of each) and where
    probabilities are calibrated. A group of any size gets the labels of another where labels are shuffled,
    and a shuffle that leaves a class without rows counts for nothing. Memory: (splits + 1) d² float64, half
    as much again of one for ridge and lda (of no more than `train_rows.FEW` in place of all these the
    latents, and three times one split's in float64; of mean-difference nothing), and n·k·(1 + permutations)
    labels and scores (once more for every split that can't fit all of the labels), not the latents; n · rank
    more for pca-logistic, which does without the d² of wide spaces; with groups 2²⁷ numbers of the latents.
    Raises NonFiniteLatents, and UneError for an unknown method, rows that don't match, or a λ that the rows
    don't allow. `spread` makes the two passes of ridge, lda and mean-difference elsewhere; what reads rows
    again, as groups of many rows have it, is by `blocks`.
    """
    if method not in METHODS:
        raise unknown("probe method", method, METHODS)
    labels, test = np.asarray(labels, dtype=np.float32), np.asarray(test, dtype=bool)
    copies = np.arange(len(labels)) if copies is None else np.unique(copies, return_inverse=True)[1].ravel()
    spread = spread or here(blocks, len(labels))
    alike = _alike(groups, copies)
    settings = _Settings(method, penalties, rank, permutations, device, copies, alike, spread)
    probes = [[_counted(y, held_out) for y in labels.T] for held_out in test.T]
    fitted = [j for j in range(labels.shape[1]) if any(split[j].error is None for split in probes)]
    for known, columns in known_together(labels, fitted):
        sound = [[j for j in columns if split[j].error is None] for split in probes]
        y = _with_permuted(labels[:, columns], known, test, groups, permutations, seed)
        fits = list(_fits(blocks, y, list(columns), sound, known, test, settings))
        scored, classes = _scores(fits, settings)
        for each, scores, of_train in zip(fits, scored, classes):
            if each.linear.is_calibrated:
                slope, offset = each.linear.slope, each.linear.offset
            elif each.linear.held_out is None:
                slope, offset = _of_inner_folds(blocks, each, groups, settings)
            else:
                slope, offset = of_train.calibration()
            each = replace(each, linear=_calibrated(each.linear, slope, offset))
            split = probes[each.split]
            for j, probe in zip(each.columns, _measured(each, scores, [split[j] for j in each.columns])):
                split[j] = probe
    return probes


def fit_linear(
    z: AnyFloats,
    labels: AnyFloats,
    method: str = "ridge",
    penalties: Sequence[float] | None = None,
    rank: int = RANK,
) -> Linear:
    """Probes of k attributes from arrays: `labels` (n, k) of 0 or 1, all known, of the rows `z` (n, d)."""
    latents, y = torch.as_tensor(z), torch.as_tensor(labels, dtype=torch.float32)
    gram, rows = in_memory(latents, y, method, penalties)
    fitted = METHODS[method](TrainData(gram, rows, penalties, rank))
    if fitted.held_out is None:
        return fitted
    apart = Alike(torch.ones(len(latents), 1, dtype=torch.float64), 2 * y.double() - 1)
    return _left_out(fitted, lambda: iter([(latents, y)]), apart, y.shape[1])


def known_together(labels: AnyFloats, columns: Sequence[int]) -> Iterator[tuple[Booleans, Integers]]:
    """Attributes that have labels for the same rows, which one Gram serves.

    Yields those rows (n,) and the attributes' columns.
    """
    patterns: dict[bytes, list[int]] = {}
    for column in columns:
        patterns.setdefault(np.isnan(labels[:, column]).tobytes(), []).append(column)
    for alike in patterns.values():
        yield ~np.isnan(labels[:, alike[0]]), np.asarray(alike)


def _counted(y: AnyFloats, held_out: Booleans) -> Probe:
    """How many rows an attribute has, and in `error` why it can't be probed, if so; not fitted yet."""
    train, test = (y[rows & ~np.isnan(y)] for rows in (~held_out, held_out))
    counts = len(train), int(train.sum()), len(test), int(test.sum())
    return _refused(Probe("ok", None, *counts), _reason(*counts))


def _refused(probe: Probe, error: str | None) -> Probe:
    return probe if error is None else replace(probe, status="refused", error=error)


def _reason(train: int, train_positive: int, test: int, test_positive: int) -> str | None:
    for part, rows, positive in (("train", train, train_positive), ("test", test, test_positive)):
        if not rows:
            return f"no {part} row has this label"
        if positive in (0, rows):
            return f"constant in {part}: all {rows} rows are {'positive' if positive else 'negative'}"
    fewest, kind = min((train_positive, "positives"), (train - train_positive, "negatives"))
    return f"only {fewest} {kind} among {train} train rows, fewer than {FEWEST}" if fewest < FEWEST else None


def _with_permuted(
    labels: AnyFloats,
    known: Booleans,
    test: Booleans,
    groups: Integers | None,
    permutations: int,
    seed: int,
) -> torch.Tensor:
    """(n, k · (1 + permutations)): the labels, then shuffled among rows that the same splits hold out.

    What changes places are groups, whatever their sizes.
    """
    groups = np.arange(len(labels)) if groups is None else groups
    strata = np.column_stack([known, test])
    members, group = np.unique(np.column_stack([groups, strata]), axis=0, return_inverse=True)
    _, stratum = np.unique(members[:, 1:], axis=0, return_inverse=True)
    sources = _shuffled_sources(group.ravel(), stratum.ravel(), permutations, seed)
    return torch.as_tensor(np.concatenate([labels, *(labels[rows] for rows in sources)], axis=1))


def _shuffled_sources(group: Integers, stratum: Integers, permutations: int, seed: int) -> Iterator[Integers]:
    """(n,) for each shuffle, the row whose labels a row gets; `group` is of rows, `stratum` of groups.

    A group's rows get the labels of another group of its stratum, round and round from a random one on: rows
    that share a label share one again. Where sizes differ by far and labels of a group differ as those of
    strangers do, small groups' labels are repeated in large ones, and p-values are larger than they need be.
    """
    random, turns = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    size, order = np.bincount(group), np.argsort(group, kind="stable")
    start, rank, home = np.cumsum(size) - size, np.empty_like(group), np.argsort(stratum, kind="stable")
    rank[order] = np.arange(len(group)) - start[group[order]]
    source = np.empty_like(home)
    for _ in range(permutations):
        source[home] = np.lexsort([random.random(len(size)), stratum])
        first = turns.integers(size)[source]
        yield order[(start[source][group] + (rank + first[group]) % size[source][group])]


@dataclass(frozen=True, eq=False)
class _Settings:
    """As `fit` takes them."""

    method: str
    penalties: Sequence[float] | None
    rank: int
    permutations: int
    device: str
    copies: Integers
    groups: Integers | None  # where they are more than copies
    spread: Spread


@dataclass(frozen=True, eq=False)
class _Fit:
    """What is fitted on one split: labels `y` (n, k) with permuted copies, rows (n,), columns; `alike`
    are the equal train rows of each (n,)."""

    linear: Linear
    y: torch.Tensor
    train: Booleans
    test: Booleans
    split: int
    columns: list[int]
    permutations: int
    alike: Alike


def _fits(
    blocks: Blocks,
    y: torch.Tensor,
    columns: list[int],
    sound: list[list[int]],
    known: Booleans,
    test: Booleans,
    settings: _Settings,
) -> Iterator[_Fit]:
    """Of each split that can fit any of the attributes in `columns`; those that it can are `sound`."""
    method, permutations = settings.method, settings.permutations
    penalties, device, spread = settings.penalties, settings.device, settings.spread
    grams, rows_of = train_rows(blocks, y, known, test, method, penalties, device, spread)
    for split, (gram, held_out) in enumerate(zip(grams, test.T)):
        own = y
        if not sound[split]:
            continue
        if len(sound[split]) < len(columns):  # a label that this split can't fit must not spoil the others
            at = [columns.index(j) for j in sound[split]]
            copies = [len(columns) * copy + i for copy in range(1 + permutations) for i in at]
            gram, own = gram.labelled(copies), y[:, copies]
        train = known & ~held_out
        number = np.bincount(settings.copies[train], minlength=settings.copies.max() + 1)
        average = train.sum().item() / np.count_nonzero(number)
        groups = None if settings.groups is None else torch.as_tensor(settings.groups[train])
        rows = rows_of(own, train)
        linear = METHODS[method](TrainData(gram, rows, settings.penalties, settings.rank, average, groups))
        alike = _copied(settings.copies, number, train, 2 * own[:, : len(sound[split])] - 1)
        if method in RIDGES and not (gram.has_scatter or linear.is_calibrated):  # while rows are in memory
            linear = _left_out(linear, rows, alike.of(train), len(sound[split]))
        yield _Fit(linear, own, train, known & held_out, split, sound[split], permutations, alike)


def _left_out(linear: Linear, rows: Rows, alike: Alike, k: int) -> Linear:
    """With slopes and offsets of the first k attributes from leave-one-out scores of all train rows."""
    assert linear.held_out is not None
    ((z, labels),) = rows()
    own, y = z.double(), 2 * labels[:, :k].double() - 1
    classes = Classes(k, own.device)
    fitted = (own @ in_panels(linear.w[:, :k]))[:, :k] + linear.b[:k]
    classes.add(linear.held_out(own, fitted, y, Alike(alike.count.to(own), alike.labels.to(own))), y)
    return replace(_calibrated(linear, *classes.calibration()), is_calibrated=True)


def _alike(groups: Integers | None, copies: Integers) -> Integers | None:
    """(n,) whole numbers, equal for rows that copies or groups join, in one step or many; None where there is
    no more to them than copies."""
    if groups is None:
        return None
    rows, group = np.arange(len(copies)), len(copies) + np.unique(groups, return_inverse=True)[1].ravel()
    nodes = coo_array((np.ones(2 * len(rows)), (np.r_[copies, group], np.r_[group, copies])))
    joined = connected_components(nodes, directed=False)[1][copies]
    return joined if len(np.unique(joined)) < len(np.unique(copies)) else None


def _copied(copies: Integers, number: Integers, train: Booleans, y: torch.Tensor) -> Alike:
    """Of all rows; `number` is that of each picture's train rows, `y` (n, k) are labels ±1."""
    rows = torch.as_tensor(train)
    sums = torch.zeros(len(number), y.shape[1], dtype=torch.float64)
    sums.index_add_(0, torch.as_tensor(copies)[rows], y[rows].double())
    return Alike(torch.as_tensor(number[copies], dtype=torch.float64)[:, None], sums[torch.as_tensor(copies)])


def _scores(fits: list[_Fit], settings: _Settings) -> tuple[list[Floats], list[Classes]]:
    """Each split's scores (test rows, k) float64, and its classes' leave-one-out scores where they have a
    closed form, of the labels that are not permuted; all from one pass."""
    splits = [
        SplitRows(
            torch.as_tensor(each.train),
            torch.as_tensor(each.test),
            each.y[:, : len(each.columns)],
            each.alike,
        )
        for each in fits
    ]
    shared = [each.linear for each in fits], settings.device
    found = settings.spread(score, shared, lambda rows: [split.of(rows) for split in splits], len(fits))
    return [np.concatenate(each.scores) for each in found], [each.classes for each in found]


def _of_inner_folds(
    blocks: Blocks, outer: _Fit, groups: Integers | None, settings: _Settings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Slope and offset (k,) from scores of a split's train rows by fits to the other four fifths of them.

    Groups are kept together. One and zero where an inner fit is impossible.
    """
    k = len(outer.columns)
    groups = settings.copies if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
    fifth = np.random.default_rng(0).permutation(groups.max() + 1)[groups] % INNER_FOLDS
    y, held_out = outer.y[:, :k], fifth[:, None] == np.arange(INNER_FOLDS)
    parts = [torch.as_tensor(outer.train & ~part) for part in held_out.T]
    sound = [j for j in range(k) if all(0 < y[rows, j].mean() < 1 for rows in parts)]
    slope, offset = torch.ones(k, dtype=torch.float64), torch.zeros(k, dtype=torch.float64)
    if sound:
        y = y[:, sound]
        columns = list(range(len(sound)))
        inner = replace(settings, permutations=0)
        fits = list(_fits(blocks, y, columns, [columns] * INNER_FOLDS, outer.train, held_out, inner))
        scores = torch.as_tensor(np.concatenate(_scores(fits, inner)[0]))
        labels = torch.cat([y[torch.as_tensor(fit.test)] for fit in fits]).double()
        slope[sound], offset[sound] = platt(scores, labels)
    return slope, offset


def _calibrated(linear: Linear, slope: torch.Tensor, offset: torch.Tensor) -> Linear:
    """With slopes and offsets of the attributes that come first."""
    slopes, offsets = linear.slope.clone(), linear.offset.clone()
    slopes[: len(slope)], offsets[: len(offset)] = slope.to(slopes), offset.to(offsets)
    return replace(linear, slope=slopes, offset=offsets, held_out=None)


def _measured(fit: _Fit, scores: Floats, counted: list[Probe]) -> Iterator[Probe]:
    """The `counted` probes with what was fitted and what the test rows say.

    Scores are in the order of `_with_permuted`.
    """
    linear, permutations, count = fit.linear, fit.permutations, len(counted)
    labels = fit.y[torch.as_tensor(fit.test)].numpy()
    w, slope, offset = linear.w.T.cpu().numpy(), linear.slope.cpu().numpy(), linear.offset.cpu().numpy()
    penalty = [None] * count if linear.penalty is None else linear.penalty.tolist()
    converged = linear.converged.reshape(1 + permutations, count).all(0).tolist()
    metrics = measure(scores[:, :count], labels[:, :count], slope[:count], offset[:count])
    permuted = auc(scores[:, count:], labels[:, count:])
    train = fit.y[torch.as_tensor(fit.train)][:, count:].numpy()
    constant = np.isin(train.mean(0), (0, 1)) | np.isin(labels[:, count:].mean(0), (0, 1))
    permuted = np.where(constant, np.nan, permuted).reshape(permutations, count)
    for j, probe in enumerate(counted):
        if not converged[j]:
            error = f"logistic regression has not converged in {PASSES} passes; a larger penalty helps"
            yield _refused(probe, error)
            continue
        yield replace(
            probe,
            w=w[j],
            b=linear.b[j].item(),
            slope=slope[j].item(),
            offset=offset[j].item(),
            penalty=penalty[j],
            rank=linear.rank,
            metrics={name: values[j].item() for name, values in metrics.items()},
            permutations=permutations,
            **_beside_permuted(metrics["auc"][j], permuted[:, j]),
        )


def _beside_permuted(value: float, permuted: Floats) -> dict[str, Any]:
    """Mean AUC of shuffled labels, and the p-value of a probe's AUC among them, at least 1 / (1 + shuffles).

    Shuffles without one of the classes in train or in test, NaN here, count for nothing: labels like that
    have no probe either. Neither figure is known where none is left.
    """
    permuted = permuted[~np.isnan(permuted)]
    if not len(permuted):
        return {"permuted_auc": None, "p_value": None}
    p_value = (1 + (permuted >= value).sum().item()) / (1 + len(permuted))
    return {"permuted_auc": permuted.mean().item(), "p_value": p_value}
