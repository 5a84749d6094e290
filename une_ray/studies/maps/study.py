"""`une map fit`: an orthogonal map between two spaces beside its peers, on ever more anchors (paper 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError
from une_ray.geometry.pairing import paired_cosine
from une_ray.geometry.peers import PEERS, Anchors
from une_ray.geometry.procrustes import distance_between, procrustes
from une_ray.geometry.unit import unit_rows
from une_ray.lake import results
from une_ray.lake.latents import attributes_of, spaces_of
from une_ray.lake.layout import Lake
from une_ray.lake.paired import PairedImages, left_out, paired_images, rows_of, said_copies
from une_ray.lake.seen import warnings_of_maps
from une_ray.lake.tables import InALine
from une_ray.run.progress import say
from une_ray.studies.maps import figures
from une_ray.studies.maps.captions import caption_figures, captioned, captions_alone, captions_of
from une_ray.studies.maps.classes import NO_CLASS, class_attributes, classes_of
from une_ray.studies.maps.evaluation import Asked, Figure, Pairs, image_figures
from une_ray.studies.maps.stored import stored_maps
from une_ray.studies.maps.texts import ClassTexts, class_texts, native_figures, text_figures

MOST = 20_000  # pairs that peers are fitted on, and a quarter of it that retrieval searches among
FIRST, FACTOR, LARGEST = 16, 4, 0.8  # numbers of anchors: 16, 64, … and four fifths of what there is
SHARES_OF_CLASSES = (0.25, 0.5, 0.75)
SLOW = ("mlp",)  # fitted on the largest number of anchors alone


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """All that decides a fit, but for the spaces' fingerprints."""

    source: str
    target: str
    classes: tuple[str, ...]
    draws: int
    split_seed: int
    with_texts: bool
    with_captions: bool


@dataclass(frozen=True, eq=False, repr=False)
class MapResult(InALine):
    """`fits`: rows of the view `map_fits`; `maps`: those of `maps`, the maps that are kept; `figures`: means
    over draws; `left_out`: how many latents of either space have no partner."""

    fits: pa.Table
    maps: pa.Table
    settings: MapSettings
    figures: list[figures.Figure]
    left_out: Mapping[str, int]


def fit_maps(
    lake: Lake,
    source: str,
    target: str,
    *,
    classes: Sequence[str] | None = None,
    draws: int = 5,
    split_seed: int = 0,
    texts: Lake | None = None,
) -> MapResult:
    """Fit maps of `source` onto `target` on train images of both, and ask them of test images.

    Every map is fitted on `draws` random sets of 16, 64, 256, … anchors, and the orthogonal and the ridge
    map also on the anchors of some classes alone, which are combinations of the attributes `classes`. Rows
    are brought to unit length first. The maps fitted on all train images are kept. What the lake has already
    is not done again.

    Where the lake has captions of its images in both models (`source/text` and `target/text`), the maps,
    fitted on images alone, are asked of those. `texts` is a lake of class prompts (corpus `classes:…`) with
    the spaces `source/text` and `target/text`, of which they are asked too. Raises UneError for unknown
    spaces and attributes, spaces that share no images, and `texts` that are captions of the images.
    """
    spaces_of(lake, [source, target])
    if source == target:
        raise UneError(f"a map goes from one space to another, and {source!r} is named twice")
    if draws < 2:
        raise UneError(f"{draws} draws of anchors give no interval; take three or more, or two for means")
    attributes, captions = class_attributes(lake, classes), captioned(lake, source, target, split_seed)
    settings = MapSettings(
        source=source,
        target=target,
        classes=tuple(attributes),
        draws=draws,
        split_seed=split_seed,
        with_texts=texts is not None,
        with_captions=bool(captions),
    )
    labelled = attributes_of(lake)
    images = paired_images(lake, [source, target], labelled, split_seed)
    for line in (*said_copies(images), *warnings_of_maps(lake, [source, target], [split_seed], "maps")):
        say(line)
    words = None if texts is None else class_texts(texts, source, target, labelled, images)
    prints = lake.fingerprints()
    columns, stamps = [labelled.index(name) for name in attributes], _stamps(settings, prints)
    config = _config(settings, images, prints, words, captions) | _unlabelled(images, columns, attributes)
    maps = [] if results.is_done(lake, "maps", config) else list(stored_maps(lake, source, target, images))
    if not results.is_done(lake, "map_fits", config):
        train, test = pairs_of(lake, source, target, images, columns)
        fits = _fits(train, test, draws, _asked(lake, settings, words, labelled, test))
        results.commit(lake, "map_fits", config, [stamps | dict(row) for row in fits])
    if maps:  # after all that can refuse the spaces: a map that is kept can be applied
        results.commit(lake, "maps", config, [stamps | row | {"copies": images.copies} for row in maps])
    means = results.table_of(lake, "map_figures", config).to_pylist()
    return MapResult(
        fits=results.table_of(lake, "map_fits", config),
        maps=results.table_of(lake, "maps", config),
        settings=settings,
        figures=[figures.Figure.from_row(row) for row in means],
        left_out=left_out(lake, [source, target], images),
    )


