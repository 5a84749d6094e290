"""`une gaussianity`: is a lake's space Gaussian? The families of tests on each space, and on both controls
in its place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from une_ray.errors import UneError
from une_ray.geometry.gaussianity import CONTROLS, families
from une_ray.lake import results
from une_ray.lake.files import metadata
from une_ray.lake.latents import matrix, spaces_of
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.tables import InALine

LIMIT = 5000  # latents per space: the components' eigenproblem grows as their cube

# One image of every picture and group: the tests take rows for independent draws.
APART = """WITH read AS (
        SELECT image_id, split_group, sha256 FROM readings r LEFT JOIN images USING (image_id)
        WHERE space = $space AND r.status = 'ok'),
    of_groups AS (
        FROM read QUALIFY row_number() OVER (
            PARTITION BY coalesce(split_group, image_id) ORDER BY md5(image_id), image_id) = 1),
    apart AS (
        SELECT image_id FROM of_groups QUALIFY row_number() OVER (
            PARTITION BY coalesce(sha256, image_id) ORDER BY md5(image_id), image_id) = 1)"""
# Who is drawn is decided without z: latents are read of those alone.
DRAWN = f"{APART} SELECT image_id FROM apart ORDER BY md5(image_id), image_id LIMIT $limit"
COUNTED = f"{APART} SELECT (SELECT count(*) FROM read), (SELECT count(*) FROM apart)"
LATENTS = "SELECT image_id, z FROM latents WHERE space = ? AND image_id IN (SELECT unnest(?))"

ROWS = """
    SELECT * FROM gaussianity WHERE config IN (SELECT unnest(?))
    ORDER BY space, control NULLS FIRST,
        list_position(['direction', 'coordinate', 'component', 'mahalanobis', 'norm', 'map'], unit), test"""


@dataclass(frozen=True, eq=False, repr=False)
class GaussianityResult(InALine):
    """`table`: rows of the view `gaussianity`, one per space, control and family of tests."""

    table: pa.Table


def gaussianity(
    lake: Lake,
    spaces: Sequence[str] | None = None,
    directions: int = 5000,
    rows: int = 250,
    seed: int = 0,
    limit: int = LIMIT,
) -> GaussianityResult:
    """Test every space (default: all) and both controls of its size, on up to `limit` latents spread over
    the corpus by a hash of the id, one of each picture and group.

    What the lake has already is not done again. Raises UneError for unknown spaces, and for those with
    fewer than 20 latents, latents that are not finite or all equal.
    """
    fingerprints = lake.fingerprints()
    settings = {"directions": directions, "rows": rows, "seed": seed, "limit": limit}
    configs = []
    for space in spaces_of(lake, spaces):
        ((latents, apart),) = lake.rows(COUNTED, {"space": space})
        config = settings | {
            "space": space,
            "fingerprint": results.config_hash(fingerprints[space]),
            "latents": latents,  # so that a space that has grown since is tested again
        }
        if latents > apart:
            config["left_out"] = latents - apart
        if not results.is_done(lake, "gaussianity", config):
            results.commit(lake, "gaussianity", config, list(_rows(lake, config)))
        configs.append(results.config_hash(config))
    return GaussianityResult(lake.session.sql(ROWS, params=[configs]).to_arrow_table())


def read_latents(lake: Lake, space: str, limit: int) -> tuple[list[str], np.ndarray]:
    """Ids and z (n, d) float32 of up to `limit` images, one of each picture and group: those with the
    smallest hashes of their ids."""
    drawn = [image_id for (image_id,) in lake.rows(DRAWN, {"space": space, "limit": limit})]
    if not drawn:
        raise UneError(f"space {space!r} has no latents yet; build it first")
    table = lake.session.sql(LATENTS, params=[space, drawn]).to_arrow_table()
    place = pc.index_in(pa.array(drawn), table["image_id"].combine_chunks())
    return drawn, matrix(table["z"].take(place), np.float32)


def _rows(lake: Lake, config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the tests say of one space and of the controls of its size and shape."""
    space, seed, left_out = config["space"], config["seed"], config.get("left_out", 0)
    ids, z = read_latents(lake, space, config["limit"])
    finite = np.isfinite(z).all(1)
    if not finite.all():
        broken = ids[int(np.argmin(finite))]
        raise UneError(
            f"space {space!r}: the latent of image {broken!r} is not finite; une verify says what to do"
        )
    shape = _shape(lake, space)
    draws: list[tuple[str | None, Any]] = [(None, None), *CONTROLS.items()]
    for control, draw in draws:
        data = z if draw is None else draw(*z.shape, seed)
        try:
            findings = families(data, shape, config["directions"], config["rows"], seed)
        except UneError as error:
            why = f"; {left_out:,} more are copies, or of the same groups" if left_out else ""
            raise UneError(f"space {space!r}: {error}{why}") from error
        for finding in findings:
            yield {
                "space": space,
                "control": control,
                "left_out": left_out,
                "space_fingerprint": config["fingerprint"],
                **asdict(finding),
            }


def _shape(lake: Lake, space: str) -> tuple[int, ...] | None:
    """(c, h, w) of a space of maps, from its files' metadata; None for vectors."""
    folder = space_folder(space)
    first = lake.files(folder)[0]
    shape = metadata(lake.store, f"{folder}/{first.name}").get("shape")
    return tuple(json.loads(shape)) if shape else None
