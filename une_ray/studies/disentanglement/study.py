"""`une disentanglement`: do the coordinates of a lake's spaces each say one thing, or does any rotation of
them as well?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from une_ray.errors import UneError, refuse_empty, unknown
from une_ray.lake import results
from une_ray.lake.latents import groups_of, matrix, spaces_of
from une_ray.lake.layout import Lake
from une_ray.lake.tables import InALine
from une_ray.studies.disentanglement import metrics
from une_ray.studies.disentanglement.codes import Codes, independent, principal, probed, rotated
from une_ray.studies.disentanglement.metrics.sample import FEWEST, half, split

CODES = ("axes", "pca", "ica", "probes")
MOST_AXES = 32  # coordinates of a space whose own axes are read: a trained model's codes, not an encoder's
LABELS = ("factors", "attributes")
METHOD = 2  # of computing rows; raised where they change, so that those of before are not taken for them
RARE = 20  # images that a factor's second value must have; else the factor is left out

LATENTS = """
    SELECT image_id, z FROM latents WHERE space = ? ORDER BY md5(image_id) LIMIT ?"""
VALUES = """
    SELECT image_id, list_transform($names, lambda name: {labels}[name]::INTEGER) AS labels
    FROM images WHERE status = 'ok'"""
ROWS = """
    SELECT * FROM disentanglement WHERE config IN (SELECT unnest(?))
    ORDER BY space, list_position(['axes', 'pca', 'ica', 'probes'], codes), metric, control IS NOT NULL,
        control"""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`components` of PCA and ICA; `rotations` of each set of coordinates, and `halves` of the images, are
    what its intervals are from; `labels` are factors or attributes; `limit` images of a space are read."""

    components: int = 10
    rotations: int = 19
    halves: int = 10
    labels: str
    metrics: tuple[str, ...]
    limit: int = 15_000
    seed: int = 0
    fast: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class DisentanglementResult(InALine):
    """`table`: rows of the view `disentanglement`; `remarks`: what was left out."""

    table: pa.Table
    remarks: tuple[str, ...]


def disentanglement(
    lake: Lake,
    spaces: Sequence[str] | None = None,
    codes: Sequence[str] | None = None,
    metric_names: Sequence[str] | None = None,
    labels: str | None = None,
    advance: Callable[[str], None] | None = None,
    **settings: Any,
) -> DisentanglementResult:
    """Score the coordinates of each space (default: all) by every metric, beside random rotations of them.

    `codes` are some of `CODES`, by default all that a space has; `labels` is factors, or attributes where the
    corpus has none; `settings` are those of `Settings`. What the lake has already is not done again;
    `advance` is told what was done. Raises UneError for unknown names, for a corpus without labels, for
    latents that are not finite, and for the own axes of a wide space.
    """
    for kind, given, known in (("codes", codes, CODES), ("metric", metric_names, metrics.names())):
        refuse_empty(given, kind, f"all: {', '.join(known)}")
        for name in given or ():
            if name not in known:
                raise unknown(kind, name, known)
    chosen = Settings(
        labels=labels or _labels_of(lake), metrics=tuple(metric_names or metrics.names()), **settings
    )
    known_values = _values(lake, chosen.labels)
    configs, remarks = [], list(known_values.remarks)
    for space in spaces_of(lake, spaces):
        opened: _Space | None = None
        for kind in kinds(lake, space, codes):
            config = _config(lake, space, kind, chosen, known_values)
            configs.append(results.config_hash(config))
            if not results.is_done(lake, "disentanglement", config):
                opened = opened or _open(lake, space, chosen, known_values)
                rows = list(_rows(opened, kind, chosen))
                stamp = {"space_fingerprint": results.config_hash(lake.fingerprints()[space])}
                results.commit(lake, "disentanglement", config, [row | stamp for row in rows])
            if advance:
                advance(f"{space} {kind}")
    table = lake.session.sql(ROWS, params=[configs]).to_arrow_table()
    return DisentanglementResult(table, tuple(remarks))


def kinds(lake: Lake, space: str, codes: Sequence[str] | None = None) -> list[str]:
    """Which sets of coordinates of a space are read: those asked for, or all, its own axes only where they
    are few. Raises UneError where own axes are asked of a space that has many."""
    rows = lake.rows("SELECT len(z) FROM latents WHERE space = ? LIMIT 1", [space])
    wide = bool(rows) and rows[0][0] > MOST_AXES
    if wide and "axes" in (codes or ()):
        raise UneError(
            f"space {space!r} has {rows[0][0]:,} coordinates; own axes are read of {MOST_AXES} at most: take"
            " pca, ica or probes"
        )
    return [kind for kind in codes or CODES if kind != "axes" or not wide]


