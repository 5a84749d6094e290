"""`une gaussianity`: is a lake's space Gaussian? The families of tests on each space, and on both controls in its place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import duckdb
import numpy as np

from une_ray.errors import UneError
from une_ray.geometry.gaussianity import CONTROLS, families
from une_ray.lake import results
from une_ray.lake.latents import matrix, spaces_of
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.session import connect

LIMIT = 5000  # latents per space: the components' eigenproblem grows as their cube

LATENTS = "SELECT image_id, z FROM latents WHERE space = ? ORDER BY md5(image_id), image_id LIMIT ?"

SHAPE = "SELECT decode(value) FROM parquet_kv_metadata(getvariable('lake') || ? || '/shard-*.parquet') WHERE decode(key) = 'shape' LIMIT 1"

FOUND = """
    SELECT * FROM gaussianity WHERE config IN (SELECT unnest(?))
    ORDER BY space, control NULLS FIRST, list_position(['direction', 'coordinate', 'component', 'mahalanobis', 'norm', 'map'], unit), test"""


def gaussianity(
    lake: Lake,
    spaces: Sequence[str] | None = None,
    directions: int = 5000,
    rows: int = 250,
    seed: int = 0,
    limit: int = LIMIT,
) -> list[dict]:
    """Test every space (default: all) and both controls of its size, on up to `limit` latents spread over the corpus by a hash of the id.

    What the lake has already is not done again. Returns the rows, as in the view `gaussianity`. Raises UneError for
    unknown spaces, and for those with fewer than 20 latents, latents that are not finite or all equal.
    """
    connection, fingerprints = connect(lake), lake.spaces()
    settings = {"directions": directions, "rows": rows, "seed": seed, "limit": limit}
    configs = []
    for space in spaces_of(lake, spaces):
        config = settings | {
            "space": space,
            "fingerprint": results.config_hash(fingerprints[space]),
            "latents": _count(connection, space),
        }
        if not results.is_done(lake, "gaussianity", config):
            results.commit(lake, "gaussianity", config, list(_rows(connection, config)))
        configs.append(results.config_hash(config))
    return connection.sql(FOUND, params=[configs]).to_arrow_table().to_pylist()


def read_latents(
    connection: duckdb.DuckDBPyConnection, space: str, limit: int
) -> tuple[list[str], np.ndarray]:
    """Ids and z (n, d) float32 of up to `limit` images, those with the smallest hashes of their ids."""
    found = connection.sql(LATENTS, params=[space, limit]).to_arrow_table()
    if not len(found):
        raise UneError(f"space {space!r} has no latents yet; build it first")
    return found["image_id"].to_pylist(), matrix(found["z"], np.float32)


def _rows(connection: duckdb.DuckDBPyConnection, config: dict) -> Iterator[dict]:
    """The findings on one space and on the controls of its size and shape."""
    space, seed = config["space"], config["seed"]
    ids, z = read_latents(connection, space, config["limit"])
    if not (finite := np.isfinite(z).all(1)).all():
        raise UneError(
            f"space {space!r}: the latent of image {ids[int(np.argmin(finite))]!r} is not finite; une verify says what to do"
        )
    shape = _shape(connection, space)
    for control, draw in {None: None, **CONTROLS}.items():
        data = z if draw is None else draw(*z.shape, seed)
        try:
            found = families(data, shape, config["directions"], config["rows"], seed)
        except UneError as error:
            raise UneError(f"space {space!r}: {error}") from error
        for finding in found:
            yield {"space": space, "control": control, "space_fingerprint": config["fingerprint"]} | asdict(
                finding
            )


def _count(connection: duckdb.DuckDBPyConnection, space: str) -> int:
    """So that a space that has grown since is tested again."""
    ((count,),) = connection.execute(
        "SELECT count(*) FROM readings WHERE space = ? AND status = 'ok'", [space]
    ).fetchall()
    return count


def _shape(connection: duckdb.DuckDBPyConnection, space: str) -> tuple[int, ...] | None:
    """(c, h, w) of a space of maps, from its files' metadata; None for vectors."""
    found = connection.execute(SHAPE, [f"/{space_folder(space)}"]).fetchall()
    return tuple(json.loads(found[0][0])) if found else None
