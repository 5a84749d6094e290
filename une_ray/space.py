"""One space of an open lake, as a notebook reads it: latents, with or without labels, whole or in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from une_ray.arguments import of_their_kinds
from une_ray.errors import UneError, unknown

if TYPE_CHECKING:
    import pyarrow as pa

    from une_ray.api import Lake


class Latents(NamedTuple):
    """Latents of a space: `image_ids` (n,) and `z` (n, d) float32."""

    image_ids: list[str]
    z: np.ndarray


@of_their_kinds
@dataclass(frozen=True)
class Space:
    """One space of a lake: its latents, with or without labels."""

    lake: Lake
    name: str

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Everything that decides its numbers."""
        return self.lake.fingerprints()[self.name]

    @property
    def role(self) -> str:
        """ "model" or "control"."""
        return self.lake.spaces[self.name]

    def latents(self, split: str | None = None) -> Latents:
        """All latents, or those of a split, in the lake's order. For more than fits in memory: `blocks`."""
        parts = list(self.blocks(split=split))
        if not parts:
            raise UneError(
                f"space {self.name!r} of {self.lake.url} has no"
                f" latents{f' of split {split!r}' if split else ''} yet"
            )
        return Latents(
            [i for part in parts for i in part.image_ids], np.concatenate([part.z for part in parts])
        )

    def blocks(self, rows: int = 2048, split: str | None = None) -> Iterator[Latents]:
        """The same, `rows` at a time, fewer where a split leaves some out. Raises UneError for a split
        that the lake has not, and for less than one row."""
        import pyarrow as pa
        import pyarrow.compute as pc

        from une_ray.lake.latents import in_shard_order, matrix, unmerged

        if rows < 1:
            raise UneError(f"blocks of {rows} rows; ask for 1 or more")
        cursor = in_shard_order(self.lake, self.name)
        query = cursor.sql("SELECT image_id, z FROM latents WHERE space = ?", params=[self.name])
        wanted = None if split is None else self._of_split(split)
        for batch in unmerged(self.lake, self.name, query.to_arrow_reader(rows)):
            part = batch if wanted is None else batch.filter(pc.is_in(batch["image_id"], wanted))
            if len(part):
                z = matrix(pa.chunked_array([part["z"]]), np.float32)
                yield Latents(part["image_id"].to_pylist(), z)

    def export(self, path: str | Path) -> int:
        """Write the space to a new `.npy`, `.safetensors`, `.parquet` or `.lance` file, or a folder of
        `datasets`; how many latents."""
        from une_ray.lake.exporting import export_space

        return export_space(self.table(), Path(path))

    def table(self) -> pa.Table:
        """image_id, split, caption, a column for each attribute, `metadata.KEY` for each key of the metadata,
        and z, in the lake's order: for pandas, polars or a file.

        An attribute whose name is another column's, as z, is `attributes.z`.
        """
        import pyarrow.compute as pc

        from une_ray.lake.latents import attributes_of, in_shard_order, metadata_of

        names, keys = attributes_of(self.lake), metadata_of(self.lake)
        columns = ["image_id", "split", "caption", *(f"attributes[{_quoted(name)}]" for name in names)]
        columns += [f"metadata[{_quoted(key)}]" for key in keys]
        labels = self.lake.session.sql(f"SELECT {', '.join(columns)} FROM images").to_arrow_table()
        labels = labels.rename_columns(_headers(names, keys))
        query = "SELECT image_id, z FROM latents WHERE space = ?"
        latents = in_shard_order(self.lake, self.name).sql(query, params=[self.name]).to_arrow_table()
        # A join would not keep the lake's order.
        rows = pc.index_in(latents["image_id"], labels["image_id"].combine_chunks())
        return labels.take(rows).append_column("z", latents["z"])

    def _of_split(self, split: str) -> pa.Array:
        query = "SELECT image_id FROM images WHERE split = ?"
        ids = self.lake.session.sql(query, params=[split]).to_arrow_table()["image_id"].combine_chunks()
        if not len(ids) and (known := self.lake.rows("SELECT DISTINCT split FROM images ORDER BY split")):
            raise unknown(f"split of {self.lake.url}", split, [name for (name,) in known])
        return ids


def _headers(names: list[str], keys: list[str]) -> list[str]:
    """Columns of a space's table but for z, each of another name, whatever attributes are called."""
    first, metadata = ["image_id", "split", "caption"], [f"metadata.{key}" for key in keys]
    taken, free = {*first, *metadata, "z"}, set(names)
    headers = []
    for name in names:
        header = name
        while header in taken or (header != name and header in free):
            header = f"attributes.{header}"
        headers.append(header)
        taken.add(header)
    return [*first, *headers, *metadata]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
