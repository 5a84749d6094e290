"""A few items of every space, read again from the corpus and compared with what the lake holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from une_ray.corpora import Corpus, open_corpus
from une_ray.errors import UneError
from une_ray.lake.derived import DERIVED
from une_ray.lake.importing import IMPORTED
from une_ray.lake.layout import Lake
from une_ray.lake.schema import OK
from une_ray.pictures.decode import Reject
from une_ray.run.read import read_captions, read_space
from une_ray.run.shard import read_one
from une_ray.spaces.space import Space

# Of the latent's norm: float16 networks and other machines stay below; other weights are near 1 and above.
TOLERANCE = 0.05
READ = """
    SELECT image_id, source, z, caption FROM latents JOIN images USING (image_id)
    WHERE space = ? ORDER BY hash(image_id || ?) LIMIT ?"""


def recompute(lake: Lake, items: int, seed: int = 0) -> Iterator[str]:
    """Lines of what holds: per space the largest distance of `items` latents to those made again here.

    The network runs in float32 on this machine's GPU, if it has one, else on the CPU. Raises UneError for the
    first latent that is further away than 5 % of its norm: the space was made by other weights, other
    preprocessing or of another picture.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for name, fingerprint in lake.fingerprints().items():
        if fingerprint["kind"] == IMPORTED:
            yield f"space {name}: imported, there is no model to make it again"
            continue
        if fingerprint["kind"] == DERIVED:
            yield f"space {name}: derived from other spaces by a stored map, no picture is read for it"
            continue
        Space.refuse_changed(name, fingerprint)
        rows = lake.rows(READ, [name, str(seed), items])
        if not rows:
            yield f"space {name}: no latent to recompute"
            continue
        corpus = open_corpus(lake.manifest["corpus"])
        errors = _errors(Space.from_fingerprint(name, fingerprint), corpus, rows, device)
        worst = int(np.argmax(errors))
        if errors[worst] > TOLERANCE:
            far = int((errors > TOLERANCE).sum())
            raise UneError(
                f"space {name!r}: the latent of {rows[worst][0]!r} made again is {errors[worst]:.0%} of"
                f" its norm away from the lake's; so are {far} of {len(rows)}. It was made by other weights"
                " or preprocessing, or of another picture: remove the space (une space remove) and build it"
                " again"
            )
        yield f"space {name}: {len(rows)} latents made again, at most {errors[worst]:.1%} of their norm away"


def _errors(
    space: Space, corpus: Corpus, rows: list[tuple[str, str, list[float], str]], device: str
) -> np.ndarray:
    """Distance of each latent to itself made again, relative to its norm."""
    ids, sources, latents, captions = zip(*rows)
    batch, step = min(space.model.batch_size, len(rows)), space.load(device)
    if space.modality == "captions":
        table, _ = read_captions(step, batch, ids, captions)
    else:
        table = read_space(step, space.model.preprocessing, batch, ids, _pictures(corpus, ids, sources))
    again = table.to_pylist()
    if failed := next((row for row in again if row["status"] != OK), None):
        raise UneError(f"image {failed['image_id']!r} fails now in space {space.name!r}: {failed['error']}")
    stored, made = (np.array(z, np.float32) for z in (latents, [row["z"] for row in again]))
    if stored.shape != made.shape:
        raise UneError(
            f"space {space.name!r}: latents of length {stored.shape[1]}, made again {made.shape[1]}"
        )
    return np.linalg.norm(stored - made, axis=1) / np.maximum(np.linalg.norm(stored, axis=1), 1e-6)


def _pictures(corpus: Corpus, ids: Sequence[str], sources: Sequence[str]) -> list[bytes | Reject | None]:
    images: list[bytes | Reject | None] = []
    for image_id, source in zip(ids, sources, strict=True):
        data = read_one(corpus, source)
        if not isinstance(data, bytes):
            raise UneError(f"image {image_id!r} of {corpus.name} can't be read any more: {data}")
        images.append(data)
    return images
