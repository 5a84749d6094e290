"""Several spaces of the same images side by side: which images all of them have, and latents in step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from une_ray.errors import UneError
from une_ray.geometry.partners import Partners
from une_ray.lake.latents import (
    BATCH,
    FOLD,
    FOLDS,
    HASHED,
    image_ids,
    in_shard_order,
    matrix,
    unmerged,
)
from une_ray.lake.layout import Lake
from une_ray.lake.ranges import Range, rows_of_range
from une_ray.lake.splits import refuse_one_sided

# Every image that all of $spaces have, in an order that is the same in every run: draws of them are by place.
# A copy has an image of the same bytes before it in its fold.
IMAGES = f"""
    WITH shared AS (
        SELECT image_id FROM latents WHERE space IN (SELECT unnest($spaces)) GROUP BY image_id
        HAVING count(DISTINCT space) = len($spaces)),
    hashed AS ({HASHED} SEMI JOIN shared USING (image_id))
    SELECT image_id, {FOLD} AS fold,
        list_transform($attributes, lambda name: attributes[name]::DOUBLE) AS labels,
        row_number() OVER (PARTITION BY coalesce(sha256, image_id), fold ORDER BY image_id) > 1 AS is_copy
    FROM hashed ORDER BY image_id"""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairedImages:
    """Ids that all spaces have, to fit and to measure on, and labels (n, attributes): 0, 1 or NaN; `copies`
    is how many more there are of the same bytes."""

    train: pa.Array
    test: pa.Array
    train_labels: np.ndarray
    test_labels: np.ndarray
    copies: int = 0


def paired_images(
    lake: Lake,
    spaces: Sequence[str],
    attributes: Sequence[str] = (),
    split_seed: int = 0,
    with_copies: bool = False,
) -> PairedImages:
    """The images that every one of `spaces` has, by fold, one of each picture unless `with_copies`: what is
    fitted and measured counts pictures. Raises UneError where they share none of either."""
    check_split_seed(split_seed)
    settings = {"spaces": list(spaces), "seed": split_seed, "attributes": list(attributes)}
    table = lake.session.sql(IMAGES, params=settings).to_arrow_table()
    copies = pc.sum(table["is_copy"]).as_py() or 0
    if copies and not with_copies:
        table = table.filter(pc.invert(table["is_copy"]))
    tested = pc.equal(table["fold"], "test")
    train, test = table.filter(pc.invert(tested)), table.filter(tested)
    if not len(train) or not len(test):
        refuse_one_sided(lake, split_seed)
        raise UneError(
            f"{', '.join(spaces)} share {len(train)} train and {len(test)} test images at split seed"
            f" {split_seed}, and both are needed; une sql --lake {lake.url} -c 'SELECT * FROM counts'"
            " shows what each space has"
        )
    return PairedImages(
        train=whole(train["image_id"]),
        test=whole(test["image_id"]),
        train_labels=matrix(train["labels"], np.float64),
        test_labels=matrix(test["labels"], np.float64),
        copies=0 if with_copies else copies,
    )


def said_copies(images: PairedImages) -> Iterator[str]:
    """A line of those that are left out, or none."""
    if images.copies:
        yield f"left out: {images.copies:,} exact copies of other images, as each picture counts once"


def left_out(lake: Lake, spaces: Sequence[str], images: PairedImages) -> dict[str, int]:
    """{space: latents of images that another of `spaces` lacks}, of those spaces that have such."""
    paired = len(images.train) + len(images.test) + images.copies
    counted = lake.rows(
        "SELECT space, images FROM counts WHERE status = 'ok' AND space IN (SELECT unnest(?))", [spaces]
    )
    return {space: count - paired for space, count in counted if count > paired}


def said_left_out(counts: Mapping[str, int]) -> list[str]:
    """A line that says so, or none."""
    if not counts:
        return []
    parts = ", ".join(f"{count:,} of {space}" for space, count in counts.items())
    return [f"left out, as another space lacks the image: {parts}"]


def check_split_seed(split_seed: int) -> None:
    """Raise UneError for one that has no fold."""
    if split_seed not in range(FOLDS):
        raise UneError(f"split seed {split_seed!r}: there are {FOLDS} folds, 0 to {FOLDS - 1}")


def side_by_side(
    lake: Lake, spaces: Sequence[str], ids: pa.Array
) -> Iterator[tuple[pa.Array, dict[str, np.ndarray]]]:
    """The images of `ids`: (image ids, {space: (n, dim) float32}), a batch at a time, in the lake's order.

    A join would hold all spaces but one in memory. Every space lists its images in the order of the plan,
    so walking them in step needs none; that they keep step is checked.
    """
    yield from _in_step(lake, {space: _stream(lake, space, ids) for space in spaces})


def of_range(
    lake: Lake, spaces: Sequence[str], part: Range
) -> Iterator[tuple[pa.Array, dict[str, np.ndarray]]]:
    """The same of one range of the images, from its files alone."""
    rows = {space: rows_of_range(lake, space, part) for space in spaces}
    yield from _in_step(lake, {space: _in_batches(tables) for space, tables in rows.items()})


def _in_step(
    lake: Lake, streams: Mapping[str, Iterator[pa.Table]]
) -> Iterator[tuple[pa.Array, dict[str, np.ndarray]]]:
    spaces = list(streams)
    for parts in zip(*streams.values(), strict=True):
        first = parts[0]["image_id"]
        for space, part in zip(spaces, parts):
            if not part["image_id"].equals(first):
                raise UneError(
                    f"space {space!r} lists its images in another order than {spaces[0]!r}; see une verify"
                    f" {lake.url}"
                )
        yield whole(first), {space: matrix(part["z"], np.float32) for space, part in zip(spaces, parts)}


def in_order(lake: Lake, space: str, ids: pa.Array) -> pa.Array:
    """Those ids in the order in which `side_by_side` walks them."""
    order = image_ids(lake, space)
    return order.filter(pc.is_in(order, ids))


def partners_of(lake: Lake, spaces: Sequence[str], ids: pa.Array) -> Partners:
    """Other images for each of `ids` as `side_by_side` walks them: all of these, or a random sample, which is
    read in a pass of its own."""
    order = in_order(lake, spaces[0], ids)
    return Partners(rows_of(lake, spaces, order.take(pa.array(Partners.of(len(order))))), len(order))


def rows_of(lake: Lake, spaces: Sequence[str], ids: pa.Array) -> dict[str, np.ndarray]:
    """All of it at once: {space: (n, dim) float32}, row i of image `ids[i]`."""
    found, parts = zip(*side_by_side(lake, spaces, ids))
    places = np.argsort(pc.index_in(pa.concat_arrays(found), ids).to_numpy())
    return {space: np.concatenate([part[space] for part in parts])[places] for space in spaces}


def _stream(lake: Lake, space: str, ids: pa.Array) -> Iterator[pa.Table]:
    """image_id and z of `ids` in one space, BATCH rows at a time."""
    return _in_batches(_found(lake, space, ids))


def _in_batches(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, BATCH at a time."""
    waiting: pa.Table | None = None
    for table in tables:
        waiting = table if waiting is None else pa.concat_tables([waiting, table])
        while len(waiting) >= BATCH:
            yield waiting[:BATCH]
            waiting = waiting[BATCH:]
    if waiting is not None and len(waiting):
        yield waiting


def _found(lake: Lake, space: str, ids: pa.Array) -> Iterator[pa.Table]:
    """The rows of `ids` in one space.

    Who is wanted is decided once, without latents; a batch's rows are then among the next of them, and are
    not looked up among all.
    """
    order = image_ids(lake, space)
    wanted, at = order.filter(pc.is_in(order, ids)), 0
    cursor = in_shard_order(lake, space)
    query = cursor.sql("SELECT image_id, z FROM latents WHERE space = ?", params=[space])
    for batch in unmerged(lake, space, query.to_arrow_reader(BATCH)):
        found = pa.table(batch).filter(pc.is_in(batch["image_id"], wanted[at : at + len(batch)]))
        at += len(found)
        yield found
    if at < len(wanted):
        raise UneError(f"space {space!r} changed its order while it was read; see une verify {lake.url}")


def whole(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array."""
    return pa.concat_arrays(column.chunks)
