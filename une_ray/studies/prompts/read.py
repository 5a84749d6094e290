"""Prompts as a lake has them: what every seed of each was in one space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from une_ray.errors import UneError, unknown
from une_ray.lake.latents import matrix
from une_ray.lake.layout import Lake

BY_SEED = """
    SELECT caption, z FROM seeds JOIN images USING (image_id)
    WHERE space = ? AND space_fingerprint = ? ORDER BY image_id, seed"""
MEANS = "SELECT caption, z FROM latents JOIN images USING (image_id) WHERE space = ? ORDER BY image_id"


@dataclass(frozen=True, eq=False)
class Prompts:
    """`texts` (p) and `h` (p, S, d) float32 of them; a space that keeps no seeds has one."""

    texts: list[str]
    h: np.ndarray

    def of(self, text: str) -> np.ndarray:
        """(S, d) of one prompt. Raises UneError for one that the lake has not."""
        if text not in self.texts:
            raise unknown("prompt", text, self.texts)
        return self.h[self.texts.index(text)]


def caption_spaces(lake: Lake) -> list[str]:
    """The lake's spaces of prompts and captions. Raises UneError where there are none."""
    methods = ("text-embedding", "middle-block-of-prompts")
    found = [name for name, facts in lake.fingerprints().items() if facts.get("method") in methods]
    if not found:
        raise UneError(
            f"{lake.url} has no space of prompts; build one, as in une build --corpus prompts:FILE --spaces"
            " mini-sd-a/hspace --lake LAKE"
        )
    return found


def read_prompts(lake: Lake, space: str, fingerprint: str) -> Prompts:
    """Every prompt of a space. Raises UneError for captions that come again: they are no prompts' list."""
    query, parameters = BY_SEED, [space, fingerprint]
    if not lake.rows("SELECT 1 FROM seeds WHERE space = ? AND space_fingerprint = ? LIMIT 1", parameters):
        query, parameters = MEANS, [space]
    table = lake.session.sql(query, params=parameters).to_arrow_table()
    if not len(table):
        raise UneError(f"space {space!r} of {lake.url} has no latents yet; une build finishes it")
    captions = table["caption"].to_pylist()
    texts = list(dict.fromkeys(captions))
    if len(captions) % len(texts) or captions != [
        text for text in texts for _ in range(len(captions) // len(texts))
    ]:
        raise UneError(f"{space}: captions come again; prompts are a corpus prompts:FILE, each once")
    return Prompts(texts, matrix(table["z"], np.float32).reshape(len(texts), -1, len(table["z"][0])))
