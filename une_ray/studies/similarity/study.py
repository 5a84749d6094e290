"""`une similarity`: how alike are spaces, beyond what mixed-up pairs of the same images reach?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError
from une_ray.geometry.fidelity import FIDELITIES, Halves
from une_ray.geometry.similarity import FEWEST, MEASURES, MOST_ROWS, Similarity, against_null, similarity
from une_ray.lake import results
from une_ray.lake.latents import spaces_of
from une_ray.lake.layout import Lake
from une_ray.lake.paired import rows_of
from une_ray.lake.tables import InALine
from une_ray.run.progress import Progress, say

PERMUTATIONS = 9  # at the least: then p can be one in ten
FIRST, FACTOR, LARGEST = 64, 4, 4096  # numbers of images: 64, 256, 1,024, 4,096 and all there are below
# One image of every group, as copies of one picture are one draw of it, and no relation of two spaces.
SHARED = """WITH shared AS (
        SELECT image_id FROM latents WHERE space IN (SELECT unnest($pair)) GROUP BY image_id
        HAVING count(DISTINCT space) = len($pair))
    SELECT image_id FROM images SEMI JOIN shared USING (image_id)
    QUALIFY row_number() OVER (PARTITION BY coalesce(split_group, image_id) ORDER BY md5(image_id)) = 1
    ORDER BY md5(image_id) LIMIT $limit"""
GROUPED = "SELECT count(*) - count(DISTINCT coalesce(split_group, image_id)) FROM images WHERE status = 'ok'"

CURVES = """FROM similarity_curves SEMI JOIN (
    SELECT DISTINCT source, target FROM similarities WHERE config IN (SELECT unnest(?))
    ) USING (source, target)
    ORDER BY ALL"""


@dataclass(frozen=True, eq=False, repr=False)
class SimilarityResult(InALine):
    """`table`: rows of the view `similarity_curves` of these spaces, one per pair, measure and n."""

    table: pa.Table


def similarities(
    lake: Lake,
    spaces: Sequence[str] | None = None,
    draws: int = 3,
    permutations: int = 10,
    limit: int = LARGEST,
) -> SimilarityResult:
    """Measure every pair of `spaces` (default: all) on growing numbers of the images that both have.

    Images are one of each group and picture. Each of `draws` random sets of n of them gives every measure and
    its mean over `permutations` mixed-up pairings; rank correlation, which is of 512 images at the most, ends
    there. Pairs that the lake has already are not done again. Raises UneError for unknown spaces, one named
    twice, fewer than two, and pairs that share fewer than forty images.
    """
    names = sorted(spaces_of(lake, spaces))
    if len(set(names)) < len(names):
        raise UneError(f"a space is named twice in {', '.join(names)}; it would be compared with itself")
    if len(names) < 2:
        raise UneError(f"a similarity is of two spaces or more; got {', '.join(names)}")
    if draws < 1 or permutations < PERMUTATIONS:
        raise UneError(
            f"{draws} draws and {permutations} permutations; at least one and {PERMUTATIONS}: of fewer no"
            " p is as low as .1, by which map_pairs tells what is linear"
        )
    prints = {name: results.config_hash(found) for name, found in lake.fingerprints().items()}
    configs = []
    ((others,),) = lake.rows(GROUPED)
    if others:
        say(f"of every group and picture one image is in: {others:,} others of the lake's are left out")
    pairs = list(combinations(names, 2))
    with Progress(len(pairs), "comparing", unit="pairs") as progress:
        for a, b in pairs:
            ids = [row for (row,) in lake.rows(SHARED, {"pair": [a, b], "limit": limit})]
            if len(ids) < FEWEST:
                raise UneError(f"{a} and {b} share {len(ids)} images; a similarity needs {FEWEST}")
            config = {"source": a, "target": b, "draws": draws, "permutations": permutations, "n": len(ids)}
            config |= {"fingerprints": [prints[a], prints[b]]} | ({"of": "groups"} if others else {})
            configs.append(results.config_hash(config))
            if not results.is_done(lake, "similarities", config):
                rows = rows_of(lake, [a, b], pa.array(ids))
                stamps = {a: {"fingerprint": prints[a]}, b: {"fingerprint": prints[b]}}
                made = [
                    row
                    | {
                        "source_fingerprint": stamps[row["source"]]["fingerprint"],
                        "target_fingerprint": stamps[row["target"]]["fingerprint"],
                    }
                    for row in _pair(a, b, rows, draws, permutations)
                ]
                results.commit(lake, "similarities", config, made)
            progress.advance(1, 0)
    return SimilarityResult(lake.session.sql(CURVES, params=[configs]).to_arrow_table())


def numbers_of_images(most: int) -> list[int]:
    """64, 256, 1,024, … and the largest."""
    grid = [FIRST * FACTOR**step for step in range(10) if FIRST * FACTOR**step < 0.7 * most]
    return [*grid, most]


def _pair(
    a: str, b: str, rows: dict[str, np.ndarray], draws: int, permutations: int
) -> Iterator[dict[str, Any]]:
    most = len(rows[a])
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(most)
        last: dict[str, int] = {}
        for count in numbers_of_images(most):
            x, y = (rows[name][order[:count]] for name in (a, b))
            for measure in MEASURES:
                used = min(count, MOST_ROWS.get(measure, count))
                if used <= last.get(measure, 0):
                    continue  # the very same rows once more
                found = similarity(x[:used], y[:used], measure, permutations, seed=draw)
                last[measure] = used
                yield _row(a, b, measure, used, draw, found)
            halves = {a: Halves.of(x), b: Halves.of(y)}
            for measure, fidelity in FIDELITIES.items():
                for source, target in ((a, b), (b, a)):
                    paired = fidelity(halves[source], halves[target])
                    found = against_null(paired, count // 2, permutations, seed=draw)
                    yield _row(source, target, measure, count, draw, found)


def _row(source: str, target: str, measure: str, n: int, draw: int, found: Similarity) -> dict[str, Any]:
    return {
        "source": source,
        "target": target,
        "measure": measure,
        "n": n,
        "draw": draw,
        "value": found.value,
        "null_mean": found.null_mean,
        "null_sd": found.null_sd,
        "p_value": found.p_value,
        "permutations": found.permutations,
    }
