"""Vectors that people have already become a space: read from a file, joined to the lake's images by id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from une_ray.corpora.labels import plain_name
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.names import check_name
from une_ray.lake.vector_files import Vectors, read_vectors

IMPORTED = "imported"  # the kind of a space that no model of ours made
FLOAT16_MAX = 65504.0
AT_ONCE = 4096  # vectors that are looked at
ROUNDED_AWAY = 0.01  # of a vector's length, in float16; 4e-4 where no coordinate is below 6e-5


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of vectors: how many found an image, how many found none, images left without one, and
    those whose vector a lake can't hold."""

    space: str
    joined: int
    strange: Sequence[str]
    without: int
    unfit: int = 0
    by_stem: bool = False

    def __str__(self) -> str:
        how = " by names without suffixes" if self.by_stem else ""
        text = f"{self.space}: {self.joined:,} vectors joined to images{how}"
        if self.strange:
            text += f"; {len(self.strange):,} are of no image of the lake ({', '.join(self.strange[:3])}, …)"
        if self.without:
            text += f"; {self.without:,} images have none and are rejects of the space"
        if self.unfit:
            text += f"; {self.unfit:,} vectors do not fit into float16 and are rejects too"
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

    `source`, `ids` and the columns are as `vector_files.read_vectors` has them. An id is an image's own, or a
    path that ends in it, or where none is, its name without folders and suffix. The same vectors again
    change nothing.

    Raises UneError for a file that is none of these, no word of the model, an id that comes twice, vectors
    of which none finds an image or fits into float16, and ids that may be row numbers and find only some by
    names without suffix.
    """
    check_name(name)
    if not model.strip():
        raise UneError(f"model={model!r} says nothing; say what made the vectors, as 'our ViT-B, epoch 90'")
    lake.existing()
    if missing := set(range(lake.shards)) - lake.committed("images"):
        raise UneError(
            f"{lake.url} has not read its images yet ({len(missing)} of {lake.shards} shards are missing);"
            " finish une build with one space, such as pixels-16"
        )
    vectors = read_vectors(Path(source), None if ids is None else Path(ids), column, id_column)
    rows, by_stem = _joined(lake, vectors)
    faults = _faults(vectors.z, rows)
    if len(faults) == len(rows):
        first, fault = next(iter(faults.items()))
        remedy = "multiply all of them by one number" if "float16" in fault else "make them again"
        raise UneError(
            f"no vector of {source} fits into a lake's float16: that of {first!r}, whose largest number is"
            f" {np.abs(vectors.z[rows[first]]).max():.3g} ({fault}); {remedy}"
        )
    fingerprint = _fingerprint(vectors, model)
    lake.register(name, fingerprint)
    done = lake.committed(space_folder(name))
    joined = without = unfit = 0
    reasons = set(faults.values())
    for shard in range(lake.shards):
        table = _table(lake, shard, vectors.z, rows, faults, str(source))
        good = table["status"].to_pylist().count(schema.OK)
        bad = sum(error in reasons for error in table["error"].to_pylist())
        joined, without, unfit = joined + good, without + len(table) - good - bad, unfit + bad
        if shard not in done:  # it may be in a merged file, and these are the same vectors
            lake.commit_shard(name, shard, table, fingerprint)
    used = set(rows.values())
    strange = [vectors.ids[row] for row in range(len(vectors.ids)) if row not in used]
    return Imported(
        space=name,
        joined=joined,
        strange=strange,
        without=without,
        unfit=unfit,
        by_stem=by_stem,
    )


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


def _faults(z: np.ndarray, rows: Mapping[str, int]) -> dict[str, str]:
    """Images whose vectors do not fit into float16, as which a lake keeps them, and why."""
    faults: dict[str, str] = {}
    image_ids = list(rows)
    for start in range(0, len(image_ids), AT_ONCE):
        some = image_ids[start : start + AT_ONCE]
        exact = np.asarray(z[[rows[image_id] for image_id in some]], np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            lost = np.linalg.norm(exact.astype(np.float16) - exact, axis=1)
        tests = {
            "is not finite": ~np.isfinite(exact).all(1),
            "is too large for float16": np.abs(exact).max(1, initial=0) > FLOAT16_MAX,
            "is too small for float16": lost > ROUNDED_AWAY * np.linalg.norm(exact, axis=1),
        }
        said = np.select(list(tests.values()), [f"vector {fault}" for fault in tests], "").tolist()
        faults |= {image_id: fault for image_id, fault in zip(some, said, strict=True) if fault}
    return faults


def _table(
    lake: Lake, shard: int, z: np.ndarray, rows: Mapping[str, int], faults: Mapping[str, str], source: str
) -> pa.Table:
    images = lake.read_shard("images", shard).select(["image_id", "status"]).to_pylist()
    found = [_row(image, z, rows, faults, source) for image in images]
    return pa.Table.from_pylist(found, schema=schema.SPACE)


def _row(
    image: dict[str, str], z: np.ndarray, rows: Mapping[str, int], faults: Mapping[str, str], source: str
) -> dict[str, object]:
    image_id = image["image_id"]
    row: dict[str, object] = {"image_id": image_id, "status": schema.REJECT}
    if image["status"] != schema.OK:
        return row | {"error": "image unreadable"}
    if image_id not in rows:
        return row | {"error": f"no vector in {source}"}
    if image_id in faults:
        return row | {"error": faults[image_id]}
    vector = np.asarray(z[rows[image_id]], np.float32)
    norm = float(np.linalg.norm(vector))
    return row | {"status": schema.OK, "z": vector.astype(np.float16), "norm": norm, "dim": len(vector)}


def _may_be_row_number(text: str) -> bool:
    """A whole number without leading zeros: img2dataset's keys have them."""
    return text.isdecimal() and (text == "0" or not text.startswith("0"))


