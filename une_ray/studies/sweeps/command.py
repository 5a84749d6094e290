"""`une sweep`: search the settings of edits or mitigations with Ray Tune, and say which are best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from une_ray.cli.command import Command, group
from une_ray.cli.options import ActorsOption, AddressOption, CopyMetricOption, GpusOption, LakeOption

if TYPE_CHECKING:
    from une_ray.studies.sweeps.result import SweepResult

EPILOG = """Examples:

`une sweep orthogonalization --lake demo/lake --scale small`

`une sweep orthogonalization --lake demo/lake --attribute Smiling --study mine.yaml --scale medium`

`une sweep mitigation --lake memory --scale small`

`une sweep best --lake demo/lake`

`une sql --lake demo/lake -f queries/sweeps.sql`"""

app = group(
    "Search settings with Ray Tune, multi-objective; resumes after a kill, and a finished one is kept."
)

ScaleOption = Annotated[
    str, typer.Option(help="A scale of the study, how many trials: small (24), medium or large")
]
StudyOption = Annotated[
    Path | None,
    typer.Option(
        help="YAML of a study of your own; default, and a template: "
        "une_ray/studies/edits/orthogonalization.yaml or une_ray/studies/memorization/mitigation.yaml"
    ),
]
StateOption = Annotated[
    str | None,
    typer.Option(
        help="Folder of what an unfinished sweep knows, that all machines see; "
        "default: in the lake, where it is local"
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
    """Which probe, λ, inner product, nuisances, erasure and dose change an attribute most, the others
    least, and keep identity?"""
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
    """Which mitigation or peer, how much of it and in which steps, takes copies away and leaves ordinary
    prompts alone?

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
    from une_ray.studies.sweeps import study as sweeps

    for result in sweeps.best(Lake(lake), study):
        print("\n".join(lines(result, lake)))


def _run(
    lake: str,
    kind: str,
    study: Path | None,
    scale: str,
    state: str | None,
    cluster: tuple[str | None, int | None, int | None],
    **fixed: str | None,
) -> None:
    from une_ray.corpora.files import absolute
    from une_ray.lake.layout import Lake
    from une_ray.run.cluster import Cluster
    from une_ray.studies.sweeps.study import sweep

    opened = Lake(absolute(lake))
    result = sweep(opened, kind, scale=scale, study=study, state=state, cluster=Cluster(*cluster), **fixed)
    print("\n".join(lines(result, lake)))


def lines(result: SweepResult, lake: str) -> list[str]:
    """The finished trials as a table, the front first, and the command of its knee."""
    from une_ray.studies.sweeps.result import command

    counts = ", ".join(f"{count} {status}" for status, count in result.counts.items() if count)
    widths = {name: max(9, len(name)) for name in result.goals}
    header = [
        "  ",
        *(f"{name:>{width}}" for name, width in widths.items()),
        *(f"{name:>{width}}" for name, width in widths.items()),
        f"{result.unit:>7}",
        "settings",
    ]
    across = sum(widths.values()) + 2 * (len(widths) - 1)
    above = "  ".join(["  ", f"{'on those that chose':<{across}}", f"{'on the others':<{across}}"])
    text = ["", f"{result.study}: {result.title}; {len(result.trials)} trials, {counts}", above]
    text.append("  ".join(header))
    others = [trial for trial in result.trials if trial["point"] and trial not in result.front]
    for trial in [*result.front, *others]:
        mark = "→ " if trial is result.knee else "  " if trial in result.front else "· "
        judged: list[dict[str, float | None]] = [dict(trial["objectives"]), dict(trial["reported"] or [])]
        cells = [
            f"{_three_digits(figures.get(name)):>{width}}"
            for figures in judged
            for name, width in widths.items()
        ]
        settings = " ".join(f"{name}={value}" for name, value in trial["settings"])
        if trial["point"]:
            settings = f"[{trial['point']}] {settings}"
        text.append("  ".join([mark, *cells, f"{trial['budget']:>7}", settings]))
    if result.knee is not None:
        goals = ", ".join(f"{name} {'↑' if goal == 'max' else '↓'}" for name, goal in result.goals.items())
        text += [
            "",
            f"The Pareto front of the finished trials ({goals}), and what stood in the study as a point and "
            "is not on it (·). →: the knee, nearest",
            "to the best of every objective, each in its fixed range. It is done again by:",
            command(result.knee, lake),
        ]
        text += lost(result)
    return text


def lost(result: SweepResult) -> list[str]:
    """How much less the knee is worth on what did not choose it."""
    if result.knee is None or not result.knee["reported"]:
        return []
    reported = dict(result.knee["reported"])
    chosen = {name: value for name, value in result.knee["objectives"] if value is not None}
    parts = [
        f"{name} {(reported[name] - chosen[name]) * (1 if goal == 'max' else -1):+.3f}"
        for name, goal in result.goals.items()
    ]
    return [
        f"On the {result.unit} that chose nothing it is, where + is better: {', '.join(parts)}. Report these"
        " figures, not those that chose."
    ]


def _three_digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


COMMAND = Command("sweep", app, jobs=("sweep orthogonalization", "sweep mitigation"))
