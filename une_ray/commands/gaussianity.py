"""`une gaussianity`: the paper's tests of normality and stronger ones, with their controls."""

from __future__ import annotations

from typing import Annotated

import typer

EPILOG = """Examples:

`une gaussianity --lake demo/lake`

`une gaussianity --lake demo/lake --spaces mini-sd-a/ddim50,mini-dino --directions 1000`

`une sql --lake demo/lake -c "SELECT space, control, unit, test, accepted FROM gaussianity"`"""

HEADER = f"{'':10} {'unit':12} {'test':21} {'tests':>6} {'rows':>5} {'statistic':>10} {'accepted':>9} {'rejected':>9} {'smallest p':>11}"


def gaussianity(
    lake: Annotated[str, typer.Option("--lake", help="Folder of the lake: a path, s3://… or gs://…")],
    spaces: Annotated[str | None, typer.Option(help="Comma-separated; default: every space of the lake")] = None,
    directions: Annotated[int, typer.Option(min=1, help="Random directions")] = 5000,
    rows: Annotated[int, typer.Option(min=20, max=5000, help="Fresh random images per direction, coordinate and component")] = 250,
    seed: Annotated[int, typer.Option(min=0, help="Of the directions, rows and controls")] = 0,
    limit: Annotated[int, typer.Option(min=20, help="Images read per space")] = 5000,
) -> None:
    """Test whether spaces are Gaussian, beside true Gaussian and bimodal data of their size. What was done is not done again.

    Per unit: the tests made, the rows in each, the median statistic, the share accepted (p > .05), the share rejected
    with 5 % false discoveries (Benjamini–Hochberg), the smallest p.
    """
    from une_ray.lake.layout import Lake
    from une_ray.studies.gaussianity import gaussianity as study

    names = None if spaces is None else [name.strip() for name in spaces.split(",") if name.strip()]
    found = study(Lake(lake), names, directions, rows, seed, limit)
    for space in dict.fromkeys(row["space"] for row in found):
        print(f"\n{space}\n{HEADER}")
        print("\n".join(_line(row) for row in found if row["space"] == space))


def _line(row: dict) -> str:
    head = f"{row['control'] or '':10} {row['unit']:12} {row['test']:21} {row['tests']:6} {row['rows']:5}"
    if not row["tests"]:
        return f"{head}  nothing to test: constant"
    return f"{head} {row['statistic']:10.4g} {row['accepted']:9.2%} {row['rejected_fdr']:9.2%} {row['smallest_p']:11.1e}"
