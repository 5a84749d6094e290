"""Class prompts in both models' spaces, and what a map fitted on pictures makes of them (paper 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from une_ray.errors import UneError
from une_ray.geometry.arrays import Floats
from une_ray.geometry.metrics import accuracy, auc
from une_ray.geometry.peers import FittedMap
from une_ray.geometry.unit import unit_rows
from une_ray.lake.latents import matrix
from une_ray.lake.layout import Lake
from une_ray.lake.paired import PairedImages
from une_ray.studies.maps.evaluation import (
    Figure,
    Pairs,
    any_orthogonal_gives,
    paired_figures,
    text_space,
)

ITEMS = "SELECT image_id FROM latents WHERE space = ? ORDER BY image_id"
VECTORS = "SELECT attribute, value, unit FROM class_vectors(?) ORDER BY attribute, value DESC"


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassTexts:
    """Unit vectors (2k, d) of both text spaces: of each of k attributes the true, then the false class."""

    attributes: tuple[str, ...]
    a: Floats
    b: Floats

    @property
    def sha256(self) -> str:
        """Of all numbers and names: another wording is another computation."""
        digest = hashlib.sha256("\n".join(self.attributes).encode())
        for vectors in (self.a, self.b):
            digest.update(np.ascontiguousarray(vectors).tobytes())
        return digest.hexdigest()


def class_texts(
    texts: Lake, source: str, target: str, attributes: Sequence[str], images: PairedImages
) -> ClassTexts:
    """The class prompts of `attributes` in both models' text spaces, from a lake of corpus `classes:…`.

    Raises UneError where that lake lacks a text space, where its items are some of the `images`, whose
    captions carry the very labels that are asked for, and where no attribute has prompts in both.
    """
    judged = {*images.train.to_pylist(), *images.test.to_pylist()}
    vectors: list[dict[tuple[str, bool], Floats]] = []
    for space in (source, target):
        if text_space(space) not in texts.fingerprints():
            raise UneError(
                f"{texts.url} has no space {text_space(space)!r}; make it with: une build --corpus"
                f" classes:LAKE --spaces {text_space(space)} --lake {texts.url}"
            )
        own = [image_id for (image_id,) in texts.rows(ITEMS, [text_space(space)]) if image_id in judged]
        if own:
            raise UneError(
                f"{len(own)} items of {text_space(space)!r} in {texts.url} are images of this fit"
                f" ({own[0]!r}): captions of the images that are judged are no prompts; the prompts' lake is"
                " one of a corpus classes:LAKE"
            )
        table = texts.session.sql(VECTORS, params=[text_space(space)]).to_arrow_table()
        units = matrix(table["unit"], np.float64)
        keys = zip(table["attribute"].to_pylist(), table["value"].to_pylist())
        vectors.append(dict(zip(keys, units)))
    named = [
        name
        for name in attributes
        if all((name, value) in found for found in vectors for value in (True, False))
    ]
    if not named:
        raise UneError(f"{texts.url} has class prompts of none of the images' attributes in both text spaces")
    a, b = (np.array([found[name, value] for name in named for value in (True, False)]) for found in vectors)
    return ClassTexts(attributes=tuple(named), a=a, b=b)


def text_figures(fitted: FittedMap, texts: ClassTexts, test: Pairs) -> Iterator[Figure]:
    """Of texts: cosine and retrieval among all classes; and zero-shot across models by the images' labels.

    The map is moved to the texts' own means where it is centred. What every orthogonal matrix would give is
    marked: uncentred, image and text turned by one matrix keep their cosine.
    """
    moved = fitted.about(texts.a.mean(0), texts.b.mean(0))
    mapped, true = moved.source(texts.a), fitted.target(texts.b)
    yield from paired_figures("texts", mapped, true)
    images, theirs = fitted.source(test.a), fitted.target(test.b)
    keeps = any_orthogonal_gives(fitted)
    for name, rows, words, any_orthogonal in (
        ("mapped image, target text", images, true, False),
        ("mapped image, mapped text", images, mapped, keeps),
        ("target image, mapped text", theirs, mapped, False),
    ):
        yield from _zero_shot(name, rows, words, test.labels, any_orthogonal)


def native_figures(texts: ClassTexts, test: Pairs) -> Iterator[Figure]:
    """Zero-shot of either model alone."""
    yield from _zero_shot("source alone", test.a, texts.a, test.labels)
    yield from _zero_shot("target alone", test.b, texts.b, test.labels)


def _zero_shot(
    name: str, images: Floats, words: Floats, labels: Floats, any_orthogonal: bool = False
) -> Iterator[Figure]:
    """Mean accuracy and AUC over attributes: cosine with the true class' text less that with the false's."""
    words = unit_rows(words)
    scores = unit_rows(images) @ (words[0::2] - words[1::2]).T
    for metric, function in (("accuracy", accuracy), ("AUC", auc)):
        value = float(np.nanmean(function(scores, labels)))
        yield Figure(
            of="zero-shot",
            metric=f"{metric}: {name}",
            value=value,
            items=len(images),
            any_orthogonal=any_orthogonal,
        )
