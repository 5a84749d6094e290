"""`une disentanglement`: does each coordinate of a space say one thing?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption, names

EPILOG = """Examples:

`une disentanglement --lake demo/lake --fast`

`une disentanglement --lake demo/lake --spaces mini-dino,mini-sd-a/ddim50 --metrics mig,sap,modularity`

`une sql --lake demo/lake -c "FROM disentanglement_axes WHERE metric = 'mig'"`"""

NOTE = """
± half a 95 % interval over images (delete-half jackknife); in brackets the mean of random rotations of the same coordinates, whose least and
largest are in the view disentanglement. * : no rotation did as well. axes: the space's own coordinates as they are (SAP depends on
their scale, and FactorVAE leaves out those of a deviation below .05; their rotations are of standardised ones); pca, ica: principal and independent
components, whitened; probes: what ridge probes of the factors read, out of fold. explicitness and βVAE are of all coordinates together: a rotation changes little."""  # noqa: E501


def disentanglement(
    lake: LakeOption,
    spaces: Annotated[
        str | None, typer.Option(help="Comma-separated; default: every space of the lake")
    ] = None,
    codes: Annotated[
        str | None,
        typer.Option(help="Of axes, pca, ica, probes; default: all, axes where a space has 32 at most"),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Of mig, dci, sap, factor-vae, beta-vae, modularity, explicitness; default: all, dci takes"
            " the longest"
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="factors or attributes; default: factors, or attributes where there are none"),
    ] = None,
    components: Annotated[int, typer.Option(min=1, help="Principal and independent components")] = 10,
    rotations: Annotated[int, typer.Option(min=0, help="Random rotations of each set of coordinates")] = 19,
    halves: Annotated[int, typer.Option(min=0, help="Random halves of the images, for the intervals")] = 10,
    limit: Annotated[int, typer.Option(min=60, help="Images read per space")] = 15_000,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn")] = 0,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast", help="Fewer rows, trees and batches: another estimate, in a tenth of the time"
        ),
    ] = False,
) -> None:
    """Measure how disentangled the coordinates of spaces are, beside random rotations of them. What was
    done is not done again."""
    from une_ray.api import open
    from une_ray.lake.latents import spaces_of
    from une_ray.run.progress import Progress
    from une_ray.studies.disentanglement.study import disentanglement as study
    from une_ray.studies.disentanglement.study import kinds

    opened = open(lake)
    total = sum(len(kinds(opened, space, names(codes))) for space in spaces_of(opened, names(spaces)))
    with Progress(total, "disentanglement", unit="sets of coordinates") as progress:
        result = study(
            opened,
            names(spaces),
            names(codes),
            names(metrics),
            labels,
            lambda _: progress.advance(1, 0),
            components=components,
            rotations=rotations,
            halves=halves,
            limit=limit,
            seed=seed,
            fast=fast,
        )
    print("\n".join([*result.remarks, *table(result.table.to_pylist())]))


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A line per space and set of coordinates; a column per metric that was asked for."""
    from une_ray.studies.disentanglement.metrics import headings

    shown = headings(row["metric"] for row in rows)
    width = max(len(row["space"]) for row in rows)
    lines = [f"{'space':{width}} {'codes':6}" + "".join(f"  {heading:>19}" for heading in shown.values())]
    cells: dict[tuple[str, str], dict[tuple[str, str | None], dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault((row["space"], row["codes"]), {})[row["metric"], row["control"]] = row
    for (space, codes), found in cells.items():
        figures = [_cell(found[metric, None], found.get((metric, "rotated"))) for metric in shown]
        lines.append(f"{space:{width}} {codes:6}" + "".join(f"  {figure:>19}" for figure in figures))
    notes = sorted({f"{row['space']} {row['codes']}: {row['note']}" for row in rows if row["note"]})
    first = rows[0]
    return [
        f"{first['images']:,} images, {first['factors']} {first['labels']}",
        *lines,
        *notes,
        NOTE,
    ]


def _cell(own: dict[str, Any], rotated: dict[str, Any] | None) -> str:
    margin = "" if own["low"] is None else f"±{(own['high'] - own['low']) / 2:.2f}"
    best = "*" if rotated and own["score"] > rotated["high"] else ""
    control = f" ({rotated['score']:.2f})" if rotated else ""
    return f"{own['score']:.2f}{margin}{best}{control}"


COMMAND = Command("disentanglement", disentanglement, EPILOG)
