"""Linear probes of a space as a study (paper 1, Linear probes): every attribute, every split, beside a label permutation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from une_ray.errors import unknown
from une_ray.geometry.gram import Blocks, passes, train_grams
from une_ray.geometry.linear import METHODS, Linear, Train, scatter_up_to
from une_ray.geometry.logistic import PASSES, Rows
from une_ray.geometry.metrics import auc, measure

FEWEST = 5  # train rows of either class


@dataclass(frozen=True)
class Probe:
    """One attribute's probe on one split; with status "refused", `error` says why there are no numbers."""

    status: str
    error: str | None
    train: int
    train_positive: int
    test: int
    test_positive: int
    w: np.ndarray | None = None  # (d,) float64
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
    labels: np.ndarray,
    test: np.ndarray,
    method: str = "ridge",
    penalties: Sequence[float] | None = None,
    rank: int = 500,
    permutations: int = 0,
    seed: int = 0,
    device: str = "cpu",
) -> list[list[Probe]]:
    """Probes by split, then attribute, measured on the split's test rows.

    `labels` (n, k) are 0, 1 or NaN where unknown; `test` (n, splits) bool; `blocks` yields the same rows' latents in the same order.
    Each attribute is fitted on exactly the rows that have its label, so every set of attributes that miss different rows costs its
    own passes. `penalties` are the λ that generalised cross-validation chooses from, in units of the train scatter's mean eigenvalue,
    or logistic's one 1/C. `permutations` refits with labels shuffled within each split's train and test rows;
    p = (1 + shuffles with as high an AUC) / (1 + permutations).
    Memory: (splits + 1) d² float64, half as much again of one for ridge and lda, and n·k·(1 + permutations) labels and scores (once more for
    every split that can't tell all of the labels), not the latents; n · rank more for pca-logistic, which does without the d² of wide spaces.
    Raises NonFiniteLatents, and UneError for an unknown method, rows that don't match, or a λ that the rows don't allow.
    """
    if method not in METHODS:
        raise unknown("probe method", method, METHODS)
    labels, test = np.asarray(labels, dtype=np.float32), np.asarray(test, dtype=bool)
    probes = [[_counted(y, held_out) for y in labels.T] for held_out in test.T]
    fitted = [j for j in range(labels.shape[1]) if any(split[j]["error"] is None for split in probes)]
    for known, columns in known_together(labels, fitted):
        y = _with_permuted(labels[:, columns], known, test, permutations, seed)
        fits: list[_Fit] = []
        grams = train_grams(blocks, 2 * y - 1, test, known, device, scatter_up_to(method, device))
        for gram, held_out, split in zip(grams, test.T, probes):
            if sound := [i for i, column in enumerate(columns) if split[column]["error"] is None]:
                own = y
                if len(sound) < len(columns):  # a label that this split can't tell must not spoil the others
                    chosen = [len(columns) * copy + i for copy in range(1 + permutations) for i in sound]
                    gram, own = gram.labelled(chosen), y[:, chosen]
                linear = METHODS[method](
                    Train(gram, _rows(blocks, own, known & ~held_out, device), penalties, rank)
                )
                fits.append(_Fit(linear, own, known & held_out, [split[columns[i]] for i in sound]))
        for found, scores in zip(fits, _scores(blocks, fits, device)):
            measured = found.y[torch.as_tensor(found.test)].numpy()
            for row, reading in zip(found.rows, _readings(found.linear, scores, measured, permutations)):
                row |= reading
    return [[Probe("refused" if row["error"] else "ok", **row) for row in split] for split in probes]


def _counted(y: np.ndarray, held_out: np.ndarray) -> dict:
    """How many rows an attribute has, and in `error` why it can't be probed, if so."""
    train, test = (y[rows & ~np.isnan(y)] for rows in (~held_out, held_out))
    counts = {
        "train": len(train),
        "train_positive": int(train.sum()),
        "test": len(test),
        "test_positive": int(test.sum()),
    }
    return counts | {"error": _reason(*counts.values())}


