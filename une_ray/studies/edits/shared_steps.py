"""Edits in a shared space, carried back to a view of it that can be decoded (paper 1, shared space).

With the view's map A (d, k) of `une shared`, (z − mean)·A is what the view says of a latent x. An edit x′ = x
+ α·s in the shared space becomes z′ = z + α·s·A⁺: of all moves of z that A sees as s the shortest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from une_ray.errors import UneError
from une_ray.geometry.arrays import Floats
from une_ray.geometry.orthogonal import SPANNED
from une_ray.lake.derived import fitted_under
from une_ray.lake.layout import Lake
from une_ray.studies.edits.baselines import SEED
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.edit import Edit
from une_ray.studies.edits.probe_row import probe_row
from une_ray.studies.edits.probes_of_edit import probes_of_lake
from une_ray.studies.edits.random_steps import RandomSteps
from une_ray.studies.edits.together import JointDirection
from une_ray.studies.edits.train_rows import TrainRows, targets_of, train_rows

SHARED, RANDOM_SHARED = "shared", "random-shared"
VIEWS = "SELECT space, source FROM kept_shared_maps ORDER BY ALL"
MAP = "SELECT dim, view_dim, mean, weights, back FROM kept_shared_maps WHERE space = ? AND source = ?"


def shared_steps(lake: Lake, edit: Edit, shared: str, train: TrainRows) -> dict[str, Direction]:
    """`shared`: the edit along its probe in that space, carried back; `random-shared`: random directions of
    that space carried back, as long, another for every image.

    Both are read by what the edited space says of the shared probe's score, in whose standard deviations over
    the `train` images a dose counts. Raises UneError for a space that is not shared by the edited one, whose
    maps may have seen the corpus' own test images, or that has no probe of the attribute.
    """
    views = _views(lake, edit.space, shared)
    if (seeds := fitted_under(lake, shared)) != {0}:
        said = "" if seeds is None else f" under split seed {' and '.join(map(str, sorted(seeds)))}, not 0"
        raise UneError(
            f"{shared} is by maps that were fitted{said or ' on spaces that the lake no longer has'}, and may"
            " have seen the test images that are edited; une shared --split-seed 0 makes another"
        )
    way = _Way.of(lake, edit.space, shared)
    inner = _in_shared(lake, edit, shared)
    w = way.weights @ inner.w
    plain = Direction.fitted(edit.space, edit.attribute, SHARED, w, float(inner.b - way.mean @ w), train.z)
    carried = inner.step @ way.back
    gain = float(w @ carried)
    if gain < SPANNED * np.linalg.norm(w) * np.linalg.norm(carried):
        raise UneError(
            f"no move of {edit.space} is seen in {shared} as one along {edit.attribute}; edit another view"
        )
    step = plain.std / gain * carried
    direction = replace(plain, step=step, learnt_from=views)
    draws = RandomSteps(
        seed=f"edits/{RANDOM_SHARED}/{SEED}",
        dim=len(way.back),
        length=float(np.linalg.norm(step)),
        shape=way.back,
        as_steps=True,
    )
    at_random = replace(direction, method=RANDOM_SHARED, step=draws([""])[0], draws=draws)
    return {SHARED: direction, RANDOM_SHARED: at_random}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Way:
    """How one view enters a shared space: `mean` (d,), `weights` A (d, k), and `back` A⁺ (k, d)."""

    mean: Floats
    weights: Floats
    back: Floats

    @classmethod
    def of(cls, lake: Lake, view: str, shared: str) -> _Way:
        ((dim, view_dim, mean, weights, back),) = lake.rows(MAP, [shared, view])
        return cls(
            mean=np.array(mean, np.float64),
            weights=np.array(weights, np.float64).reshape(dim, view_dim).T,
            back=np.array(back, np.float64).reshape(view_dim, dim).T,
        )


def _views(lake: Lake, view: str, shared: str) -> tuple[str, ...]:
    """The other views of a shared space, and itself. Raises UneError where `view` is none of them."""
    by_space: dict[str, list[str]] = {}
    for space, source in lake.rows(VIEWS):
        by_space.setdefault(space, []).append(source)
    views = by_space.get(shared, [])
    if view not in views:
        able = [space for space, sources in by_space.items() if view in sources]
        raise UneError(
            f"{shared} is no shared space of {view}; there is {', '.join(able) or 'none yet'}; to have it:"
            f" une shared --lake {lake.url} --views {view},… --name {shared}"
        )
    return (shared, *(source for source in views if source != view))


def _in_shared(lake: Lake, edit: Edit, shared: str) -> Direction:
    """The same edit in the shared space itself: its probe's reading, and a step of one standard deviation."""
    rows = probes_of_lake(lake, shared, edit.method)
    z = train_rows(lake, shared, edit.attribute).z
    names = targets_of(edit.attribute, rows)
    parts = [Direction.from_probe(probe_row(rows, name), z) for name in names]
    return parts[0] if len(parts) == 1 else JointDirection.of(edit.attribute, parts)