def _joined(lake: Lake, vectors: Vectors) -> tuple[dict[str, int], bool]:
    """Image id → row of its vector, and whether names without suffixes were compared. Raises UneError for two
    vectors of one image, or no image at all."""
    ids = [image_id for shard in range(lake.shards) for image_id in lake.plan(shard)["image_id"].to_pylist()]
    known = {plain_name(image_id): image_id for image_id in ids}
    rows: dict[str, int] = {}
    prefixes: dict[str, str] = {}
    names = list(map(plain_name, vectors.ids))
    by_stem = not any(_image_of(name, known)[0] for name in names)
    known = _by_stem(known) if by_stem else known
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
            f" the lake's like {ids[0]!r}; --id-column names another column of ids"
        )
    strange = [text for text, name in zip(vectors.ids, names, strict=True) if not _image_of(name, known)[0]]
    if by_stem and strange and all(map(_may_be_row_number, vectors.ids)):
        raise UneError(
            f"{len(strange):,} of {len(vectors.ids):,} ids are no image's name without its suffix, the first"
            f" {strange[0]!r}, where the lake's images are like {ids[0]!r}: row numbers would be taken for"
            " names. Give the images' own names (--id-column), or leave vectors of other images out"
        )
    return rows, by_stem


def _by_stem(known: Mapping[str, str]) -> dict[str, str]:
    """Images by the ends of their names without suffix, as img2dataset's keys have them: `000000012` is
    00000/000000012.jpg; none where two images have one."""
    stems: dict[str, list[str]] = {}
    for name, image_id in known.items():
        stems.setdefault(PurePosixPath(name).stem, []).append(image_id)
    return {stem: found[0] for stem, found in stems.items() if len(found) == 1}


def _image_of(text: str, known: Mapping[str, str]) -> tuple[str | None, str]:
    """The image of an id, or of a path whose end is one, and what stands before that."""
    end = text
    while end not in known:
        _, slash, end = end.partition("/")
        if not slash:
            return None, ""
    return known[end], text.removesuffix(end)
