"""`une gaussianity`: the paper's tests of normality and stronger ones, with their controls."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption, names
from une_ray.studies.gaussianity.labels import TESTS, UNITS

EPILOG = """Examples:

`une gaussianity --lake demo/lake`

`une gaussianity --lake demo/lake --spaces mini-sd-a/ddim50,mini-dino --directions 1000`

`une sql --lake demo/lake -c "SELECT space, control, unit, test, accepted FROM gaussianity"`"""

HEADER = (
    f"{'':10} {'unit':12} {'test':21} {'tests':>6} {'rows':>5} {'statistic':>10} {'accepted':>9}"
    f" {'rejected':>9} {'smallest p':>11} {'K':>5}"
)
NOTE = """
Share of tests that accept normality (p > .05) in per cent; 95 is perfect. AD: Anderson–Darling, DP: D'Agostino–Pearson, SW: Shapiro–Wilk, of random
directions (the paper's test), single coordinates and principal components. radial: Mahalanobis distances, of K components, against those of
Gaussian rows; ‖z‖: norm against χ²; ‖z‖²/d: due is 1; map: neighbours in a noise map that are uncorrelated, at the worst lag. normal, bimodal: data of
that kind in the space's place. --all: every figure."""  # noqa: E501 - as wide as the table above it


def gaussianity(
    lake: LakeOption,
    spaces: Annotated[
        str | None, typer.Option(help="Comma-separated; default: every space of the lake")
    ] = None,
    directions: Annotated[int, typer.Option(min=1, help="Random directions")] = 5000,
    rows: Annotated[
        int,
        typer.Option(min=20, max=5000, help="Fresh random images per direction, coordinate and component"),
    ] = 250,
    seed: Annotated[int, typer.Option(min=0, help="Of the directions, rows and controls")] = 0,
    limit: Annotated[int, typer.Option(min=20, help="Images read per space")] = 5000,
    all: Annotated[
        bool, typer.Option("--all", help="Print every family of tests with its rejections")
    ] = False,
) -> None:
    """Test whether spaces are Gaussian, beside true Gaussian and bimodal data of their size. What was done
    is not done again. Of copies of a picture and of a group's images one is tested.

    With --all per family: the tests made, the rows in each, the median statistic, the share accepted (p >
    .05), the share rejected with 5 % false discoveries (Benjamini–Hochberg), the smallest p, and the
    components that whitened norms are of (K).
    """
    from une_ray.lake.layout import Lake
    from une_ray.studies.gaussianity.study import gaussianity as study

    result = study(Lake(lake), names(spaces), directions, rows, seed, limit).table.to_pylist()
    print("\n".join(full(result) if all else table(result)))


def table(result: list[dict[str, Any]]) -> list[str]:
    """A line per space and kind of data: what every family of tests accepts."""
    width = max(len(row["space"]) for row in result)
    groups, tests = (
        "".join(f"  {name:>17}" for name in UNITS.values()),
        f"  {'AD':>5} {'DP':>5} {'SW':>5}" * len(UNITS),
    )
    lines = [
        f"{'':{width + 9}}{groups}",
        f"{'space':{width}} {'data':8}{tests}  radial     K   ‖z‖  ‖z‖²/d    map",
    ]
    for space, control in dict.fromkeys((row["space"], row["control"]) for row in result):
        rows = {
            (row["unit"], row["test"]): row
            for row in result
            if (row["space"], row["control"]) == (space, control) and row["tests"]
        }
        lines.append(
            f"{'' if control else space:{width}} {control or 'itself':8}" + "  ".join(["", *_cells(rows)])
        )
    return [*lines, *said_left_out(result), NOTE]


def said_left_out(result: list[dict[str, Any]]) -> list[str]:
    """A line that says of which spaces how many latents were not tested, or none."""
    counts = {row["space"]: row["left_out"] for row in result if row["left_out"]}
    parts = ", ".join(f"{count:,} of {space}" for space, count in counts.items())
    return [f"\nleft out, as another image of their picture or group counts: {parts}"] if parts else []


def _cells(rows: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
    def accepted(unit: str, test: str) -> str:
        return f"{100 * rows[unit, test]['accepted']:.1f}" if (unit, test) in rows else "–"

    cells = [" ".join(f"{accepted(unit, test):>5}" for test in TESTS) for unit in UNITS]
    whitened = rows.get(("mahalanobis", "kolmogorov_smirnov"), {})
    of = whitened.get("components")
    is_bound = of is None and whitened.get("accepted")  # by an earlier une_ray: p may be less
    cells += [
        f"{'–' if is_bound else accepted('mahalanobis', 'kolmogorov_smirnov'):>6}",
        f"{of or '–':>5}",
        f"{accepted('norm', 'kolmogorov_smirnov'):>4}",
    ]
    square = rows.get(("norm", "mean_square"))
    lags = [row["accepted"] for (unit, _), row in rows.items() if unit == "map"]
    return [
        *cells,
        f"{'–' if square is None else format(square['statistic'], '.2f'):>6}",
        f"{format(100 * min(lags), '.1f') if lags else '–':>5}",
    ]


def full(result: list[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for space in dict.fromkeys(row["space"] for row in result):
        lines += [f"\n{space}\n{HEADER}", *(_line(row) for row in result if row["space"] == space)]
    return [*lines, *said_left_out(result)]


def _line(row: dict[str, Any]) -> str:
    head = f"{row['control'] or '':10} {row['unit']:12} {row['test']:21} {row['tests']:6} {row['rows']:5}"
    if not row["tests"]:
        return f"{head}  nothing to test: constant"
    return (
        f"{head} {row['statistic']:10.4g} {row['accepted']:9.2%} {row['rejected_fdr']:9.2%}"
        f" {row['smallest_p']:11.1e} {row['components'] or '':>5}"
    )


COMMAND = Command("gaussianity", gaussianity, EPILOG)
