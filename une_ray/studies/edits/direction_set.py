"""All directions of one edit: the probe's, the orthogonalised one, that of a query, those of a shared space,
and the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import duckdb
import numpy as np

from une_ray.errors import UneError
from une_ray.lake.latents import labels_and_folds
from une_ray.lake.layout import Lake
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.edit import QUERY, Edit
from une_ray.studies.edits.erasures import Nuisances, shrunk
from une_ray.studies.edits.probe_row import ProbeRow, probe_row
from une_ray.studies.edits.registries import BASELINES, ERASURES, PATHS
from une_ray.studies.edits.shared_steps import shared_steps
from une_ray.studies.edits.together import JointDirection
from une_ray.studies.edits.train_rows import TrainRows, targets_of

PROBE, ORTHOGONALISED = "probe", "orthogonalised"


def directions(
    lake: Lake, edit: Edit, rows: Mapping[str, ProbeRow], train: TrainRows
) -> dict[str, Direction]:
    """`probe`, `orthogonalised` where something is kept, `query` and those of `shared_steps` where they are
    asked for, and the baselines, by name; `rows` are those of `probes_of_edit`.

    Raises UneError where an attribute has no probe (with the reason of the refusal) and where the kept ones
    span the target."""
    readings = {
        name: Direction.from_probe(probe_row(rows, name), train.z)
        for name in (*targets_of(edit.attribute, rows), *edit.keep)
    }
    target = _target(edit, rows, readings)
    erasure, covariance = ERASURES.find(edit.erasure), None
    if edit.inner_product == "covariance" or (edit.keep and erasure.needs_covariance):
        covariance = shrunk(np.cov(train.z.T, dtype=np.float64), edit.shrinkage)
    inner_product = covariance if edit.inner_product == "covariance" else None
    by_name = {PROBE: target.keeping({}, inner_product)}
    if edit.keep:
        labels = labels_and_folds(lake, train.image_ids, list(edit.keep), [0])[0]
        kept = Nuisances({name: readings[name].w for name in edit.keep}, train.z, labels, covariance)
        by_name[ORTHOGONALISED] = erasure.erase(target, kept, inner_product, edit.rounds)
    if edit.query:
        by_name[QUERY] = _queried(lake, edit, train)
    if edit.shared:
        by_name |= shared_steps(lake, edit, edit.shared, train)
    first = rows[targets_of(edit.attribute, rows)[0]]
    train = replace(train, covariance=inner_product)
    for name in edit.baselines:
        if name in BASELINES:
            by_name[name] = BASELINES.find(name)(lake, by_name[PROBE], train, first)
    return by_name


def _target(edit: Edit, rows: Mapping[str, ProbeRow], readings: Mapping[str, Direction]) -> Direction:
    names = targets_of(edit.attribute, rows)
    if len(names) == 1:
        return readings[names[0]]
    if PATHS.find(edit.path).to_score:
        raise UneError(
            f"the path {edit.path} goes by the score of one attribute, not of {edit.attribute}; "
            "choose straight or shell"
        )
    return JointDirection.of(edit.attribute, [readings[name] for name in names])


def _queried(lake: Lake, edit: Edit, train: TrainRows) -> Direction:
    try:
        rows = lake.cursor().sql(edit.query or "").to_arrow_table().to_pylist()
    except (duckdb.Error, AttributeError) as error:  # DuckDB gives None for a statement without rows
        raise UneError(f"the direction's SQL, {edit.query!r}, gives no rows: {error}") from error
    dim = train.z.shape[1]
    w = rows[0].get("w") if len(rows) == 1 else None
    if not isinstance(w, list) or len(w) != dim:
        raise UneError(
            f"the direction's SQL, {edit.query!r}, gives {len(rows)} rows; "
            f"it must be one, with a list w of {dim} numbers"
        )
    try:
        numbers = np.array([*w, rows[0].get("b") or 0], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UneError(
            f"the direction's SQL, {edit.query!r}, gives a w or b that is not of numbers: {error}"
        ) from error
    if not np.isfinite(numbers).all():
        raise UneError(
            f"the direction's SQL, {edit.query!r}, gives a w or b with NULL, NaN or infinity in it"
        )
    return Direction.fitted(edit.space, edit.attribute, QUERY, numbers[:-1], numbers[-1], train.z)