@dataclass(frozen=True, kw_only=True)
class _Values:
    """Labels (n, f) of images whose labels are all known, and what was left out."""

    ids: pa.Array
    names: tuple[str, ...]
    values: np.ndarray
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Space:
    """One space beside the labels: z (n, d), factors (n, f), groups (n,) that stay together; `note` says
    which factors were left out."""

    name: str
    z: np.ndarray
    factors: np.ndarray
    groups: np.ndarray
    note: str | None = None


def _labels_of(lake: Lake) -> str:
    for labels in LABELS:
        ((there,),) = lake.rows(f"SELECT count(*) FROM {labels}")
        if there:
            return labels
    raise UneError(
        f"{lake.url}: its corpus has neither factors nor attributes, and disentanglement is of known ones;"
        " dsprites, shapes3d and avatars have them"
    )


def _values(lake: Lake, labels: str) -> _Values:
    """Every label that varies, of the images that have them all."""
    if labels not in LABELS:
        raise unknown("labels", labels, LABELS)
    singular = labels.removesuffix("s")
    names = [name for (name,) in lake.rows(f"SELECT DISTINCT {singular} FROM {labels} ORDER BY 1")]
    if not names:
        raise UneError(f"{lake.url}: its corpus has no {labels}; there are {' and '.join(LABELS)}")
    query = VALUES.format(labels=labels)
    table = lake.session.sql(query, params={"names": names}).to_arrow_table()
    values = matrix(table["labels"], np.float64)
    known = ~np.isnan(values).any(1)
    if not known.any():
        raise UneError(f"{lake.url}: no image has all of {', '.join(names)}; see the view {labels}")
    ids, values = table["image_id"].combine_chunks().filter(pa.array(known)), values[known].astype(np.int64)
    varies = np.array([_second(column) >= RARE for column in values.T])
    constant = [name for name, vary in zip(names, varies) if not vary]
    if not varies.any():
        raise UneError(f"{lake.url}: of {', '.join(names)} none has {RARE} images of a second value")
    remarks = []
    if constant:
        remarks.append(f"left out, with fewer than {RARE} images of a second value: {', '.join(constant)}")
    if not known.all():
        remarks.append(f"left out: {np.sum(~known):,} images of which not all {labels} are known")
    kept = tuple(name for name, vary in zip(names, varies) if vary)
    return _Values(ids=ids, names=kept, values=values[:, varies], remarks=tuple(remarks))


def _second(column: np.ndarray) -> int:
    """How many images have the second most frequent value, and all rarer ones."""
    return len(column) - int(np.unique(column, return_counts=True)[1].max())


def _config(lake: Lake, space: str, kind: str, chosen: Settings, values: _Values) -> dict[str, Any]:
    """All that decides the rows of one set of coordinates."""
    ((images,),) = lake.rows("SELECT count(*) FROM latents WHERE space = ?", [space])
    return {
        "method": METHOD,
        "space": space,
        "codes": kind,
        "fingerprint": lake.fingerprints()[space],
        "images": [images, len(values.ids)],
        "names": list(values.names),
        **{
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(chosen).items()
        },
    }


def _open(lake: Lake, space: str, chosen: Settings, values: _Values) -> _Space:
    """Up to `limit` images, those with the smallest hashes of their ids, that have all labels, beside the
    factors that vary in the images that scores read of them."""
    table = lake.session.sql(LATENTS, params=[space, chosen.limit]).to_arrow_table()
    places = pc.index_in(table["image_id"].combine_chunks(), values.ids) if len(table) else pa.array([])
    table = table.filter(pc.is_valid(places)) if len(table) else table
    if not len(table):
        raise UneError(f"space {space!r} has no latents of images whose labels are known; build it first")
    z = matrix(table["z"], np.float32)
    finite = np.isfinite(z).all(1)
    if not finite.all():
        broken = table["image_id"][int(np.argmin(finite))].as_py()
        raise UneError(
            f"space {space!r}: the latent of image {broken!r} is not finite; une verify says what to do"
        )
    ids = table["image_id"].combine_chunks()
    factors = values.values[pc.index_in(ids, values.ids).to_numpy()]
    varies, note = _varying(space, factors, values.names, chosen)
    return _Space(name=space, z=z, factors=factors[:, varies], groups=groups_of(lake, ids), note=note)


