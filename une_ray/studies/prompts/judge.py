"""Who votes on drawn pictures: an image–text model by the poles' texts, or a probe of a lake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from une_ray.corpora.files import absolute
from une_ray.errors import UneError, unknown
from une_ray.geometry.unit import unit_rows
from une_ray.lake.layout import Lake
from une_ray.spaces.space import Space

PROBE = """SELECT w, b FROM best_probes WHERE space = ? AND attribute = ? AND method = 'ridge'
    AND split_seed = 0 AND status = 'ok'"""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """`mini-clip-b`, an image–text model that votes by the poles' texts, or `mini-dino:Male@demo/lake`, a
    space and an attribute of a lake, whose probe votes: the first pole where it is positive."""

    model: str
    attribute: str | None = None
    lake: str | None = None

    @classmethod
    def parse(cls, text: str) -> Judge:
        """Raises UneError for a probe without its attribute or lake."""
        head, at, lake = text.partition("@")
        model, colon, attribute = head.partition(":")
        if bool(at) != bool(colon) or (at and not (attribute and lake)):
            raise UneError(
                f"judge {text!r}: it is a MODEL that reads texts and pictures, as mini-clip-b, or"
                " SPACE:ATTRIBUTE@LAKE, as mini-dino:Male@demo/lake"
            )
        return cls(model=model, attribute=attribute or None, lake=absolute(lake) if lake else None)

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """Of the encoder whose embeddings are judged: the model's own, or of the space that the probe was
        fitted on.

        Raises UneError for a model without a text tower, and for a probe's space that its lake has not, that
        reads no pictures, or whose weights are no longer those that it was built with.
        """
        if self.lake is None:
            from une_ray.models.contrastive import text_tower_loader

            space = Space.parse(self.model).with_dtype("float32")
            text_tower_loader(space.model)  # refuses what reads no texts
            return space.pinned()[1]
        known = Lake(self.lake).fingerprints()
        if self.model not in known:
            raise unknown(f"space of {self.lake}", self.model, known)
        found = known[self.model]
        Space.refuse_changed(self.model, found)
        if Space.from_fingerprint(self.model, found).modality != "pictures":
            raise UneError(
                f"judge {self.model} reads captions, and drawn pictures have none; take a space of pictures"
            )
        return found

    def vote(self, z: np.ndarray, poles: Sequence[str]) -> np.ndarray:
        """(n,) bool of pictures' embeddings (n, d): whether each is the first pole's."""
        if self.attribute is None:
            from une_ray.models.contrastive import load_text_tower
            from une_ray.models.resolve import pin
            from une_ray.models.table import find_model

            tower = load_text_tower(pin(find_model(self.model))[0])
            first, second = unit_rows(tower.embed(list(poles)).float().detach().cpu().numpy())
            return unit_rows(z) @ (first - second) > 0
        w, b = self.probe()
        return z @ w + b > 0

    def probe(self) -> tuple[np.ndarray, float]:
        """w (d,) and b. Raises UneError where that lake has none of the attribute."""
        assert self.lake is not None
        lake = Lake(self.lake).existing()
        if self.model not in lake.fingerprints():
            raise unknown(f"space of {self.lake}", self.model, lake.fingerprints())
        rows = lake.rows(PROBE, [self.model, self.attribute])
        if not rows:
            raise UneError(
                f"{self.lake} has no probe of {self.attribute!r} in {self.model}; une probe {self.lake}"
                " fits them"
            )
        return np.array(rows[0][0]), rows[0][1]