def _reason(train: int, train_positive: int, test: int, test_positive: int) -> str | None:
    for part, rows, positive in (("train", train, train_positive), ("test", test, test_positive)):
        if not rows:
            return f"no {part} row has this label"
        if positive in (0, rows):
            return f"constant in {part}: all {rows} rows are {'positive' if positive else 'negative'}"
    fewest, kind = min((train_positive, "positives"), (train - train_positive, "negatives"))
    return f"only {fewest} {kind} among {train} train rows, fewer than {FEWEST}" if fewest < FEWEST else None


def known_together(labels: np.ndarray, columns: Sequence[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Attributes that have labels for the same rows, which one Gram serves: those rows (n,) bool, and the attributes' columns."""
    patterns: dict[bytes, list[int]] = {}
    for column in columns:
        patterns.setdefault(np.isnan(labels[:, column]).tobytes(), []).append(column)
    for alike in patterns.values():
        yield ~np.isnan(labels[:, alike[0]]), np.asarray(alike)


def _with_permuted(
    labels: np.ndarray, known: np.ndarray, test: np.ndarray, permutations: int, seed: int
) -> torch.Tensor:
    """(n, k · (1 + permutations)): the labels, then all of them shuffled among known rows that the same splits hold out, and so on."""
    random = np.random.default_rng(seed)
    _, stratum = np.unique(np.column_stack([known, test]), axis=0, return_inverse=True)
    home = np.argsort(stratum.ravel(), kind="stable")
    found = np.repeat(labels[None], 1 + permutations, axis=0)
    for shuffled in found[1:]:
        shuffled[home] = labels[np.lexsort([random.random(len(labels)), stratum.ravel()])]
    return torch.as_tensor(np.concatenate(found, axis=1))


def _rows(blocks: Blocks, y: torch.Tensor, chosen: np.ndarray, device: str) -> Rows:
    rows = torch.as_tensor(chosen)

    def some() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for at, z in passes(blocks, len(y)):
            yield z[rows[at]].to(device).float(), y[at][rows[at]].to(device)

    return some


@dataclass(frozen=True, eq=False)
class _Fit:
    """What was fitted on one split: its labels `y` (n, k) with their permuted copies, its test rows (n,), and where its readings go."""

    linear: Linear
    y: torch.Tensor
    test: np.ndarray
    rows: list[dict]


def _scores(blocks: Blocks, fits: list[_Fit], device: str) -> list[np.ndarray]:
    """Each split's scores (test rows, k) float64, all from one pass."""
    parts: list[list[torch.Tensor]] = [[] for _ in fits]
    for at, z in passes(blocks, len(fits[0].test)):
        for found, scores in zip(fits, parts):
            held_out = z[torch.as_tensor(found.test[at])].to(device).double()
            scores.append((held_out @ found.linear.w + found.linear.b).cpu())
    return [torch.cat(scores).numpy() for scores in parts]


def _readings(linear: Linear, scores: np.ndarray, labels: np.ndarray, permutations: int) -> Iterator[dict]:
    """What the test rows say, as fields of `Probe`, of each attribute; columns are in the order of `_with_permuted`."""
    count = scores.shape[1] // (1 + permutations)
    b, slope, offset = (value[:count].cpu().numpy() for value in (linear.b, linear.slope, linear.offset))
    penalty = [None] * count if linear.penalty is None else linear.penalty.tolist()
    w, converged = (
        linear.w.T.cpu().numpy(),
        linear.converged.cpu().numpy().reshape(1 + permutations, count).all(0),
    )
    metrics = measure(scores[:, :count], labels[:, :count], slope, offset)
    null = auc(scores[:, count:], labels[:, count:]).reshape(permutations, count)
    for j in range(count):
        if not converged[j]:
            yield {
                "error": f"logistic regression has not converged in {PASSES} passes; a larger penalty helps"
            }
            continue
        yield {
            "w": w[j],
            "b": b[j].item(),
            "slope": slope[j].item(),
            "offset": offset[j].item(),
            "penalty": penalty[j],
            "rank": linear.rank,
            "metrics": {name: value[j].item() for name, value in metrics.items()},
            **_null(metrics["auc"][j], null[:, j]),
        }


def _null(found: float, null: np.ndarray) -> dict:
    """The label permutation's fields of `Probe`; its p cannot fall below 1 / (1 + permutations)."""
    if not len(null):
        return {}
    p_value = (1 + (null >= found).sum().item()) / (1 + len(null))
    return {"permutations": len(null), "permuted_auc": null.mean().item(), "p_value": p_value}
