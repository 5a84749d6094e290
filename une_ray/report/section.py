"""What the parts of the page share: the lake they draw from, and what they hand back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from html import escape

import duckdb
import numpy as np
from PIL import Image

from une_ray.corpora import Corpus, open_corpus
from une_ray.errors import UneError
from une_ray.lake.latents import matrix
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect
from une_ray.pictures.decode import Reject, decode
from une_ray.spaces.names import decodable


@dataclass(frozen=True)
class Section:
    """One part of the page: a title, a sentence on how to read it, and HTML."""

    title: str
    note: str
    html: str


class Source:
    """A lake as the sections read it: SQL, its pictures, its fingerprints."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.sql: duckdb.DuckDBPyConnection = connect(lake)
        self.fingerprints = lake.fingerprints()
        self.picture = lru_cache(maxsize=512)(self._picture)

    @cached_property
    def corpus(self) -> Corpus:
        return open_corpus(self.lake.manifest["corpus"])

    @property
    def generators(self) -> dict[str, dict]:
        return decodable(self.fingerprints)

    def rows(self, query: str, *values) -> list[tuple]:
        return self.sql.execute(query, list(values)).fetchall()

    def latents(self, space: str, limit: int) -> tuple[list[str], np.ndarray]:
        """Ids and z (n, dim) float32 of up to `limit` images, spread evenly over the corpus by a hash of the id."""
        query = "SELECT image_id, z FROM latents WHERE space = ? ORDER BY md5(image_id) LIMIT ?"
        found = self.sql.sql(query, params=[space, limit]).to_arrow_table()
        if not len(found):
            return [], np.empty((0, 0), np.float32)
        return found["image_id"].to_pylist(), matrix(found["z"], np.float32)

    def _picture(self, image_id: str) -> Image.Image:
        """The picture, or a grey square where the corpus is not within reach of this machine."""
        (source,) = self.rows("SELECT source FROM images WHERE image_id = ?", image_id)[0]
        try:
            return decode(self.corpus.read(source))
        except (OSError, Reject, UneError):
            return Image.new("RGB", (64, 64), "#c9ced6")


def table(header: list[str], rows: list[tuple], numeric: int = 1) -> str:
    """An HTML table; columns from number `numeric` on are aligned as numbers."""
    cells = "".join(
        f"<th{' class=n' if i >= numeric else ''}>{escape(name)}</th>" for i, name in enumerate(header)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{' class=n' if i >= numeric else ''}>{escape(str(value))}</td>"
            for i, value in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f"<div class=scroll><table><tr>{cells}</tr>{body}</table></div>"