def _varying(
    space: str, factors: np.ndarray, names: Sequence[str], chosen: Settings
) -> tuple[np.ndarray, str | None]:
    """Which factors (n, f) have `RARE` images of a second value among those that scores read, and the names
    of the others as a note. Raises UneError where none has, and for fewer images than intervals need."""
    count = len(factors)
    if chosen.halves and count // 2 < FEWEST:
        raise UneError(
            f"space {space!r}: halves of {count} images are too small for intervals; build {2 * FEWEST}"
            " images, or take --halves 0"
        )
    read = np.concatenate(split(count, np.random.default_rng(chosen.seed), chosen.fast))
    varies = np.array([_second(column) >= RARE for column in factors[read].T])
    if varies.all():
        return varies, None
    said = f"with fewer than {RARE} of {len(read):,} images of a second value: " + ", ".join(
        name for name, vary in zip(names, varies) if not vary
    )
    if not varies.any():
        raise UneError(
            f"space {space!r}: every factor is left out, {said}; raise --limit, or build more images"
        )
    return varies, f"left out, {said}"


def _rows(space: _Space, kind: str, chosen: Settings) -> Iterator[dict[str, Any]]:
    """Each score of one set of coordinates, beside its controls."""
    try:
        codes = _codes(space, kind, chosen)
        own = _scores(codes.values, space.factors, chosen, chosen.seed)
        halves = [
            _scores(codes.values[rows], space.factors[rows], chosen, seed)
            for seed, rows in _halves(len(space.z), chosen)
        ]
        turns = [
            _scores(rotated(codes.values, chosen.seed + number), space.factors, chosen, chosen.seed)
            for number in range(chosen.rotations)
        ]
        random = np.random.default_rng([chosen.seed, 1])
        shuffled = _scores(codes.values, random.permutation(space.factors), chosen, chosen.seed)
    except UneError as error:
        raise UneError(f"space {space.name!r}, {kind}: {error}") from error
    shared = {
        "space": space.name,
        "codes": kind,
        "images": len(space.z),
        "dim": codes.values.shape[1],
        "labels": chosen.labels,
        "factors": space.factors.shape[1],
        "fast": chosen.fast,
        "note": "; ".join(filter(None, [codes.note, space.note])) or None,
    }
    for metric, score in own.items():
        row = shared | {"metric": metric}
        margin = 1.96 * np.std([half[metric] for half in halves], ddof=1) if len(halves) > 1 else None
        others = np.array([turn[metric] for turn in turns])
        interval = {} if margin is None else {"low": score - margin, "high": score + margin}
        p_value = (1 + int((others >= score).sum())) / (1 + len(others)) if len(others) else None
        yield row | {"score": score, "unit": "image", "draws": len(halves), "p_value": p_value} | interval
        yield row | {"control": "permuted", "score": shuffled[metric], "unit": "image", "draws": 1}
        if len(others):
            spread = {"score": others.mean(), "low": others.min(), "high": others.max()}
            yield row | spread | {"control": "rotated", "unit": "rotation", "draws": len(others)}


def _codes(space: _Space, kind: str, chosen: Settings) -> Codes:
    """Own axes as they are: of a code that has collapsed FactorVAE's metric knows by its deviation, and SAP's
    machines are penalised by scale, here as in `une disentangle compare`. All others are standardised."""
    if kind == "axes":
        return Codes(values=space.z.astype(np.float64))
    if kind == "probes":
        return probed(space.z, space.factors, space.groups)
    make = principal if kind == "pca" else independent
    return make(space.z, chosen.components, chosen.seed)


def _scores(codes: np.ndarray, factors: np.ndarray, chosen: Settings, seed: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in chosen.metrics:
        found |= metrics.find(name)(codes, factors, seed=seed, fast=chosen.fast)
    return found


def _halves(count: int, chosen: Settings) -> Iterator[tuple[int, np.ndarray]]:
    """Seeds and random halves of the images that a score reads, which train and measure on what it does: the
    scores' standard deviation over them is the standard error of the score (delete-half jackknife)."""
    for seed in range(chosen.seed, chosen.seed + chosen.halves):
        yield seed, half(count, chosen.seed, chosen.fast, seed)
