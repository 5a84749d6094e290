"""`une shared`: what several spaces share, as a space of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption, names

if TYPE_CHECKING:
    from une_ray.studies.shared.study import SharedResult

EPILOG = """Examples:

`une shared --lake demo/lake --views mini-clip-a,mini-dino,mini-sd-a/ddim50 --name shared-1`

`une shared --lake demo/lake --views mini-clip-b,mini-resnet --dim 16 --name shared-2`

`une probe --lake demo/lake --spaces shared-1`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --shared shared-1 --judges \
mini-resnet`

`une similarity --lake demo/lake --spaces shared-1,shared-2`"""


def shared(
    lake: LakeOption,
    views: Annotated[str, typer.Option(help="Comma-separated spaces, two or more")],
    name: Annotated[str, typer.Option(help="What the new space is called")],
    dim: Annotated[
        int | None,
        typer.Option(
            min=1, help="Dimensions; default: as many as the views agree in on held-out train images"
        ),
    ] = None,
    ridge: Annotated[
        float | None,
        typer.Option(min=0, help="λ, in units of a view's mean squared singular value; default: the best"),
    ] = None,
    rank: Annotated[int, typer.Option(min=1, help="At most so many components of each view enter")] = 500,
    shuffled: Annotated[
        bool, typer.Option("--shuffled", help="The control: fitted on views of different images")
    ] = False,
    split_seed: Annotated[int, typer.Option(min=0, max=4, help="Test fold: 0 is the corpus' own split")] = 0,
) -> None:
    """Fit the space that several views share (GCCA), and write it as a space of the lake."""
    from une_ray.api import open

    result = open(lake).shared_space(
        names(views) or [],
        name,
        dim=dim,
        ridge=ridge,
        rank=rank,
        shuffled=shuffled,
        split_seed=split_seed,
    )
    print("\n".join(lines(result)))


def lines(result: SharedResult) -> list[str]:
    """Held-out correlation against its null, and accuracy against the number of dimensions."""
    from une_ray.lake.paired import said_left_out

    rows = result.scores.to_pylist()
    dims = f"{result.dim} dimension{'s' * (result.dim != 1)}"
    text = [f"{result.space}: {dims} of {', '.join(result.settings.views)}"]
    if result.images:
        text[0] += f"; {result.images:,} images written, {result.rejects:,} rejects"
    if result.not_fitted_on:
        text.append(
            f"fitted on {result.train:,} train images; the {result.not_fitted_on:,} that the lake has got"
            " since are mapped by it, and another --name fits on all"
        )
    text += said_left_out(result.left_out)
    text += [
        f"{' and '.join(views)} are both of {model}: what they agree on may be that model's alone"
        for model, views in result.models.items()
    ]
    text += ["", *_correlations(rows, result.dim), "", *_accuracies(rows, result.one_sided)]
    text.append(
        "\nheld-out: mean correlation over pairs of views of what each alone says of a dimension, on test"
        " images; null: the\nsame on mixed-up pairs. A view's own k are its leading principal components."
    )
    return text


def _correlations(rows: list[dict[str, Any]], dim: int) -> list[str]:
    measures = ("variance", "held-out correlation", "null correlation")
    values: Mapping[str, dict[int, float]] = {
        measure: {row["k"]: row["value"] for row in rows if row["measure"] == measure} for measure in measures
    }
    shown = [k for k in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64) if k in values["variance"]]
    lines = [f"{'dimension':24}" + "".join(f"{k:>8}" for k in shown)]
    for measure in measures:
        lines.append(f"{measure:24}" + "".join(f"{values[measure][k]:>8.3f}" for k in shown))
    return lines


def _accuracies(rows: list[dict[str, Any]], one_sided: Sequence[str]) -> list[str]:
    accurate = [row for row in rows if row["measure"] == "accuracy"]
    if not accurate:
        return ["no attribute that has both sides in both folds: no accuracy"]
    counts = sorted({row["k"] for row in accurate})
    values = {(row["of"], row["k"]): row["value"] for row in accurate}
    width = max(24, *(len(row["of"]) for row in accurate))
    without = f", without {', '.join(one_sided)}, of which a fold has one side alone" if one_sided else ""
    count = accurate[0]["attributes"]
    lines = [f"accuracy %, mean of {count} attribute{'s' * (count != 1)}{without}"]
    lines += [f"{'at k =':{width}}" + "".join(f"{k:>8}" for k in counts)]
    for name in dict.fromkeys(row["of"] for row in accurate):
        cells = (f"{100 * values[name, k]:>8.2f}" if (name, k) in values else f"{'–':>8}" for k in counts)
        lines.append(f"{name:{width}}" + "".join(cells))
    majority = f"{100 * accurate[0]['majority']:>8.2f}"
    return [*lines, f"{'majority':{width}}" + majority * len(counts)]


COMMAND = Command("shared", shared, EPILOG)
