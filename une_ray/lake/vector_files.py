"""Vectors and their ids in the files that people keep them in: arrays, tables, clip-retrieval's folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from une_ray.errors import UneError, reason, unknown

ARRAYS = (".npy", ".safetensors")
VECTORS = ("embedding", "embeddings", "image_embedding", "emb", "vector", "z")
IDS = ("image_id", "id", "image_path", "file", "path", "key")
FORMS = (
    "an .npy or .safetensors with --ids, Parquet (a file or a folder), a folder of datasets, or one of"
    " clip-retrieval's (img_emb/ and metadata/)"
)


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """Vectors (n, d) as they are stored, and an id for each."""

    ids: Sequence[str]
    z: np.ndarray


def read_vectors(source: Path, ids: Path | None, column: str | None, id_column: str | None) -> Vectors:
    """What `source` holds: an array with `ids`, a text file of a line each, an .npy of texts or Parquet; or a
    table with a column of lists and one of ids, the named ones or the first with a usual name.

    A list that is missing is a vector of NaN. Raises UneError for a file that is none of `FORMS`, a column
    that is no lists of numbers, vectors of several lengths, an empty id, and as many ids as there are no
    vectors.
    """
    is_array = source.suffix in ARRAYS
    if is_array and ids is None:
        raise UneError(f"{source} holds no ids; give a file of a line each, or Parquet, with --ids")
    if ids is not None and not is_array:
        raise UneError(f"{source} has its ids in a column: --id-column names it, --ids is of arrays alone")
    try:
        if is_array and ids is not None:
            return _checked(source, _ids(ids, id_column), _array(source, column))
        if (source / "img_emb").is_dir():
            return _clip_retrieval(source, id_column)
        table = _table(source)
    # Readers of five formats, each with types of its own for a file that is damaged or another one.
    except Exception as error:
        if isinstance(error, (UneError, MemoryError)):
            raise
        raise UneError(f"can't read vectors from {source}: {reason(error)}; it is to be {FORMS}") from error
    z = _matrix(source, table, _column(source, table.column_names, column, VECTORS))
    return _checked(source, _texts(source, table, id_column), z)


def _array(source: Path, name: str | None) -> np.ndarray:
    if source.suffix == ".npy":
        if name is not None:
            raise UneError(f"{source} has no columns, and --column {name} names one")
        return np.load(source, mmap_mode="r", allow_pickle=False)
    from safetensors import deserialize, safe_open

    tensors = dict(deserialize(source.read_bytes()))
    chosen = _column(source, list(tensors), name, VECTORS)
    if tensors[chosen]["dtype"] == "BF16":  # the upper half of a float32, which NumPy does not know
        upper = np.frombuffer(tensors[chosen]["data"], "<u2").astype("<u4") << 16
        return upper.view("<f4").reshape(tensors[chosen]["shape"])
    with safe_open(source, framework="np") as file:
        return file.get_tensor(chosen)


def _table(source: Path) -> pa.Table:
    if not source.exists():
        raise FileNotFoundError("there is no such file")
    if (source / "dataset_info.json").is_file():
        import datasets

        return datasets.load_from_disk(str(source)).with_format("arrow")[:]
    files = sorted(source.rglob("*.parquet")) if source.is_dir() else [source]
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise UneError(f"{source} holds no .parquet file and no img_emb/; it is to be {FORMS}")
    return pa.concat_tables(map(pq.read_table, files), promote_options="default")


def _clip_retrieval(source: Path, id_column: str | None) -> Vectors:
    """img_emb/img_emb_0.npy, … beside metadata/metadata_0.parquet, …"""
    parts: list[np.ndarray] = []
    names: list[str] = []
    files = [file for file in (source / "img_emb").glob("*.npy") if not file.name.startswith(".")]
    for file in sorted(files, key=lambda file: int(_number(file))):
        parts.append(np.load(file, allow_pickle=False))
        metadata = source / "metadata" / f"metadata_{_number(file)}.parquet"
        names += _ids(metadata, id_column)
        if len(names) != sum(map(len, parts)):
            raise UneError(f"{metadata} has another number of rows than {file}")
    if not parts:
        raise UneError(f"{source}/img_emb holds no .npy file")
    return _checked(source, names, np.concatenate(parts))


def _number(file: Path) -> str:
    return file.stem.rpartition("_")[2]


def _ids(file: Path, id_column: str | None) -> list[str]:
    if file.suffix == ".parquet":
        return _texts(file, pq.read_table(file), id_column)
    if file.suffix == ".npy":
        names = np.load(file, allow_pickle=False)
        if names.ndim != 1 or names.dtype.kind not in "Ui":
            raise UneError(f"{file} holds {names.dtype} of shape {names.shape}; ids are texts (n,)")
        return names.astype(str).tolist()
    try:
        lines = file.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UneError(f"can't read ids from {file}: {reason(error)}") from error
    return [line.removesuffix("\r") for line in lines]


def _texts(source: Path, table: pa.Table, name: str | None) -> list[str]:
    """The column of ids."""
    column = _column(source, table.column_names, name, IDS)
    values = table[column].to_pylist()
    if None in values:
        raise UneError(f"{source}: row {values.index(None) + 1} has no {column}; every vector needs its id")
    return list(map(str, values))


def _column(source: Path, names: Sequence[str], name: str | None, usual: Sequence[str]) -> str:
    """The named column, or the first of the usual names that there is."""
    if name is not None and name not in names:
        raise unknown(f"column of {source}", name, names)
    found = name or next((name for name in usual if name in names), None)
    if found is None:
        raise UneError(
            f"{source} has none of the columns {', '.join(usual)}; it has {', '.join(names)}: name yours with"
            " --column (vectors) and --id-column"
        )
    return found


def _matrix(source: Path, table: pa.Table, column: str) -> np.ndarray:
    """(n, d) float32 of a column of lists, NaN where one is missing."""
    kind = table.schema.field(column).type
    is_lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not is_lists or not pa.types.is_floating(kind.value_type):
        raise UneError(
            f"column {column!r} of {source} is {kind}, and vectors are lists of floating-point numbers: texts"
            " and bytes must be parsed first (json.loads, numpy.frombuffer), and the table be written again"
        )
    lengths = pc.unique(pc.list_value_length(table[column])).drop_null().to_pylist()
    if len(lengths) != 1:
        raise UneError(f"{source}: vectors of several lengths, {sorted(lengths)[:5]}")
    if not lengths[0]:
        return np.empty((len(table), 0), np.float32)
    parts = []
    for lists in table[column].chunks:
        part = np.full((len(lists), lengths[0]), np.nan, np.float32)
        present = lists.is_valid().to_numpy(zero_copy_only=False)
        part[present] = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, lengths[0])
        parts.append(part)
    return np.concatenate(parts)


def _checked(source: Path, ids: Sequence[str], z: np.ndarray) -> Vectors:
    if z.ndim != 2 or z.dtype.kind != "f":
        raise UneError(f"{source} holds {z.dtype} of shape {z.shape}; vectors are floats of shape (n, d)")
    if not len(z):
        raise UneError(f"{source} holds no vector")
    if not z.shape[1]:
        raise UneError(
            f"{source} holds vectors of no number, of shape {z.shape}; make them again, (n, d ≥ 1)"
        )
    if len(ids) != len(z):
        raise UneError(
            f"{source} has {len(z):,} vectors and {len(ids):,} ids, from {ids[0]!r} to {ids[-1]!r}: ids are a"
            " text file of a line each, without a first line of names"
        )
    return Vectors(ids=ids, z=z)
