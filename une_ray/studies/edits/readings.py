"""The readings of an edit: the lake's own probes, or probes fitted to the train images at the edit's own λ and rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from une_ray.errors import UneError
from une_ray.geometry.linear import Linear
from une_ray.geometry.logistic import PASSES
from une_ray.geometry.probes import FEWEST, RANK, known_together
from une_ray.geometry.probes import fit_linear as linear_probes
from une_ray.lake import results
from une_ray.lake.latents import attributes_of, labels_and_folds, spaces_of
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect

if TYPE_CHECKING:
    from une_ray.studies.edits.edit import Edit, Train

PROBES = "SELECT * FROM chosen_probes WHERE space = ? AND method = ? ORDER BY attribute"


def readings(lake: Lake, edit: Edit, train: Train) -> dict[str, dict]:
    """Rows of `probes` by attribute, refused ones included. Raises UneError where the lake has none and none are to be fitted."""
    return _fitted(lake, edit, train) if edit.fits else probe_rows(lake, edit.space, edit.method)


def probe_rows(lake: Lake, space: str, method: str) -> dict[str, dict]:
    """The lake's probes of a space on the corpus' own split, by attribute, refused ones included. Raises UneError where there are none."""
    found = connect(lake).sql(PROBES, params=[space, method]).to_arrow_table().to_pylist()
    if not found:
        spaces_of(lake, [space])
        raise UneError(
            f"{space} has no {method} probes yet; fit them with: une probe --lake {lake.url} --spaces {space} --method {method}"
        )
    return {row["attribute"]: row for row in found}


def _fitted(lake: Lake, edit: Edit, train: Train) -> dict[str, dict]:
    names = attributes_of(lake)
    labels = labels_and_folds(lake, train.image_ids, names, [0])[0]
    made = {"space": edit.space, "method": edit.method, "penalty": edit.penalty, "rank": edit.rank}
    decides = made | {
        "fingerprint": results.config_hash(lake.fingerprints()[edit.space]),
        "train": len(train.z),
        "attributes": names,
    }
    rows = {
        name: made | {"attribute": name, "config": results.config_hash(decides), "w": None} for name in names
    }
    for name, y in zip(names, labels.T):
        rows[name]["error"] = _refusal(y[~np.isnan(y)])
    for known, columns in known_together(
        labels, [i for i, name in enumerate(names) if rows[name]["error"] is None]
    ):
        penalties = None if edit.penalty is None else [edit.penalty]
        found = linear_probes(
            train.z[known], labels[known][:, columns], edit.method, penalties, edit.rank or RANK
        )
        for i, column in enumerate(columns):
            rows[names[column]] |= _reading(found, i)
    return rows


def _reading(found: Linear, i: int) -> dict:
    if not found.converged[i]:
        return {"error": f"logistic regression has not converged in {PASSES} passes; a larger penalty helps"}
    penalty = None if found.penalty is None else found.penalty[i].item()
    return {"w": found.w[:, i].numpy(), "b": found.b[i].item(), "penalty": penalty}


def _refusal(labels: np.ndarray) -> str | None:
    """As `geometry.probes` has it: why there can be no probe of these labels."""
    fewest = int(min(labels.sum(), len(labels) - labels.sum()))
    return (
        f"only {fewest} images of one side among {len(labels)} train rows, fewer than {FEWEST}"
        if fewest < FEWEST
        else None
    )