def _stamps(settings: MapSettings, fingerprints: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Of which spaces, as they are, a row is."""
    ends = {"source": settings.source, "target": settings.target}
    prints = {f"{end}_fingerprint": results.config_hash(fingerprints[space]) for end, space in ends.items()}
    return ends | {"split_seed": settings.split_seed} | prints


def _config(
    settings: MapSettings,
    images: PairedImages,
    fingerprints: Mapping[str, Mapping[str, Any]],
    words: ClassTexts | None,
    captions: Mapping[str, int],
) -> dict[str, Any]:
    """All that decides the rows: of prompts and captions only where there are any."""
    config = asdict(settings) | {
        "train": len(images.train),
        "test": len(images.test),
        "fingerprints": [fingerprints[settings.source], fingerprints[settings.target]],
    }
    if images.copies:
        config["copies"] = images.copies
    if words is not None:
        config["texts"] = words.sha256
    if settings.with_captions:
        config["captions"] = [[fingerprints[space], count] for space, count in sorted(captions.items())]
    return config


def _unlabelled(images: PairedImages, columns: Sequence[int], attributes: Sequence[str]) -> dict[str, int]:
    """What a config has, and a person is told, of images that lack a label in one of the columns."""
    folds = images.train_labels, images.test_labels
    count = sum(int(np.isnan(labels[:, columns]).any(1).sum()) for labels in folds)
    if not count:
        return {}
    say(f"{count:,} images are in no class, as a label of {', '.join(attributes)} is unknown")
    return {"no_class": count}


def pairs_of(
    lake: Lake, source: str, target: str, images: PairedImages, classes: Sequence[int]
) -> tuple[Pairs, Pairs]:
    """Train and test pairs of unit length, no more than MOST of them; `classes` are the labels' columns that
    make classes."""
    both = []
    for ids, labels, most in (
        (images.train, images.train_labels, MOST),
        (images.test, images.test_labels, MOST // 4),
    ):
        chosen = np.sort(np.random.default_rng(0).permutation(len(ids))[:most])
        rows = rows_of(lake, [source, target], ids.take(pa.array(chosen)))
        both.append(
            Pairs(
                a=unit_rows(rows[source]),
                b=unit_rows(rows[target]),
                classes=classes_of(labels[chosen][:, classes]),
                labels=labels[chosen],
            )
        )
    return both[0], both[1]


def numbers_of_anchors(rows: int) -> list[int]:
    """16, 64, 256, … up to four fifths of the rows."""
    largest = max(2, int(LARGEST * rows))
    grid = [FIRST * FACTOR**step for step in range(20) if FIRST * FACTOR**step < 0.75 * largest]
    return [*grid, largest]


def _asked(
    lake: Lake, settings: MapSettings, words: ClassTexts | None, labelled: Sequence[str], test: Pairs
) -> list[Asked]:
    """Class prompts and captions, as far as there are any."""
    asked = []
    if words is not None:
        columns = [labelled.index(name) for name in words.attributes]
        spoken = replace(test, labels=test.labels[:, columns])
        asked.append(
            Asked(
                mapped=lambda fitted: text_figures(fitted, words, spoken),
                alone=lambda: native_figures(words, spoken),
            )
        )
    if settings.with_captions:
        captions = captions_of(lake, settings.source, settings.target, settings.split_seed, MOST)
        asked.append(
            Asked(
                mapped=lambda fitted: caption_figures(fitted, captions),
                alone=lambda: captions_alone(captions),
            )
        )
    return asked


def _fits(train: Pairs, test: Pairs, draws: int, asked: Sequence[Asked]) -> Iterator[Mapping[str, Any]]:
    centre = train.b.mean(0)
    for draw in range(draws):
        random = np.random.default_rng(draw)
        order = random.permutation(len(train))
        counts = numbers_of_anchors(len(train))
        for count in counts:
            chosen = train.of(order[:count])
            anchors = Anchors(a=chosen.a, b=chosen.b, seed=draw)
            for (name, centred), fit in PEERS.items():
                if name in SLOW and count < counts[-1]:
                    continue
                about = {"map": name, "centred": centred, "anchors": count, "draw": draw}
                fitted = fit(anchors)
                for figure in image_figures(fitted, test, centre):
                    yield about | asdict(figure)
                for one in asked:
                    for figure in one.mapped(fitted):
                        yield about | asdict(figure)
            alone = {"map": "none", "centred": False, "anchors": count, "draw": draw}
            for one in asked:
                for figure in one.alone():
                    yield alone | asdict(figure)
            yield from _noise_bound(chosen, test, draw)
        yield from _by_class(train, test, centre, draw, random)


def _noise_bound(chosen: Pairs, test: Pairs, draw: int) -> Iterator[Mapping[str, Any]]:
    """How far apart the maps of two halves of the anchors are, as matrices and in what they make of test
    images, and how many dimensions the anchors leave open."""
    half = len(chosen) // 2
    for centred in (True, False):
        about = {"map": "orthogonal", "centred": centred, "anchors": len(chosen), "draw": draw}
        if half > 1:
            one, other = (
                procrustes(chosen.a[part], chosen.b[part], centred=centred)
                for part in (slice(0, half), slice(half, 2 * half))
            )
            distance = distance_between(one, other)
            alike = paired_cosine(one(test.a) - one.target_mean, other(test.a) - other.target_mean)
            for metric, value in (("half distance", distance), ("half cosine", alike)):
                yield about | asdict(Figure(of="maps", metric=metric, value=value, items=half))
        open_dims = float(procrustes(chosen.a, chosen.b, centred=centred).undetermined)
        yield about | asdict(Figure(of="maps", metric="undetermined", value=open_dims, items=len(chosen)))


def _by_class(
    train: Pairs, test: Pairs, centre: np.ndarray, draw: int, random: np.random.Generator
) -> Iterator[Mapping[str, Any]]:
    """Maps that were fitted on some classes alone, on test images of those and of the others."""
    train, test = (pairs.of(pairs.classes != NO_CLASS) for pairs in (train, test))
    known = random.permutation(np.unique(train.classes))
    for share in SHARES_OF_CLASSES:
        fitted_on = known[: max(1, round(share * len(known)))]
        if len(known) < 4 or len(fitted_on) == len(known):
            return
        chosen = train.of(np.isin(train.classes, fitted_on))
        is_seen = np.isin(test.classes, fitted_on)
        if len(chosen) < 3 or not is_seen.any() or is_seen.all():
            continue
        anchors = Anchors(a=chosen.a, b=chosen.b, seed=draw)
        for key in (("orthogonal", True), ("orthogonal", False), ("ridge", True)):
            about = {"map": key[0], "centred": key[1], "anchors": len(chosen), "draw": draw}
            fitted = PEERS[key](anchors)
            for subset, mask in (("seen", is_seen), ("unseen", ~is_seen)):
                for figure in image_figures(fitted, test.of(mask), centre, subset):
                    yield about | {"classes_fitted": len(fitted_on)} | asdict(figure)
