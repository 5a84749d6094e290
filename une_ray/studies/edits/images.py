"""Which images an edit is made of, and their latents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from une_ray.errors import UneError, refuse_empty, unknown
from une_ray.lake.latents import matrix
from une_ray.lake.layout import Lake
from une_ray.lake.splits import refuse_one_sided

SELECTED = """
    WITH shared AS (
        SELECT image_id FROM latents WHERE space IN (SELECT unnest($spaces))
        GROUP BY image_id HAVING count(DISTINCT space) = len($spaces))
    SELECT image_id FROM images SEMI JOIN shared USING (image_id) WHERE split = 'test'
    QUALIFY row_number() OVER (PARTITION BY coalesce(sha256, image_id) ORDER BY md5(image_id)) = 1
    ORDER BY md5(image_id) LIMIT $images"""

LATENTS = """
    SELECT image_id, z FROM latents SEMI JOIN (SELECT unnest($images) AS image_id) USING (image_id)
    WHERE space = $space"""

REJECTED = "SELECT error FROM rejects WHERE image_id = ? AND (space IS NULL OR space = ?) LIMIT 1"
LACKING = """
    WITH wanted AS (
        SELECT image_id, space
        FROM (SELECT unnest($images) AS image_id) CROSS JOIN (SELECT unnest($spaces) AS space))
    SELECT image_id, space FROM wanted ANTI JOIN latents USING (image_id, space) ORDER BY ALL LIMIT 1"""

SPLITS = "SELECT image_id, split FROM images SEMI JOIN (SELECT unnest($images) AS image_id) USING (image_id)"


def selected(lake: Lake, spaces: list[str], images: int) -> list[str]:
    """Up to so many test images that all `spaces` have, one of each picture, in an order by a hash: fewer are
    the first of more. Raises UneError for less than one, and where there are none."""
    if images < 1:
        raise UneError(f"an edit of {images} images; ask for 1 or more")
    rows = lake.session.execute(SELECTED, {"spaces": spaces, "images": images}).fetchall()
    if not rows:
        refuse_one_sided(lake)
        raise UneError(
            f"no image of the test split has a latent in each of {', '.join(spaces)}; une build finishes them"
        )
    return [image_id for (image_id,) in rows]


def named(lake: Lake, spaces: list[str], image_ids: Sequence[str]) -> list[str]:
    """These very images, each once. Raises UneError for none, one that the lake has not, or that a space has
    no latent of."""
    refuse_empty(image_ids, "image", "images of the test split")
    ids = list(dict.fromkeys(image_ids))
    splits = splits_of(lake, ids)
    for image_id in ids:
        if image_id not in splits:
            known = lake.session.execute("SELECT image_id FROM images").fetchall()
            raise unknown("image", image_id, [name for (name,) in known])
    lacking = lake.session.execute(LACKING, {"images": ids, "spaces": spaces}).fetchone()
    if lacking is not None:
        why = lake.rows(REJECTED, list(lacking))
        remedy = f"it is a reject: {why[0][0]}" if why else "une build finishes it"
        raise UneError(f"image {lacking[0]!r} has no latent in {lacking[1]}; {remedy}")
    return ids


def splits_of(lake: Lake, image_ids: Sequence[str]) -> dict[str, str]:
    """The corpus' split of each image that the lake has."""
    return dict(lake.session.execute(SPLITS, {"images": list(image_ids)}).fetchall())


def latents_of(lake: Lake, space: str, image_ids: Sequence[str]) -> dict[str, np.ndarray]:
    """z (d,) float32 of each of the images in a space that has them all."""
    table = lake.session.sql(LATENTS, params={"images": list(image_ids), "space": space}).to_arrow_table()
    return dict(zip(table["image_id"].to_pylist(), matrix(table["z"], np.float32)))
