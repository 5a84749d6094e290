"""The pictures' own captions under a map that was fitted on the pictures alone (paper 2): do they follow?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError
from une_ray.geometry.arrays import Floats, Integers
from une_ray.geometry.pairing import nearest
from une_ray.geometry.peers import FittedMap
from une_ray.geometry.unit import unit_rows
from une_ray.lake.layout import Lake
from une_ray.lake.paired import paired_images, rows_of
from une_ray.run.progress import say
from une_ray.studies.maps.evaluation import Figure, any_orthogonal_gives, paired_figures, text_space

CAPTIONED = "SELECT space, images FROM counts WHERE status = 'ok' AND space IN (SELECT unnest(?))"
CAPTIONS = "SELECT image_id, caption FROM images WHERE caption IS NOT NULL"


@dataclass(frozen=True, kw_only=True, eq=False)
class Captions:
    """Test images with a caption in both models: rows of the images `a`, `b` and of their captions `a_texts`,
    `b_texts`, (n, d) of unit length; `mean_a` and `mean_b` (d,) of train captions.

    Images may have the same caption: `distinct` (m,) are the rows of the m first of each, and `which` (n,)
    the number of an image's caption among those.
    """

    a: Floats
    b: Floats
    a_texts: Floats
    b_texts: Floats
    mean_a: Floats
    mean_b: Floats
    distinct: Integers
    which: Integers


def captioned(lake: Lake, source: str, target: str, split_seed: int) -> dict[str, int]:
    """How many captions `source/text` and `target/text` have read; none where they can't be asked, which is
    said where both are there."""
    texts = [text_space(source), text_space(target)]
    found = dict(lake.rows(CAPTIONED, [texts]))
    if len(found) < len(texts):
        return {}
    try:
        paired_images(lake, [source, target, *texts], (), split_seed, with_copies=True)
    except UneError as error:
        say(f"captions are not asked: {error}")
        return {}
    return found


def captions_of(lake: Lake, source: str, target: str, split_seed: int, most: int) -> Captions:
    """Of the images that have all four, no more than `most` train and a quarter of it test images.

    A picture with several captions has a row of each. Raises UneError where none has.
    """
    texts = [text_space(source), text_space(target)]
    images = paired_images(lake, [source, target, *texts], (), split_seed, with_copies=True)
    train, test = _some(images.train, most), _some(images.test, most // 4)
    means = {space: unit_rows(z).mean(0) for space, z in rows_of(lake, texts, train).items()}
    rows = {space: unit_rows(z) for space, z in rows_of(lake, [source, target, *texts], test).items()}
    said = dict(lake.rows(CAPTIONS))
    _, distinct, which = np.unique(
        [said[image_id] for image_id in test.to_pylist()], return_index=True, return_inverse=True
    )
    return Captions(
        a=rows[source],
        b=rows[target],
        a_texts=rows[texts[0]],
        b_texts=rows[texts[1]],
        mean_a=means[texts[0]],
        mean_b=means[texts[1]],
        distinct=distinct,
        which=which,
    )


def caption_figures(fitted: FittedMap, captions: Captions) -> Iterator[Figure]:
    """Of captions: cosine and retrieval among the distinct ones; and which caption is nearest to an image,
    across the models. The map is moved to the captions' own means where it is centred."""
    moved = fitted.about(captions.mean_a, captions.mean_b)
    mapped = moved.source(captions.a_texts[captions.distinct])
    true = fitted.target(captions.b_texts[captions.distinct])
    yield from paired_figures("captions", mapped, true)
    images, theirs = fitted.source(captions.a), fitted.target(captions.b)
    keeps = any_orthogonal_gives(fitted)
    for name, queries, gallery, is_given in (
        ("mapped image, target text", images, true, False),
        ("mapped image, mapped text", images, mapped, keeps),
        ("target image, mapped text", theirs, mapped, False),
    ):
        yield _found(name, queries, gallery, captions.which, is_given)


def captions_alone(captions: Captions) -> Iterator[Figure]:
    """How often either model by itself finds an image's caption."""
    for name, images, texts in (
        ("source alone", captions.a, captions.a_texts),
        ("target alone", captions.b, captions.b_texts),
    ):
        yield _found(name, images, texts[captions.distinct], captions.which)


def _found(name: str, images: Floats, texts: Floats, which: Integers, any_orthogonal: bool = False) -> Figure:
    share = float((nearest(images, texts) == which).mean())
    return Figure(
        of="captions",
        metric=f"retrieval: {name}",
        value=share,
        items=len(images),
        any_orthogonal=any_orthogonal,
    )


def _some(ids: pa.Array, most: int) -> pa.Array:
    chosen = np.sort(np.random.default_rng(0).permutation(len(ids))[:most])
    return ids.take(pa.array(chosen))
