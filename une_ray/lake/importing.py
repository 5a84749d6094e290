"""Vectors that people have already become a space: read from a file, joined to the lake's images by id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from une_ray.corpora.labels import plain_name
from une_ray.errors import UneError, reason, unknown
from une_ray.lake import schema
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.names import check_name

IMPORTED = "imported"  # the kind of a space that no model of ours made
VECTORS = ("embedding", "embeddings", "image_embedding", "emb", "vector", "z")
IDS = ("image_id", "id", "image_path", "file", "path", "key")
FLOAT16_MAX = 65504.0


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """Vectors (n, d) as they are stored, and an id for each."""

    ids: Sequence[str]
    z: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of vectors: how many found an image, how many found none, and images left without one."""

    space: str
    joined: int
    strange: Sequence[str]
    without: int

    def __str__(self) -> str:
        text = f"{self.space}: {self.joined:,} vectors joined to images"
        if self.strange:
            text += f"; {len(self.strange):,} are of no image of the lake ({', '.join(self.strange[:3])}, …)"
        if self.without:
            text += f"; {self.without:,} images have none and are rejects of the space"
        return text


def import_space(
    lake: Lake,
    name: str,
    source: str | Path,
    model: str,
    ids: str | Path | None = None,
    column: str | None = None,
    id_column: str | None = None,
) -> Imported:
    """Make the vectors of `source` the space `name`; `model` says in words what made them.

    `source` is an `.npy` of (n, d) with `ids`, a text file of a line each or a Parquet file; a Parquet file
    or a folder of them, with a `column` of lists; or a folder as clip-retrieval leaves it (img_emb/ and
    metadata/). An id is an image's own, or a path that ends in it. The same vectors again change nothing.

    Raises UneError for a file that is none of these, an id that comes twice, and vectors of which none finds
    an image.
    """
    check_name(name)
    lake.manifest  # noqa: B018 - refuses what is no lake
    if missing := set(range(lake.shards)) - lake.committed("images"):
        raise UneError(
            f"{lake.url} has not read its images yet ({len(missing)} of {lake.shards} shards are missing);"
            " finish une build with one space, such as pixels-16"
        )
    vectors = _read(Path(source), None if ids is None else Path(ids), column, id_column)
    rows = _joined(lake, vectors)
    fingerprint = _fingerprint(vectors, model)
    lake.register(name, fingerprint)
    done = lake.committed(space_folder(name))
    joined = without = 0
    for shard in range(lake.shards):
        table = _table(lake, shard, vectors.z, rows, str(source))
        good = table["status"].to_pylist().count(schema.OK)
        joined, without = joined + good, without + len(table) - good
        if shard not in done:  # it may be in a merged file, and these are the same vectors
            lake.commit_shard(name, shard, table, fingerprint)
    used = set(rows.values())
    strange = [vectors.ids[row] for row in range(len(vectors.ids)) if row not in used]
    return Imported(space=name, joined=joined, strange=strange, without=without)


def _fingerprint(vectors: Vectors, model: str) -> dict[str, object]:
    digest = hashlib.sha256(json.dumps(list(vectors.ids)).encode())
    digest.update(np.ascontiguousarray(vectors.z, np.float32).tobytes())
    return {
        "model": model,
        "kind": IMPORTED,
        "source": IMPORTED,
        "weights": f"sha256:{digest.hexdigest()}",
        "pooling": "as stated by the model's name",
        "preprocessing": {},
        "dtype": str(vectors.z.dtype),
        "role": "model",
    }


def _table(lake: Lake, shard: int, z: np.ndarray, rows: Mapping[str, int], source: str) -> pa.Table:
    images = lake.read_shard("images", shard).select(["image_id", "status"]).to_pylist()
    return pa.Table.from_pylist([_row(image, z, rows, source) for image in images], schema=schema.SPACE)


def _row(image: dict[str, str], z: np.ndarray, rows: Mapping[str, int], source: str) -> dict[str, object]:
    row: dict[str, object] = {"image_id": image["image_id"], "status": schema.REJECT}
    number = rows.get(image["image_id"])
    if image["status"] != schema.OK:
        return row | {"error": "image unreadable"}
    if number is None:
        return row | {"error": f"no vector in {source}"}
    vector = np.asarray(z[number], np.float32)
    if not np.isfinite(vector).all() or np.abs(vector).max(initial=0) > FLOAT16_MAX:
        return row | {"error": "vector is not finite in float16"}
    norm = float(np.linalg.norm(vector))
    return row | {"status": schema.OK, "z": vector.astype(np.float16), "norm": norm, "dim": len(vector)}


