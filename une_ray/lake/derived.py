"""Derived spaces: made from other spaces of the lake by a stored map, a shard at a time, by the same commits.

From then on such a space is like any other: probed, compared, reported. Its fingerprint names the hash of the
map's numbers and the fingerprints of its sources, so that another map or other sources never mix with it.
"""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError
from une_ray.lake import results, schema
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.names import check_name

DERIVED = "derived"  # the kind of a space that no model reads a picture for
FLOAT16_MAX = 65504.0

Function = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""{source: (n, d) float32} → (n, k)."""


@dataclass(frozen=True, kw_only=True)
class ShardDone:
    """One shard of a derived space: images, rejects among them, and seconds."""

    shard: int
    images: int
    rejects: int
    seconds: float


def derived_fingerprint(lake: Lake, sources: Sequence[str], method: str, sha256: str) -> dict[str, Any]:
    """Of a space made of `sources` by a map whose numbers have that hash; `method` says what sort of map.

    It is a control where every source is one. It holds no space's name, so renaming one changes nothing.
    """
    known = lake.fingerprints()
    roles = dict(lake.rows("SELECT space, role FROM spaces"))
    return {
        "model": " + ".join(str(known[source]["model"]) for source in sources),
        "kind": DERIVED,
        "method": method,
        "source": DERIVED,
        "weights": f"sha256:{sha256}",
        "sources": [results.config_hash(known[source]) for source in sources],
        "preprocessing": {},
        "dtype": "float64",
        "role": "control" if all(roles[source] == "control" for source in sources) else "model",
    }


def fitted_under(lake: Lake, space: str) -> frozenset[int] | None:
    """Split seeds that the maps behind a derived space were fitted under, through all its sources; of a space
    that no map made, none at all. None where the lake no longer says it, of a map or of a source removed.

    A map is a row of results with the `sha256` that its space's fingerprint names, and its `split_seed`.
    """
    prints = lake.fingerprints()
    if prints[space].get("kind") != DERIVED:
        return frozenset()
    named = {"sha256", "split_seed"}
    tables = [name for name, table in results.tables().items() if named <= {*table.schema.names}]
    query = " UNION ".join(f"SELECT 'sha256:' || sha256, split_seed FROM {name}" for name in tables)
    seeds: dict[str, set[int]] = {}
    for weights, seed in lake.rows(query):
        seeds.setdefault(weights, set()).add(seed)
    by_hash = {results.config_hash(known): known for known in prints.values()}

    def behind(fingerprint: Mapping[str, Any]) -> set[int]:
        """Raises KeyError for a map or a source that the lake has no longer."""
        if fingerprint.get("kind") != DERIVED:
            return set()
        sources = [by_hash[source] for source in fingerprint["sources"]]
        return seeds[fingerprint["weights"]].union(*map(behind, sources))

    try:
        return frozenset(behind(prints[space]))
    except KeyError:
        return None


def derive_space(
    lake: Lake, name: str, fingerprint: dict[str, Any], sources: Sequence[str], function: Function
) -> Iterator[ShardDone]:
    """Write what is missing of the space `name`: `function` of its sources' latents, shard after shard.

    An image that a source lacks is a reject that says so. Shards that a source has not yet are left for a
    later call. Killed at any moment, the same call goes on. Raises UneError for a name that is taken by
    another space or can't be one.
    """
    check_name(name)
    if name in sources:
        raise UneError(f"{name!r} can't be made of itself; choose another name")
    lake.refuse_another(name, fingerprint)
    lake.register(name, fingerprint)
    ready = set.intersection(*(lake.committed(space_folder(source)) for source in sources))
    records = []
    for shard in sorted(ready - lake.committed(space_folder(name))):
        if lake.has_shard(space_folder(name), shard):  # another call was here meanwhile
            continue
        started, clock = datetime.now(UTC), time.perf_counter()
        table = _table(lake, shard, sources, function)
        lake.commit_shard(name, shard, table, fingerprint)
        done = ShardDone(
            shard=shard,
            images=len(table),
            rejects=table["status"].to_pylist().count(schema.REJECT),
            seconds=time.perf_counter() - clock,
        )
        records.append(_record(name, done, started))
        yield done
    _save(lake, records)


def _table(lake: Lake, shard: int, sources: Sequence[str], function: Function) -> pa.Table:
    tables = {source: lake.read_shard(space_folder(source), shard) for source in sources}
    columns = {
        source: [table[name].to_pylist() for name in ("image_id", "status", "error")]
        for source, table in tables.items()
    }
    ids = columns[sources[0]][0]
    if any(column[0] != ids for column in columns.values()):
        raise UneError(f"{', '.join(sources)} list shard {shard} in different orders; see une verify")
    reasons = [
        next(
            (
                f"no latent in {source}: {error}"
                for source, (_, statuses, errors) in columns.items()
                if statuses[row] != schema.OK
                for error in (errors[row],)
            ),
            None,
        )
        for row in range(len(ids))
    ]
    good = np.array([reason is None for reason in reasons])
    z = np.empty((0, 0))
    if good.any():
        mask = pa.array(good)
        rows = {source: _rows(table.filter(mask)) for source, table in tables.items()}
        z = np.asarray(function(rows))
    places = iter(z)
    made = [
        {"image_id": image_id, "status": schema.REJECT, "error": reason}
        if reason is not None
        else _row(image_id, next(places))
        for image_id, reason in zip(ids, reasons)
    ]
    return pa.Table.from_pylist(made, schema=schema.SPACE)


def _rows(table: pa.Table) -> np.ndarray:
    values = table["z"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return values.astype(np.float32).reshape(len(table), -1)


def _row(image_id: str, z: np.ndarray) -> dict[str, Any]:
    if not np.isfinite(z).all() or np.abs(z).max(initial=0) > FLOAT16_MAX:
        return {"image_id": image_id, "status": schema.REJECT, "error": "the map's latent is not finite"}
    return {
        "image_id": image_id,
        "status": schema.OK,
        "z": z.astype(np.float16),
        "norm": float(np.linalg.norm(z)),
        "dim": len(z),
    }


def _record(name: str, done: ShardDone, started: datetime) -> dict[str, Any]:
    return {
        "shard": done.shard,
        "stage": name,
        "images": done.images,
        "rejects": done.rejects,
        "seconds": done.seconds,
        "started": started,
        "host": socket.gethostname(),
        "device": "cpu",
    }


def _save(lake: Lake, records: Sequence[dict[str, Any]]) -> None:
    """The times, as a build leaves them in `runs`."""
    if records:
        run_id = f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
        rows = [{"run_id": run_id} | record for record in records]
        table = pa.Table.from_pylist(rows, schema=schema.RUNS)
        lake.store.commit(f"runs/{run_id}.parquet", schema.parquet(table, {}))
