"""The same method at the same λ, on train labels that were shuffled, for every image another time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from une_ray.errors import UneError
from une_ray.geometry import probes
from une_ray.lake.latents import blocks, image_ids
from une_ray.lake.layout import Lake
from une_ray.studies.edits.baselines import SEED
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.probe_row import ProbeRow
from une_ray.studies.edits.train_rows import TrainRows, joint_labels

TOGETHER = 32  # shuffles that are fitted in one pass over the lake


def permuted(lake: Lake, probe: Direction, train: TrainRows, row: ProbeRow) -> Direction:
    """Raises UneError where the method can't be fitted to shuffled labels."""

    def steps(edited: Sequence[str]) -> np.ndarray:
        parts = [edited[begin : begin + TOGETHER] for begin in range(0, len(edited), TOGETHER)]
        return np.concatenate([_steps(lake, probe, train, row, part) for part in parts])

    return replace(
        probe, method="permuted", step=steps([""])[0], nuisances=(), remaining_norm=1.0, draws=steps
    )


def _steps(
    lake: Lake, probe: Direction, train: TrainRows, row: ProbeRow, edited: Sequence[str]
) -> np.ndarray:
    """(b, d): of each image what raises the score of its own shuffle's probe by a standard deviation."""
    labels, tested = joint_labels(lake, image_ids(lake, probe.space), probe.attribute)
    known = np.flatnonzero(~tested & ~np.isnan(labels))
    shuffles = np.repeat(labels[:, None], len(edited), axis=1)
    for column, image_id in enumerate(edited):
        shuffles[known, column] = _generator(image_id).permutation(labels[known])
    (fitted,) = probes.fit(
        partial(blocks, lake, probe.space),
        shuffles,
        tested[:, None],
        row.method,
        None if row.penalty is None else [row.penalty],
        row.rank or probes.RANK,
    )
    return np.stack([_step(probe, train, row, one) for one in fitted])


def _step(probe: Direction, train: TrainRows, row: ProbeRow, fitted: probes.Probe) -> np.ndarray:
    if fitted.w is None or fitted.b is None:
        raise UneError(
            f"{row.method} can't be fitted to permuted labels of {probe.attribute}: {fitted.error}; "
            "leave permuted out of --baselines"
        )
    return Direction.fitted(probe.space, probe.attribute, "permuted", fitted.w, fitted.b, train.z).step


def _generator(image_id: str) -> np.random.Generator:
    digest = hashlib.sha256(f"edits/permuted/{SEED}/{image_id}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


BASELINE = permuted
