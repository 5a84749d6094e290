"""`une shared`: the space that several views share, as a space of the lake (paper 1, shared space)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError
from une_ray.geometry.gcca import HeldOut, SharedSpace
from une_ray.geometry.partners import MIXED
from une_ray.lake import results
from une_ray.lake.derived import derive_space, derived_fingerprint
from une_ray.lake.latents import attributes_of, spaces_of
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.names import check_name
from une_ray.lake.paired import PairedImages, left_out, paired_images, partners_of, said_copies, side_by_side
from une_ray.lake.seen import warnings_of_maps
from une_ray.lake.tables import InALine
from une_ray.run.progress import Progress, say
from une_ray.studies.shared.accuracies import accuracies, one_sided
from une_ray.studies.shared.moments import moments_of, shuffled_views

RANK = 500  # components of a view that enter
CHOSEN = {"chosen": "apart"}  # in configs: λ and k by a fifth that had a say in no component
KEPT = "FROM shared_maps WHERE space = ? AND 'sha256:' || sha256 = ? ORDER BY train DESC, config"
SCORES = "FROM shared_scores WHERE config = ?"


@dataclass(frozen=True, kw_only=True)
class SharedSettings:
    """All that decides a shared space, but for its views' fingerprints."""

    views: tuple[str, ...]
    ridge: float | None
    rank: int
    shuffled: bool
    split_seed: int


@dataclass(frozen=True, eq=False, repr=False)
class SharedResult(InALine):
    """`space` of `dim` is in the lake; `train`: images that its maps are fitted on, and `not_fitted_on` those
    that the lake has got since; `scores`: rows of the view `shared_scores`, of when they were fitted;
    `left_out`: latents of each view whose image another lacks; `one_sided`: attributes without an accuracy,
    as a fold has one side of them alone; `models`: those that several views are of."""

    space: str
    dim: int
    images: int
    rejects: int
    train: int
    not_fitted_on: int
    scores: pa.Table
    settings: SharedSettings
    left_out: Mapping[str, int]
    one_sided: Sequence[str]
    models: Mapping[str, Sequence[str]]


def shared_space(
    lake: Lake,
    views: Sequence[str],
    name: str,
    *,
    dim: int | None = None,
    ridge: float | None = None,
    rank: int = RANK,
    split_seed: int = 0,
    shuffled: bool = False,
) -> SharedResult:
    """Fit the space that `views` share on train images, write it as the space `name`, and measure it.

    `dim` and `ridge` (in units of a view's mean squared singular value) are by default those by which the
    views agree most on a fifth of the train images that they were not fitted on, beyond what mixed-up pairs
    reach; all images of a group are on one side. `shuffled` is the control: fitted on views of different
    images, from all over the lake. A space that the lake has by these settings is completed where its views
    have grown, and not fitted again. Memory is 4·(Σ rank)² numbers, 2·Σ dim² and 8,192 images of every view,
    in two passes over the lake and one that draws these. Raises UneError for unknown views, one named twice,
    settings out of their range, and views that share no images or nothing else.
    """
    _refuse_ranges(dim, ridge, rank)
    _refuse_views(lake, views)
    if name in views:
        raise UneError(f"{name!r} is one of the views; name the space that they share otherwise")
    settings = SharedSettings(
        views=tuple(views), ridge=ridge, rank=rank, shuffled=shuffled, split_seed=split_seed
    )
    prints = lake.fingerprints()
    images = paired_images(lake, views, attributes_of(lake), split_seed)
    for line in (*said_copies(images), *warnings_of_maps(lake, views, [split_seed], "measures")):
        say(line)
    config = _config(settings, name, dim) | _of(images, [prints[view] for view in views])
    rows = _kept(lake, name, settings, dim)
    if rows and images.copies and rows[0]["copies"] is None:
        say(f"{name} was fitted with copies by an earlier une_ray: remove the space, and this fits it anew")
    if not rows and not results.is_done(lake, "shared_maps", config):
        maps, scores = _fitted(lake, settings, images, dim)
        stamps = {"space": name, "split_seed": split_seed}
        of_views = {view: {"source_fingerprint": results.config_hash(prints[view])} for view in views}
        _refuse_another(lake, name, maps, settings)  # before anything is written under the name
        results.commit(lake, "shared_scores", config, [stamps | row for row in scores])
        results.commit(lake, "shared_maps", config, [stamps | row | of_views[row["source"]] for row in maps])
    rows = rows or results.table_of(lake, "shared_maps", config).to_pylist()
    done, rejects = _write(lake, name, rows, settings)
    return SharedResult(
        space=name,
        dim=rows[0]["dim"],
        images=done,
        rejects=rejects,
        train=rows[0]["train"],
        not_fitted_on=max(0, len(images.train) - rows[0]["train"]),
        scores=lake.session.sql(SCORES, params=[rows[0]["config"]]).to_arrow_table(),
        settings=settings,
        left_out=left_out(lake, views, images),
        one_sided=one_sided(lake, images),
        models=_of_one_model(prints, views),
    )


