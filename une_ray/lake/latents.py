"""A space as studies read it: latents in blocks, in the lake's order, and beside them folds and labels of
the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from une_ray.errors import UneError, refuse_empty, unknown
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.session import duckdb_path, is_of_a_merge

BATCH, FOLDS = 2048, 5

# Split seed 0 is the corpus' own split, whose validation images train, as λ is chosen without them; seed s >
# 0 tests on the s-th fifth of the hash whose first fifth une_ray.corpora.base.split_of tests on. So where the
# corpus has no split of its own every image is tested on once in five seeds.
FOLD = f"CASE WHEN $seed = 0 THEN split WHEN floor(hash * {FOLDS}) = $seed THEN 'test' ELSE 'train' END"
HASHED = (
    "SELECT *, ('0x' || sha256('split/' || coalesce(split_group, image_id))[:16])::UBIGINT::DOUBLE"
    " / 2.0 ** 64 AS hash FROM images"
)


def spaces_of(lake: Lake, names: Sequence[str] | None) -> Sequence[str]:
    """The named spaces, or for None all. Raises UneError for one that the lake has not, and for an empty
    list."""
    known = list(lake.fingerprints())
    refuse_empty(names, "space", f"all: {', '.join(known)}" if known else "all")
    for name in names or ():
        if name not in known:
            raise unknown("space", name, known)
    if not known:
        raise UneError(
            f"{lake.url} has no spaces yet; build one with: une build --lake {lake.url} --spaces …"
        )
    return known if names is None else names


def attributes_of(lake: Lake) -> list[str]:
    """Every attribute that some readable image of the lake has."""
    return [name for (name,) in lake.rows("SELECT DISTINCT attribute FROM attributes ORDER BY attribute")]


def refuse_unknown_attributes(lake: Lake, names: Sequence[str]) -> None:
    """Raise UneError for a name that is no attribute of the lake, with those that are nearest."""
    known = attributes_of(lake)
    for name in names:
        if name not in known:
            raise unknown("attribute", name, known)


def metadata_of(lake: Lake) -> list[str]:
    """Every key of metadata that some readable image of the lake has."""
    return [key for (key,) in lake.rows("SELECT DISTINCT key FROM metadata ORDER BY key")]


def image_ids(lake: Lake, space: str) -> pa.Array:
    """Ids of the images that have a latent in `space`, in the lake's order. Raises UneError where there is
    none."""
    cursor = in_shard_order(lake, space)
    table = cursor.sql("SELECT image_id FROM latents WHERE space = ?", params=[space]).to_arrow_table()
    if not len(table):
        raise UneError(f"space {space!r} of {lake.url} has no latents yet; une build finishes it")
    return table["image_id"].combine_chunks()


def blocks(lake: Lake, space: str) -> Iterator[np.ndarray]:
    """Latents (b, d) float32 of `space`, in the order of `image_ids`. Raises UneError where files are merged
    meanwhile."""
    query = in_shard_order(lake, space).sql("SELECT z FROM latents WHERE space = ?", params=[space])
    for batch in unmerged(lake, space, query.to_arrow_reader(BATCH)):
        yield matrix(pa.chunked_array([batch["z"]]), np.float32)


def in_shard_order(lake: Lake, space: str) -> duckdb.DuckDBPyConnection:
    """A session that reads the files of `space` in the order of their shards, and of no other space where
    that is not the order of their names: spaces that are merged at other places would else list their images
    in another order."""
    cursor, folder = lake.cursor(), space_folder(space)
    names = [file.name for file in lake.files(folder)]
    if names != sorted(names):
        paths = [duckdb_path(lake, lake.store.path(f"{folder}/{name}")) for name in names]
        cursor.execute("SET VARIABLE spaces_files = ?::VARCHAR[]", [paths]).fetchall()
    return cursor


def unmerged(lake: Lake, space: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches. Raises UneError where files went, as a merge ended, before they were read."""
    try:
        yield from batches
    except (duckdb.Error, OSError) as error:
        if not is_of_a_merge(error):
            raise
        raise UneError(
            f"files of space {space!r} of {lake.url} were merged while they were read; run it again"
        ) from error


def labels_and_folds(
    lake: Lake, ids: pa.Array, attributes: list[str], seeds: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Of the images `ids`, labels (n, k) of 0, 1 or NaN where unknown, and whether each is tested on (n,
    seeds)."""
    folds = ", ".join(
        FOLD.replace("$seed", str(int(seed))) + f" = 'test' AS fold_{i}" for i, seed in enumerate(seeds)
    )
    labels = "list_transform($attributes, lambda name: attributes[name]::DOUBLE) AS labels"
    query = f"SELECT image_id, {folds}, {labels} FROM ({HASHED})"
    table = lake.session.sql(query, params={"attributes": attributes}).to_arrow_table()
    table = table.take(pc.index_in(ids, table["image_id"].combine_chunks()))
    tested = np.column_stack([table[f"fold_{i}"].to_numpy() for i in range(len(seeds))])
    return matrix(table["labels"], np.float64), tested


def groups_of(lake: Lake, ids: pa.Array) -> np.ndarray:
    """(n,) whole numbers, equal for images that no split tears apart: one picture, or one group of the
    corpus'."""
    return _numbered(lake, ids, "split_group")


def copies_of(lake: Lake, ids: pa.Array) -> np.ndarray:
    """(n,) whole numbers, equal for images of the same bytes."""
    return _numbered(lake, ids, "sha256")


def _numbered(lake: Lake, ids: pa.Array, column: str) -> np.ndarray:
    """(n,) a number for each value of a column of `images`; of those without a value each has its own."""
    number = f"dense_rank() OVER (ORDER BY coalesce({column}, image_id))"
    table = lake.session.sql(f"SELECT image_id, {number} AS number FROM images").to_arrow_table()
    rows = pc.index_in(ids, table["image_id"].combine_chunks())
    return table["number"].take(rows).to_numpy()


def on_both_sides(lake: Lake, seeds: Sequence[int]) -> dict[int, int]:
    """Of each split seed, how many images have their very bytes, or others of their group, in train as well
    as in test."""
    counts = {}
    for seed in seeds:
        query = f"""
            WITH folded AS (
                SELECT sha256, split_group, {FOLD.replace("$seed", str(int(seed)))} = 'test' AS tested
                FROM ({HASHED}) WHERE status = 'ok'),
            sides AS (
                SELECT sha256 IS NOT NULL AND bool_or(tested) OVER bytes <> bool_and(tested) OVER bytes
                    OR split_group IS NOT NULL AND bool_or(tested) OVER alike <> bool_and(tested) OVER alike
                    AS is_torn
                FROM folded WINDOW bytes AS (PARTITION BY sha256), alike AS (PARTITION BY split_group))
            SELECT count(*) FROM sides WHERE is_torn"""
        counts[seed] = lake.rows(query)[0][0]
    return counts


def matrix(lists: pa.ChunkedArray, dtype: type[np.floating[Any]]) -> np.ndarray:
    """(n, d) from a column of n lists. Raises UneError where their lengths differ."""
    lengths = pc.unique(pc.list_value_length(lists))
    if len(lengths) > 1:
        raise UneError(
            f"latents of several lengths in one space, {sorted(lengths.to_pylist())}; see une verify"
        )
    values = pa.concat_arrays(lists.chunks).flatten().to_numpy(zero_copy_only=False)
    return values.astype(dtype).reshape(len(lists), -1)
