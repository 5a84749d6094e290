"""Prompts as a lake has them: what every seed of each was in one space."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError, unknown
from une_ray.lake import results
from une_ray.lake.latents import matrix, metadata_of, spaces_of
from une_ray.lake.layout import Lake
from une_ray.run.progress import say

INTERVAL = {"interval": "jackknife"}  # in configs: rows that were computed with a bootstrap's are others
SAME = 1e-4  # of the largest number of a prompt: what another batch's rounding changes stays far below

BY_SEED = """
    SELECT caption, z FROM seeds JOIN images USING (image_id)
    WHERE space = ? AND space_fingerprint = ? ORDER BY image_id, seed"""
MEANS = "SELECT caption, z FROM latents JOIN images USING (image_id) WHERE space = ? ORDER BY image_id"


@dataclass(frozen=True, eq=False)
class Prompts:
    """`texts` (p) and `h` (p, S, d) float32 of them; a space that keeps no seeds has one. `undirected` are
    those that the model reads as the neutral prompt."""

    texts: list[str]
    h: np.ndarray
    undirected: tuple[str, ...] = ()

    def of(self, text: str) -> np.ndarray:
        """(S, d) of one prompt. Raises UneError for one that the lake has not, or that has no direction."""
        if text in self.undirected:
            raise UneError(f"{text!r} is the neutral prompt to this model: it has no direction from it")
        if text not in self.texts:
            raise unknown("prompt", text, self.texts)
        return self.h[self.texts.index(text)]

    def from_neutral(self, neutral: str) -> Prompts:
        """Those that have a direction from the neutral prompt, and that one. Tokenizers know no capitals, no
        second blank and no more than 77 tokens, so that prompts that differ as texts may be one: what would
        be left of their difference is rounding."""
        start = self.of(neutral)
        moved = np.array([largest(h - start) for h in self.h])
        keep = (moved > SAME * largest(start)) | (np.array(self.texts) == neutral)
        kept, lost = (list(itertools.compress(self.texts, mask)) for mask in (keep, ~keep))
        return Prompts(kept, self.h[keep], tuple(lost))


def largest(x: np.ndarray) -> float:
    """The largest absolute number."""
    return float(np.abs(x).max())


def are_same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two prompts (S, d) differ by rounding alone."""
    return largest(a - b) <= SAME * largest(a)


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


def prompts_of(lake: Lake, space: str) -> list[str]:
    """Every prompt of a space, in the lake's order."""
    query = "SELECT caption FROM latents JOIN images USING (image_id) WHERE space = ? ORDER BY image_id"
    return [text for (text,) in lake.rows(query, [space])]


def labelled(lake: Lake, key: str) -> dict[str, str]:
    """Prompt → what its metadata say under `key`. Raises UneError where they say nothing of any."""
    query = "SELECT caption, metadata[$key] FROM images WHERE metadata[$key] IS NOT NULL ORDER BY image_id"
    found = dict(lake.rows(query, {"key": key}))
    if not found:
        keys = metadata_of(lake)
        remedy = f"it has {', '.join(keys)}" if keys else "a CSV of prompts may have such a column"
        raise UneError(f"no prompt of {lake.url} has metadata {key!r}; {remedy}")
    return found


def stamp_of(lake: Lake, space: str) -> dict[str, Any]:
    """What decides the prompts of a space: its name, its fingerprint's hash, and a hash of those that it has
    by now, as a build may be under way."""
    return {
        "space": space,
        "space_fingerprint": results.config_hash(lake.fingerprints()[space]),
        "prompts": results.config_hash(prompts_of(lake, space)),
    }


def computed(
    lake: Lake,
    table: str,
    spaces: Sequence[str] | None,
    settings_of: Callable[[str], Mapping[str, Any]],
    commit: Callable[[dict[str, Any], Prompts], None],
) -> list[str]:
    """The configs of a computation of every one of `spaces` (default: all of captions): its stamp and its
    settings. `commit` does those that the lake has not."""
    configs = []
    for space in caption_spaces(lake) if spaces is None else spaces_of(lake, spaces):
        config = stamp_of(lake, space) | dict(settings_of(space))
        if not results.is_done(lake, table, config):
            prompts = read_prompts(lake, space, config["space_fingerprint"]).from_neutral(config["neutral"])
            if prompts.undirected:
                named = ", ".join(map(repr, prompts.undirected))
                say(f"{space}: left out, as the model reads the neutral prompt: {named}")
            commit(config, prompts)
        configs.append(results.config_hash(config))
    return configs


def rows_of(lake: Lake, table: str, configs: Sequence[str]) -> pa.Table:
    """The rows of these computations."""
    query = f"SELECT * FROM {table} WHERE config IN (SELECT unnest(?)) ORDER BY ALL"
    return lake.session.sql(query, params=[list(configs)]).to_arrow_table()


def number(value: float) -> float | None:
    """As a table has it: NULL for NaN."""
    return None if np.isnan(value) else float(value)


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
