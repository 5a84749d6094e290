"""`une map apply`: a space written through a stored map, and judged against really embedding with its target.

The upgrade that paper 2 promises: B′ is A's latents in B's coordinates, so that B's probes and B's queries
work on it, and no picture is read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError, unknown
from une_ray.geometry.arrays import Floats
from une_ray.geometry.metrics import accuracy, auc, majority
from une_ray.geometry.pairing import item_retrieval, nearest_others, overlap
from une_ray.geometry.procrustes import random_orthogonal
from une_ray.geometry.unit import unit_rows
from une_ray.lake import results
from une_ray.lake.derived import derive_space, derived_fingerprint
from une_ray.lake.latents import spaces_of
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.paired import paired_images, rows_of
from une_ray.lake.stored_maps import StoredMap, find_map
from une_ray.studies.maps.stored import KEPT

MOST, NEIGHBOURS = 5000, 10
PROBES = """SELECT attribute, w, b FROM best_probes
    WHERE space = ? AND status = 'ok' AND split_seed = ? ORDER BY attribute"""
SECONDS = "SELECT sum(seconds), sum(images) FROM runs WHERE stage = ?"


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What became of a space through a map: `rows` are those of the table `map_uses`, one per measure."""

    space: str
    images: int
    rejects: int
    rows: list[dict[str, Any]]


def apply_map(
    lake: Lake,
    source: str,
    target: str,
    name: str,
    *,
    map: str = "orthogonal",
    centred: bool = True,
    split_seed: int = 0,
) -> Applied:
    """Write the space `name`: `source` through its stored map to `target`; and judge it on test images.

    Judged by the target's own probes, unchanged, and by queries embedded with the target that look for their
    neighbours among what was mapped. Beside it stand the target itself and a random rotation. Raises
    UneError for a map that is never kept, and where none was fitted on these very spaces. Attributes whose
    labels are not known are no part of the probes' measures.
    """
    if map not in (names := dict(KEPT)):
        raise unknown("map that is kept", map, names)
    if (map, centred) not in KEPT:
        raise UneError(f"the {map} map is kept about the means alone; leave out --uncentred (centred=False)")
    spaces_of(lake, [source, target])
    row = find_map(lake, source, target, map, centred, split_seed)
    if row is None:
        raise UneError(
            f"no {map} map of {source} onto {target} at split seed {split_seed} in {lake.url}; fit it with:"
            f" une map fit --lake {lake.url} --from {source} --to {target}"
        )
    stored = StoredMap.from_row(row)
    method = f"{map} map{'' if centred else ', uncentred'}"
    fingerprint = derived_fingerprint(lake, [source], method, row["sha256"])
    from une_ray.run.progress import Progress

    images = rejects = 0
    missing = lake.images_in(lake.committed(space_folder(source)) - lake.committed(space_folder(name)))
    with Progress(missing, "mapping") as progress:
        for done in derive_space(lake, name, fingerprint, [source], lambda rows: stored(rows[source])):
            progress.advance(done.images, done.rejects)
            images, rejects = images + done.images, rejects + done.rejects
    prints = [row["source_fingerprint"], row["target_fingerprint"]]
    config = {"map": row["sha256"], "space": name, "target": target, "fingerprints": prints}
    config |= {"split_seed": split_seed, "probes": _probed_by(lake, target, split_seed)}
    if not results.is_done(lake, "map_uses", config):
        about = {"space": name, "source": source, "target": target, "map": map, "centred": centred}
        judged = [
            about | {"split_seed": split_seed} | one
            for one in _judged(lake, source, target, name, split_seed)
        ]
        results.commit(lake, "map_uses", config, judged)
    table = results.table_of(lake, "map_uses", config, order_by="measure")
    return Applied(space=name, images=images, rejects=rejects, rows=table.to_pylist())


def _probed_by(lake: Lake, target: str, split_seed: int) -> list[str]:
    query = "SELECT DISTINCT config FROM best_probes WHERE space = ? AND split_seed = ? ORDER BY config"
    return [config for (config,) in lake.rows(query, [target, split_seed])]


def _judged(lake: Lake, source: str, target: str, name: str, split_seed: int) -> list[dict[str, Any]]:
    """A row per measure: of what was mapped, of the target itself, and of a random rotation."""
    probes = lake.rows(PROBES, [target, split_seed])
    attributes = [attribute for attribute, _, _ in probes]
    images = paired_images(lake, [source, target, name], attributes, split_seed)
    chosen = np.sort(np.random.default_rng(0).permutation(len(images.test))[:MOST])
    rows = rows_of(lake, [source, target, name], images.test.take(pa.array(chosen)))
    control = _randomly_turned(unit_rows(rows[source]), rows[target])
    spaces = {"value": rows[name], "native": rows[target], "random": control}
    found = []
    if probes:
        labels = images.test_labels[chosen]
        w, b = np.array([w for _, w, _ in probes]).T, np.array([b for *_, b in probes])
        scores = {column: z @ w + b for column, z in spaces.items()}
        for measure, function in (("probe accuracy", accuracy), ("probe AUC", auc)):
            if np.isnan(function(scores["native"], labels)).all():
                continue  # no label is known, or none of the other kind
            figures = {c: float(np.nanmean(function(s, labels))) for c, s in scores.items()}
            chance = float(np.nanmean(majority(labels))) if measure == "probe accuracy" else 0.5
            found.append({"measure": measure, **figures, "chance": chance})
    queries = rows[target]
    figures = {column: item_retrieval(queries, z) for column, z in spaces.items()}
    found.append({"measure": "retrieval", **figures, "chance": 1 / len(queries)})
    if len(queries) > NEIGHBOURS + 1:
        true = nearest_others(queries, queries, NEIGHBOURS)
        kept = {column: overlap(true, nearest_others(queries, z, NEIGHBOURS)) for column, z in spaces.items()}
        found.append({"measure": "neighbours kept", **kept, "chance": NEIGHBOURS / (len(queries) - 1)})
    seconds = {column: _seconds(lake, space) for column, space in (("value", name), ("native", target))}
    found.append({"measure": "seconds per 1,000 images", **seconds})
    return [row | {"items": len(queries)} for row in found]


def _randomly_turned(source: Floats, target: Floats) -> Floats:
    """The control that knows the target's mean and length and nothing else."""
    unit = unit_rows(target)
    q = random_orthogonal(source.shape[1], target.shape[1], np.random.default_rng(0))
    turned = (source - source.mean(0)) @ q + unit.mean(0)
    return turned * np.linalg.norm(target, axis=1).mean()


def _seconds(lake: Lake, space: str) -> float | None:
    ((seconds, images),) = lake.rows(SECONDS, [space])
    return 1000 * seconds / images if images else None
