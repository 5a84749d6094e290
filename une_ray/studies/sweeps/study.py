"""Sweeps over the settings of a study: one call does one, or goes on with it; another reads back what there
is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from une_ray.corpora.files import absolute
from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.run.cluster import DEFAULT, Cluster
from une_ray.studies.sweeps.plan import prepare, shipped
from une_ray.studies.sweeps.result import SweepResult, sweeps
from une_ray.studies.sweeps.search_space import read
from une_ray.studies.sweeps.subject import shipped_path


def sweep(
    lake: Lake,
    kind: str,
    *,
    scale: str = "small",
    study: str | Path | None = None,
    state: str | None = None,
    cluster: Cluster = DEFAULT,
    **fixed: Any,
) -> SweepResult:
    """Search the settings of `kind`, such as "orthogonalization", at a scale of a search space: the shipped
    one, or that of a YAML file `study`.

    What is `fixed` goes before what the search space fixes. `state` is the folder of what an unfinished
    sweep knows; by default it is in the lake. The same call goes on with a sweep that was killed, and does
    nothing where one is finished. Raises UneError for what can't be."""
    from une_ray.studies.sweeps.ray_tune import run  # Ray Tune takes seconds

    if state is None and not lake.store.is_local:
        raise UneError(
            f"{lake.url} is an object store; say where the unfinished sweep is kept, "
            "as in --state s3://bucket/sweeps or --state sweeps"
        )
    search = shipped(kind) if study is None else read(study, shipped_path(kind))
    prepared = prepare(lake, kind, search, scale, **fixed)
    run(lake, prepared, absolute(state) if state else f"{lake.store.root}/unfinished", cluster)
    return next(result for result in sweeps(lake.session) if result.sweep == prepared.config)


def best(lake: Lake, study: str | None = None) -> list[SweepResult]:
    """Every sweep of a lake, or those of one study, with front and knee. Raises UneError where there is
    none."""
    return sweeps(lake.session, study)
