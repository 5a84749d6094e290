"""The probes that an edit goes along: the lake's own, or fitted to the train images at the edit's own λ and
rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from une_ray.errors import UneError
from une_ray.geometry.linear import Linear
from une_ray.geometry.logistic import PASSES
from une_ray.geometry.probes import FEWEST, RANK, fit_linear, known_together
from une_ray.lake import results
from une_ray.lake.latents import attributes_of, labels_and_folds, spaces_of
from une_ray.lake.layout import Lake
from une_ray.studies.edits.edit import Edit
from une_ray.studies.edits.probe_row import ProbeRow
from une_ray.studies.edits.train_rows import TrainRows

PROBES = "SELECT * FROM chosen_probes WHERE space = ? AND method = ? ORDER BY attribute"


def probes_of_edit(lake: Lake, edit: Edit, train: TrainRows) -> dict[str, ProbeRow]:
    """By attribute, refused ones included. Raises UneError where the lake has none and none are to be
    fitted."""
    return _fitted(lake, edit, train) if edit.fits else probes_of_lake(lake, edit.space, edit.method)


def probes_of_lake(lake: Lake, space: str, method: str) -> dict[str, ProbeRow]:
    """The lake's probes of a space on the corpus' own split, by attribute, refused ones included. Raises
    UneError where there are none."""
    rows = lake.session.sql(PROBES, params=[space, method]).to_arrow_table().to_pylist()
    if not rows:
        spaces_of(lake, [space])
        raise UneError(
            f"{space} has no {method} probes yet; fit them with: "
            f"une probe --lake {lake.url} --spaces {space} --method {method}"
        )
    return {row["attribute"]: ProbeRow.from_row(row) for row in rows}


def _fitted(lake: Lake, edit: Edit, train: TrainRows) -> dict[str, ProbeRow]:
    names = attributes_of(lake)
    labels = labels_and_folds(lake, train.image_ids, names, [0])[0]
    settings: dict[str, Any] = {
        "space": edit.space,
        "method": edit.method,
        "penalty": edit.penalty,
        "rank": edit.rank,
    }
    decides = settings | {
        "fingerprint": results.config_hash(lake.fingerprints()[edit.space]),
        "train": len(train.z),
        "attributes": names,
    }
    made = settings | {"config": results.config_hash(decides)}
    errors = {name: _refusal(y[~np.isnan(y)]) for name, y in zip(names, labels.T)}
    rows = {name: ProbeRow(attribute=name, error=errors[name], **made) for name in names}
    usable = [i for i, name in enumerate(names) if errors[name] is None]
    for known, columns in known_together(labels, usable):
        penalties = None if edit.penalty is None else [edit.penalty]
        fits = fit_linear(
            train.z[known], labels[known][:, columns], edit.method, penalties, edit.rank or RANK
        )
        for i, column in enumerate(columns):
            rows[names[column]] = ProbeRow(attribute=names[column], **made | _weights(fits, i))
    return rows


def _weights(fits: Linear, i: int) -> dict[str, Any]:
    """Columns of the i-th attribute's row: weights and λ, or why there are none."""
    if not fits.converged[i]:
        return {"error": f"logistic regression has not converged in {PASSES} passes; a larger penalty helps"}
    penalty = None if fits.penalty is None else fits.penalty[i].item()
    return {"w": fits.w[:, i].numpy(), "b": fits.b[i].item(), "penalty": penalty}


def _refusal(labels: np.ndarray) -> str | None:
    """As `geometry.probes` has it: why there can be no probe of these labels."""
    fewest = int(min(labels.sum(), len(labels) - labels.sum()))
    if fewest >= FEWEST:
        return None
    return f"only {fewest} images of one side among {len(labels)} train rows, fewer than {FEWEST}"
