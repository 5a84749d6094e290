"""What the parts of the page share: the lake they draw from, and what they hand back.

A part is a function `section(source) -> Section | None`, None where the lake has nothing for it. The page
finds it by its module: one of `report/sections/`, or the `section.py` of a study, which has either `ORDER`
and `section`, or `SECTIONS` with several `(order, function)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import duckdb
import numpy as np
from PIL import Image

from une_ray.corpora import Corpus, open_corpus
from une_ray.errors import UneError
from une_ray.lake.latents import matrix
from une_ray.lake.layout import Lake
from une_ray.lake.session import QUERIES
from une_ray.pictures.decode import Reject, decode
from une_ray.report.roles import Roles
from une_ray.report.theme import Colour
from une_ray.spaces.names import decodable


@dataclass(frozen=True)
class Section:
    """One part of the page: a title, a sentence on how to read it, and HTML; `summary` is its line at the
    top, as text.

    A summary names a figure beside its control.
    """

    title: str
    note: str
    html: str
    summary: str = ""

    @property
    def anchor(self) -> str:
        """What the table of contents links to: `transfer-between-spaces`."""
        return "-".join(re.findall(r"\w+", self.title.lower()))


class Source:
    """A lake as the sections read it: SQL, its pictures, its fingerprints."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.sql: duckdb.DuckDBPyConnection = lake.cursor()
        self.fingerprints = lake.fingerprints()
        self.picture = lru_cache(maxsize=512)(self._picture)

    @cached_property
    def corpus(self) -> Corpus:
        return open_corpus(self.lake.manifest["corpus"])

    @cached_property
    def has_pictures(self) -> bool:
        """Whether the corpus is pictures, not captions alone."""
        return bool(self.rows("SELECT 1 FROM images WHERE width IS NOT NULL LIMIT 1"))

    @cached_property
    def roles(self) -> Roles:
        """What is a model and what a control."""
        return Roles(dict(self.rows("SELECT space, role FROM spaces")))

    @property
    def generators(self) -> dict[str, dict[str, Any]]:
        """Fingerprints of the spaces of inverted noise."""
        return decodable(self.fingerprints)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.sql.execute(query, list(values)).fetchall()

    def define(self, file: str) -> None:
        """Make the views and macros of a file of `queries/`, without asking what it asks."""
        for statement in self.sql.extract_statements((QUERIES / file).read_text(encoding="utf-8")):
            if statement.type.name == "CREATE":
                self.sql.execute(statement)

    def latents(self, space: str, limit: int, split: str | None = None) -> tuple[list[str], np.ndarray]:
        """Ids and z (n, dim) float32 of up to `limit` images, spread evenly over the corpus, or a split of
        it, by a hash of the id."""
        query = """SELECT image_id, z FROM latents WHERE space = $space
            AND ($split IS NULL OR image_id IN (SELECT image_id FROM images WHERE split = $split))
            ORDER BY md5(image_id) LIMIT $limit"""
        values = {"space": space, "limit": limit, "split": split}
        latents = self.sql.sql(query, params=values).to_arrow_table()
        if not len(latents):
            return [], np.empty((0, 0), np.float32)
        return latents["image_id"].to_pylist(), matrix(latents["z"], np.float32)

    def _picture(self, image_id: str) -> Image.Image:
        """The picture, or a grey square where the corpus is not within reach of this machine."""
        ((source,),) = self.rows("SELECT source FROM images WHERE image_id = ?", image_id)
        try:
            return decode(self.corpus.read(source))
        except (OSError, Reject, UneError):
            return Image.new("RGB", (64, 64), Colour.FAINT)


SectionFunction = Callable[[Source], Section | None]
