"""`une probe`: which attributes are linear in a space, and how that compares with its controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption, SpreadOption, TasksOption, names
from une_ray.errors import UneError

EPILOG = """Examples:

`une probe --lake demo/lake`

`une probe --lake demo/lake --attribute Smiling,Eyeglasses`

`une probe --lake demo/lake --spaces mini-sd-a/ddim50 --method pca-logistic --rank 500`

`une probe --lake demo/lake --spaces mini-dino --engine sql --splits 1 --permutations 0 --penalty .1`

`une probe --lake s3://zoo/celeba --spaces sd15/ddim50 --address auto`

`une sql --lake demo/lake -c "SELECT * FROM probe_metrics('mini-dino')"`"""


def probe(
    lake: LakeOption,
    spaces: Annotated[
        str | None, typer.Option(help="Comma-separated; default: every space of the lake")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="ridge, least-squares, lda, mean-difference, logistic or pca-logistic (the paper's)"
        ),
    ] = "ridge",
    engine: Annotated[
        str, typer.Option(help="fast: BLAS or GPU, all attributes at once; sql: queries/fit_probes.sql")
    ] = "fast",
    penalty: Annotated[
        str | None,
        typer.Option(
            help=(
                "λ, or several to choose from, of ridge and lda in units of the mean variance, of logistic"
                " 1/C; "
                "default: ridge and lda choose from 1e-4 to 100, logistic 1, sql .1"
            )
        ),
    ] = None,
    rank: Annotated[int, typer.Option(min=1, help="Principal components of pca-logistic")] = 500,
    splits: Annotated[
        int,
        typer.Option(
            min=1, max=5, help="Split seeds: 0 is the corpus' own split, the others fifths by a hash"
        ),
    ] = 5,
    permutations: Annotated[
        int, typer.Option(min=0, help="Refits with shuffled labels, for a p-value: 19 and more can reach .05")
    ] = 20,
    attribute: Annotated[
        str | None, typer.Option(help="Comma-separated: show these in every space, not the mean over all")
    ] = None,
    address: SpreadOption = None,
    actors: TasksOption = None,
) -> None:
    """Fit linear probes of every attribute in every space, and measure them on images they have not seen.
    Done ones are kept."""
    from une_ray.corpora.files import absolute
    from une_ray.lake.latents import refuse_unknown_attributes
    from une_ray.lake.layout import Lake
    from une_ray.run.cluster import readers_of
    from une_ray.studies.probes.study import probe as study

    opened, cluster = Lake(absolute(lake) if address else lake), readers_of(address, actors)
    shown = names(attribute) or []
    refuse_unknown_attributes(opened, shown)
    settings = method, engine, _penalties(penalty), rank, splits, permutations
    found = study(opened, names(spaces), *settings, cluster=cluster)
    means, of_each, refused = (rows.to_pylist() for rows in (found.table, found.attributes, found.refused))
    refused = [row for row in refused if not shown or row["attribute"] in shown]
    print("\n".join([*(by_attribute(of_each, shown) if shown else table(means)), *refusals(refused, splits)]))


def _penalties(text: str | None) -> list[float] | None:
    """`.01,.1,1` as numbers. Raises UneError for anything else."""
    try:
        return [float(value) for value in text.split(",")] if text else None
    except ValueError:
        raise UneError(
            f"--penalty {text!r}; it is a number, or several with commas, as in .01,.1,1"
        ) from None


def by_attribute(rows: list[dict[str, Any]], shown: Sequence[str]) -> list[str]:
    """A line per attribute of those to be shown and space, and what its figures are."""
    rows = [row for row in rows if row["attribute"] in shown]
    if not rows:
        return []
    width = max(9, *(len(row["attribute"]) for row in rows))
    head = f"{'AUC':>6} {'±':>5} {'permuted':>9} {'p':>8} {'accuracy':>9} {'majority':>9} {'balanced':>9}"
    return [
        f"{'attribute':{width}} {'space':34} {head} splits",
        *(
            f"{row['attribute']:{width}} {row['space']:34} {' '.join(_cells(row, 'p_value', '.3f'))}"
            f" {row['splits']:>6}"
            for row in rows
        ),
        "",
        (
            "Means over splits; ± is half a 95 % interval for other images (Nadeau & Bengio 2003). permuted:"
            " AUC after fits to shuffled"
        ),
        "labels; p: of those, the largest of the splits'; majority: accuracy of the commoner label.",
    ]


def table(summary: list[dict[str, Any]]) -> list[str]:
    """A line per space, and what its figures are."""
    lines = [
        f"{'space':34} {'AUC':>6} {'±':>5} {'permuted':>9} {'p ≤ .05':>8} {'accuracy':>9} {'majority':>9}"
        f" {'balanced':>9}"
    ]
    lines += [f"{row['space']:34} " + " ".join(_cells(row)) for row in summary]
    most = max(summary, key=lambda row: (row["splits"], row["attributes"]), default=None)
    if most is not None and most["splits"]:
        fewer = [row for row in summary if row["splits"] < most["splits"]]
        lines += [
            "",
            (
                f"Means over {most['attributes']} attributes and {most['splits']}"
                f" split{'s' * (most['splits'] != 1)}; ± is half a 95 % interval for other"
            ),
            "images (Nadeau & Bengio 2003: splits share train images). permuted: AUC after fits to shuffled",
            "labels; p ≤ .05: share of attributes that beat those, mean over splits, – of fewer than 19",
            "shuffles; majority: accuracy of always answering the commoner label.",
            *(f"{row['space']}: of {row['splits']} split{'s' * (row['splits'] != 1)}" for row in fewer),
        ]
    return lines


def refusals(rows: list[dict[str, Any]], splits: int) -> list[str]:
    """A line per attribute and spaces that refuse it for the same reasons, with the splits that each reason
    is of."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        seeds = row["split_seeds"]
        where = f" (split{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))} of {splits})"
        one = f"{where if len(seeds) < splits else ''}: {row['error']}"
        reasons.setdefault((row["attribute"], row["space"]), []).append(one)
    spaces: dict[tuple[str, str], list[str]] = {}
    for (attribute, space), why in reasons.items():
        spaces.setdefault((attribute, ";".join(why)), []).append(space)
    return [f"refused: {attribute} in {', '.join(of)}{why}" for (attribute, why), of in spaces.items()]


def _cells(row: dict[str, Any], last: str = "significant", last_form: str = ".0%") -> list[str]:
    formats = {
        "auc": (6, ".3f"),
        "auc_margin": (5, ".3f"),
        "permuted": (9, ".3f"),
        last: (8, last_form),
        "accuracy": (9, ".3f"),
        "majority": (9, ".3f"),
        "balanced": (9, ".3f"),
    }
    return [
        f"{'–' if row[key] is None else format(row[key], form):>{width}}"
        for key, (width, form) in formats.items()
    ]


COMMAND = Command("probe", probe, EPILOG, jobs=("probe",))