def _unknown(images: PairedImages) -> dict[str, str]:
    """What a config has where labels are unknown: accuracies are of the known ones."""
    folds = images.train_labels, images.test_labels
    return {"labels": "known ones"} if any(np.isnan(labels).any() for labels in folds) else {}


def _kept(lake: Lake, name: str, settings: SharedSettings, dim: int | None) -> list[dict[str, Any]] | None:
    """The maps that the lake's space of that name is made by, where they are of these settings: a space whose
    views have grown is completed by its own maps, since fitted anew they would be another space's."""
    known = lake.fingerprints().get(name, {})
    rows = lake.session.sql(KEPT, params=[name, known.get("weights", "")]).to_arrow_table().to_pylist()
    maps = {row["source"]: row for row in reversed(rows)}
    if set(maps) != set(settings.views):
        return None
    rows = [maps[view] for view in settings.views]
    asked: dict[str, Any] = {
        "split_seed": settings.split_seed,
        "rank": settings.rank,
        "shuffled": settings.shuffled,
    }
    asked |= {key: value for key, value in (("dim", dim), ("ridge", settings.ridge)) if value is not None}
    is_asked = all(row[key] == value for row in rows for key, value in asked.items())
    return rows if is_asked and _fingerprint(lake, rows, settings) == known else None


def _refuse_views(lake: Lake, views: Sequence[str]) -> None:
    """Raise UneError for none, for one that the lake has not, and for one named twice."""
    if not views:
        raise UneError("no view is named; name the spaces that are to share one, two or more")
    spaces_of(lake, views)
    if len(set(views)) < len(views):
        raise UneError(f"a view is named twice in {', '.join(views)}; it would agree with itself")


def _refuse_ranges(dim: int | None, ridge: float | None, rank: int) -> None:
    """Raises UneError for what `une shared` would not take either."""
    for setting, number in (("dim", dim), ("rank", rank)):
        if number is not None and number < 1:
            raise UneError(f"{setting} is {number}; it is a number of dimensions, one or more")
    if ridge is not None and not 0 <= ridge < np.inf:
        raise UneError(f"ridge is {ridge}; a penalty is a finite number, zero or more")


def _config(settings: SharedSettings, name: str, dim: int | None) -> dict[str, Any]:
    """All that decides the space, but for what it is fitted on."""
    by_agreement = "by held-out correlation"
    return {
        "views": list(settings.views),
        "space": name,
        "dim": dim or by_agreement,
        "ridge": by_agreement if settings.ridge is None else settings.ridge,
        "rank": settings.rank,
        "shuffled": settings.shuffled,
        "split_seed": settings.split_seed,
    }


def _of(images: PairedImages, fingerprints: list[Mapping[str, Any]]) -> dict[str, Any]:
    """All that it is fitted on."""
    of_images = {"train": len(images.train), "fingerprints": fingerprints}
    copies = {"copies": images.copies} if images.copies else {}
    return of_images | MIXED | CHOSEN | _unknown(images) | copies


def _of_one_model(prints: Mapping[str, Mapping[str, Any]], views: Sequence[str]) -> dict[str, list[str]]:
    """{model: its views}, of models that have several."""
    by_model: dict[str, list[str]] = {}
    for view in views:
        by_model.setdefault(str(prints[view]["model"]), []).append(view)
    return {model: own for model, own in by_model.items() if len(own) > 1}


