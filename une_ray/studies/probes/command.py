"""`une probe`: which attributes are linear in a space, and how that compares with its controls."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption, SpreadOption, TasksOption, names
from une_ray.errors import UneError

EPILOG = """Examples:

`une probe --lake demo/lake`

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
    address: SpreadOption = None,
    actors: TasksOption = None,
) -> None:
    """Fit linear probes of every attribute in every space, and measure them on images they have not seen.
    Done ones are kept."""
    from une_ray.corpora.files import absolute
    from une_ray.lake.layout import Lake
    from une_ray.run.cluster import readers_of
    from une_ray.studies.probes.study import probe as study

    try:
        penalties = [float(value) for value in penalty.split(",")] if penalty else None
    except ValueError:
        raise UneError(
            f"--penalty {penalty!r}; it is a number, or several with commas, as in .01,.1,1"
        ) from None
    opened, cluster = Lake(absolute(lake) if address else lake), readers_of(address, actors)
    settings = method, engine, penalties, rank, splits, permutations
    result = study(opened, names(spaces), *settings, cluster=cluster)
    print("\n".join([*table(result.table.to_pylist()), *refusals(result.refused.to_pylist(), splits)]))


def table(summary: list[dict[str, Any]]) -> list[str]:
    """A line per space, and what its figures are."""
    lines = [
        f"{'space':34} {'AUC':>6} {'±':>5} {'permuted':>9} {'p ≤ .05':>8} {'accuracy':>9} {'majority':>9}"
        f" {'balanced':>9}"
    ]
    lines += [f"{row['space']:34} " + " ".join(_cells(row)) for row in summary]
    if summary:
        lines += [
            "",
            (
                f"Means over {summary[0]['attributes']} attributes and {summary[0]['splits']} splits; ± is"
                " half a 95 % interval for other"
            ),
            ("images (Nadeau & Bengio 2003: splits share train images). permuted: AUC after fits to"),
            (
                "shuffled labels; p ≤ .05: share of attributes that beat those, – of fewer than 19 shuffles;"
                " majority: accuracy of always answering the commoner label."
            ),
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


def _cells(row: dict[str, Any]) -> list[str]:
    formats = {
        "auc": (6, ".3f"),
        "auc_margin": (5, ".3f"),
        "permuted": (9, ".3f"),
        "significant": (8, ".0%"),
        "accuracy": (9, ".3f"),
        "majority": (9, ".3f"),
        "balanced": (9, ".3f"),
    }
    return [
        f"{'–' if row[key] is None else format(row[key], form):>{width}}"
        for key, (width, form) in formats.items()
    ]


COMMAND = Command("probe", probe, EPILOG, jobs=("probe",))
