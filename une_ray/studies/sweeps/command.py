"""`une sweep`: search the settings of edits or mitigations with Ray Tune, and say which are best."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import ActorsOption, AddressOption, CopyMetricOption, GpusOption, LakeOption
from une_ray.errors import UneError

EPILOG = """Examples:

`une sweep orthogonalization --lake demo/lake --scale small`

`une sweep orthogonalization --lake demo/lake --attribute Smiling --study mine.yaml --scale medium`

`une sweep mitigation --lake memory --scale small`

`une sweep best --lake demo/lake`

`une sql --lake demo/lake -f queries/sweeps.sql`"""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Search settings with Ray Tune, multi-objective; resumes after a kill, and a finished one is kept.",
)

ScaleOption = Annotated[
    str, typer.Option(help="A scale of the study, how many trials: small (24), medium or large")
]
StudyOption = Annotated[
    Path | None,
    typer.Option(
        help="YAML of a study of your own; default, and a template: une_ray/studies/edits/orthogonalization.yaml or une_ray/studies/memorization/mitigation.yaml"
    ),
]
StateOption = Annotated[
    str | None,
    typer.Option(
        help="Folder of what an unfinished sweep knows, that all machines see; default: in the lake, where it is local"
    ),
]


@app.command(epilog=EPILOG)
def orthogonalization(
    lake: LakeOption,
    scale: ScaleOption = "small",
    study: StudyOption = None,
    attribute: Annotated[str | None, typer.Option(help="What the edits change; default: the study's")] = None,
    space: Annotated[
        str | None,
        typer.Option(help="A generator's inverted noise; default: the study's, or the lake's first"),
    ] = None,
    state: StateOption = None,
    address: AddressOption = None,
    actors: ActorsOption = None,
    gpus: GpusOption = None,
) -> None:
    """Which probe, λ, inner product, nuisances, erasure and dose change an attribute most, the others least, and keep identity?"""
    _run(
        lake,
        "orthogonalization",
        study,
        scale,
        state,
        (address, actors, gpus),
        attribute=attribute,
        space=space,
    )


@app.command(epilog=EPILOG)
def mitigation(
    lake: LakeOption,
    scale: ScaleOption = "small",
    study: StudyOption = None,
    model: Annotated[
        str | None, typer.Option(help="A generator whose memorised titles are known; default: the study's")
    ] = None,
    copy_metric: CopyMetricOption = None,
    state: StateOption = None,
    address: AddressOption = None,
    actors: ActorsOption = None,
    gpus: GpusOption = None,
) -> None:
    """Which mitigation or peer, how much of it and in which steps, takes copies away and leaves ordinary prompts alone?

    Where there is no lake, one of `duplicates:all` is made.
    """
    from une_ray.studies.memorization.study import open_or_create

    open_or_create(lake)
    _run(
        lake, "mitigation", study, scale, state, (address, actors, gpus), model=model, copy_metric=copy_metric
    )


@app.command(epilog=EPILOG)
def best(
    lake: LakeOption, study: Annotated[str | None, typer.Option(help="Name of a study; default: all")] = None
) -> None:
    """The Pareto front of every sweep of a lake, its knee, and the command that does the knee again."""
    from une_ray.lake.layout import Lake
    from une_ray.lake.session import connect
    from une_ray.studies.sweeps.best import sweeps

    for found in sweeps(connect(Lake(lake)), study):
        _show(found, lake)


def _run(
    lake: str, kind: str, study: Path | None, scale: str, state: str | None, cluster: tuple, **fixed
) -> None:
    from une_ray.corpora.files import absolute
    from une_ray.lake.layout import Lake
    from une_ray.lake.session import connect
    from une_ray.run.cluster import Cluster
    from une_ray.studies.sweeps.best import sweeps
    from une_ray.studies.sweeps.ray_tune import run
    from une_ray.studies.sweeps.study import read, shipped
    from une_ray.studies.sweeps.sweep import prepare

    opened = Lake(absolute(lake))
    if state is None and not opened.store.is_local:
        raise UneError(
            f"{lake} is an object store; say where the unfinished sweep is kept, as in --state s3://bucket/sweeps or --state sweeps"
        )
    asked = prepare(opened, kind, shipped(kind) if study is None else read(study, kind), scale, **fixed)
    run(opened, asked, absolute(state) if state else f"{opened.store.root}/unfinished", Cluster(*cluster))
    _show(next(found for found in sweeps(connect(opened)) if found.trials[0]["sweep"] == asked.config), lake)


def _show(found, lake: str) -> None:
    from une_ray.studies.sweeps.best import command

    counts = {
        status: sum(trial["status"] == status for trial in found.trials)
        for status in ("finished", "stopped", "refused")
    }
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    print(f"\n{found.study}: {found.title}; {len(found.trials)} trials, {told}")
    chosen, front = found.knee, found.front
    others = [trial for trial in found.trials if trial["point"] and trial not in front]
    print(
        "  ".join(
            ["  ", *(f"{name:>{max(9, len(name))}}" for name in found.goals), f"{found.unit:>7}", "settings"]
        )
    )
    for trial in [*front, *others]:
        mark = "→ " if trial is chosen else "  " if trial in front else "· "
        objectives = dict(trial["objectives"])
        cells = ["–" if objectives[name] is None else f"{objectives[name]:.3f}" for name in found.goals]
        settings = " ".join(f"{name}={value}" for name, value in trial["settings"])
        told = f"[{trial['point']}] {settings}" if trial["point"] else settings
        print(
            "  ".join(
                [
                    mark,
                    *(f"{cell:>{max(9, len(name))}}" for cell, name in zip(cells, found.goals)),
                    f"{trial['budget']:>7}",
                    told,
                ]
            )
        )
    if chosen:
        goals = ", ".join(f"{name} {'↑' if goal == 'max' else '↓'}" for name, goal in found.goals.items())
        print(
            f"\nThe Pareto front of the finished trials ({goals}), and what stood in the study as a point and is not on it (·). →: the knee, nearest\n"
            "to the ideal point when every objective is rescaled to its range on the front. It is done again by:\n"
            f"{command(chosen, lake)}"
        )


COMMAND = Command("sweep", app, jobs=("sweep orthogonalization", "sweep mitigation"))