def _fitted(
    lake: Lake, settings: SharedSettings, images: PairedImages, dim: int | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of `shared_maps` and of `shared_scores`, but for names."""
    moments = moments_of(lake, settings.views, images.train, settings.rank, shuffled=settings.shuffled)
    ridge, kept = moments.chosen(settings.ridge, dim)
    shared = moments.space(max(kept, moments.looked_at()), ridge)
    if len(shared.variances) < kept:
        raise UneError(f"{kept} shared dimensions are more than vary: {len(shared.variances)} do; name fewer")
    held_out, others = HeldOut(shared), partners_of(lake, settings.views, images.test)
    for ids, batch in side_by_side(lake, settings.views, images.test):
        held_out.add(batch, others.mixed(len(ids)))
    agreed, null = held_out.correlations(), held_out.correlations(shuffled=True)
    columns = {"variance": shared.variances, "held-out correlation": agreed, "null correlation": null}
    scores: list[dict[str, Any]] = [
        {"measure": measure, "of": "shared", "k": k + 1, "value": float(value)}
        for measure, values in columns.items()
        for k, value in enumerate(values)
    ]
    projections = _projections(lake, settings, images, shared, kept, ridge)
    scores += accuracies(lake, images, projections, kept, settings.split_seed)
    about = {"rank": settings.rank, "ridge": ridge, "shuffled": settings.shuffled}
    about |= {"train": len(images.train), "copies": images.copies, "dim": kept}
    tested = {"test": len(images.test)}
    return [about | row for row in _stored(shared, kept)], [row | tested for row in scores]


def _projections(
    lake: Lake, settings: SharedSettings, images: PairedImages, shared: SharedSpace, dim: int, ridge: float
) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """{name: {view: (mean, (d, dim))}}: the shared space, each view's own components, and the control."""
    maps = shared.maps()
    of_all = {view: (shared.means[view], maps[view][:, :dim]) for view in settings.views}
    found = {"shared": of_all}
    for view, part in shared.components.items():
        found[view] = {view: (part.mean, part.vectors[:, :dim])}
    if not settings.shuffled:
        mixed = shuffled_views(lake, shared.components, images.train, dim, ridge)
        weights = mixed.maps()
        found["shuffled views"] = {view: (mixed.means[view], weights[view]) for view in settings.views}
    return found


def _stored(shared: SharedSpace, dim: int) -> list[dict[str, Any]]:
    """A row per view, with one hash of all their numbers."""
    maps = shared.maps()
    rows: list[dict[str, Any]] = []
    digest = hashlib.sha256()
    for view, matrix in maps.items():
        kept, weights = matrix[:, :dim], shared.weights[view][:, :dim]
        back = np.linalg.pinv(weights)
        digest.update(np.ascontiguousarray(kept).tobytes() + shared.means[view].tobytes())
        rows.append(
            {
                "source": view,
                "view_dim": len(matrix),
                "mean": shared.means[view],
                "matrix": kept.T.ravel(),
                "weights": weights.T.ravel(),
                "back": back.T.ravel(),
            }
        )
    return [row | {"sha256": digest.hexdigest()} for row in rows]


def _fingerprint(lake: Lake, rows: Sequence[Mapping[str, Any]], settings: SharedSettings) -> dict[str, Any]:
    method = f"gcca, {rows[0]['dim']} dimensions{', shuffled views' if settings.shuffled else ''}"
    fingerprint = derived_fingerprint(lake, settings.views, method, rows[0]["sha256"])
    return fingerprint | ({"role": "control"} if settings.shuffled else {})


def _refuse_another(
    lake: Lake, name: str, rows: Sequence[Mapping[str, Any]], settings: SharedSettings
) -> None:
    check_name(name)
    lake.refuse_another(name, _fingerprint(lake, rows, settings))


def _write(
    lake: Lake, name: str, rows: Sequence[Mapping[str, Any]], settings: SharedSettings
) -> tuple[int, int]:
    """The derived space; how many images were written now, and rejects among them."""
    by_view = {row["source"]: row for row in rows}
    maps = {
        view: np.array(row["matrix"]).reshape(row["dim"], row["view_dim"]).T for view, row in by_view.items()
    }
    means = {view: np.array(row["mean"]) for view, row in by_view.items()}

    def function(latents: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.sum([(latents[view] - means[view]) @ maps[view] for view in maps], axis=0)

    fingerprint = _fingerprint(lake, rows, settings)
    ready = set.intersection(*(lake.committed(space_folder(view)) for view in settings.views))
    images = rejects = 0
    total = lake.images_in(ready - lake.committed(space_folder(name)))
    with Progress(total, "projecting") as progress:
        for done in derive_space(lake, name, fingerprint, settings.views, function):
            progress.advance(done.images, done.rejects)
            images, rejects = images + done.images, rejects + done.rejects
    return images, rejects