def _joined(lake: Lake, vectors: Vectors) -> dict[str, int]:
    """Image id → row of its vector. Raises UneError for two vectors of one image, or no image at all."""
    ids = [image_id for shard in range(lake.shards) for image_id in lake.plan(shard)["image_id"].to_pylist()]
    known = {plain_name(image_id): image_id for image_id in ids}
    rows: dict[str, int] = {}
    prefixes: dict[str, str] = {}
    names = list(map(plain_name, vectors.ids))
    exact = {name for name in names if name in known}
    for row, (text, name) in enumerate(zip(vectors.ids, names, strict=True)):
        if exact and name not in exact:
            continue  # ids are the lake's own: a path that only ends in one is another picture's
        image_id, prefix = _image_of(name, known)
        if image_id is None:
            continue
        prefixes.setdefault(prefix, text)
        if len(prefixes) > 1:
            shown = " and ".join(map(repr, prefixes.values()))
            raise UneError(
                f"ids end in names of images below different folders, as {shown}: which picture is meant?"
                " Give ids relative to the corpus' own folder"
            )
        if image_id in rows:
            raise UneError(
                f"image {image_id!r} has two vectors, of ids {vectors.ids[rows[image_id]]!r} and {text!r}"
            )
        rows[image_id] = row
    if not rows:
        raise UneError(
            f"none of {len(vectors.ids):,} ids is an image of {lake.url}: they look like {vectors.ids[0]!r},"
            f" the lake's like {ids[0]!r}"
        )
    return rows


def _image_of(text: str, known: Mapping[str, str]) -> tuple[str | None, str]:
    """The image of an id, or of a path whose end is one, and what stands before that."""
    end = text
    while end not in known:
        _, slash, end = end.partition("/")
        if not slash:
            return None, ""
    return known[end], text.removesuffix(end)


def _read(source: Path, ids: Path | None, column: str | None, id_column: str | None) -> Vectors:
    try:
        if source.suffix == ".npy":
            if ids is None:
                raise UneError(f"{source} holds no ids; give a file of a line each, or Parquet, with --ids")
            return _checked(source, _ids(ids, id_column), np.load(source, mmap_mode="r", allow_pickle=False))
        if (source / "img_emb").is_dir():
            return _clip_retrieval(source, id_column)
        files = sorted(source.rglob("*.parquet")) if source.is_dir() else [source]
        if not files:
            raise UneError(f"{source} holds no .parquet file and no img_emb/")
        tables = [pq.read_table(file) for file in files]
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise UneError(f"can't read vectors from {source}: {reason(error)}") from error
    table = pa.concat_tables(tables, promote_options="default")
    values = table[_column(source, table, column, VECTORS)].to_pylist()
    lengths = {len(value) for value in values if value is not None}
    if len(lengths) != 1:
        raise UneError(f"{source}: vectors of several lengths, {sorted(lengths)[:5]}")
    names = table[_column(source, table, id_column, IDS)].to_pylist()
    missing = [np.nan] * lengths.pop()  # a picture that failed: a reject
    z = np.array([missing if value is None else value for value in values], np.float32)
    return _checked(source, list(map(str, names)), z)


def _clip_retrieval(source: Path, id_column: str | None) -> Vectors:
    """img_emb/img_emb_0.npy, … beside metadata/metadata_0.parquet, …"""
    parts, names = [], []
    for file in sorted((source / "img_emb").glob("*.npy"), key=_number):
        parts.append(np.load(file, allow_pickle=False))
        metadata = source / "metadata" / f"metadata_{file.stem.rpartition('_')[2]}.parquet"
        names += _ids(metadata, id_column)
        if len(names) != sum(map(len, parts)):
            raise UneError(f"{metadata} has another number of rows than {file}")
    return _checked(source, names, np.concatenate(parts))


def _number(file: Path) -> int:
    return int(file.stem.rpartition("_")[2])


def _ids(file: Path, id_column: str | None) -> list[str]:
    if file.suffix != ".parquet":
        lines = file.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
        return [line.removesuffix("\r") for line in lines]
    table = pq.read_table(file)
    return list(map(str, table[_column(file, table, id_column, IDS)].to_pylist()))


def _column(source: Path, table: pa.Table, name: str | None, usual: Sequence[str]) -> str:
    """The named column, or the first of the usual names that there is."""
    if name is not None and name not in table.column_names:
        raise unknown(f"column of {source}", name, table.column_names)
    found = name or next((name for name in usual if name in table.column_names), None)
    if found is None:
        raise UneError(
            f"{source} has none of the columns {', '.join(usual)}; it has {', '.join(table.column_names)}:"
            " name yours with --column (vectors) and --id-column"
        )
    return found


def _checked(source: Path, ids: Sequence[str], z: np.ndarray) -> Vectors:
    if z.ndim != 2 or z.dtype.kind != "f":
        raise UneError(f"{source} holds {z.dtype} of shape {z.shape}; vectors are floats of shape (n, d)")
    if not len(z):
        raise UneError(f"{source} holds no vector")
    if len(ids) != len(z):
        raise UneError(f"{source} has {len(z):,} vectors and {len(ids):,} ids")
    return Vectors(ids=ids, z=z)
