"""`une map`: are two spaces a rotation apart?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from une_ray.cli.command import Command, group
from une_ray.cli.options import LakeOption, names

if TYPE_CHECKING:
    from une_ray.studies.maps.apply import Applied
    from une_ray.studies.maps.figures import Figure
    from une_ray.studies.maps.study import MapResult

FIT_EPILOG = """Examples:

`une map fit --lake demo/lake --from mini-clip-a --to mini-clip-b`

`une map fit --lake demo/lake --from mini-dino --to mini-clip-a --classes Male,Eyeglasses,Wearing_Hat`

`une sql --lake demo/lake -c "SELECT * FROM map_figures WHERE metric = 'centred cosine' ORDER BY ALL"`"""

APPLY_EPILOG = """Examples:

`une map apply --lake demo/lake --from mini-clip-a --to mini-clip-b --name mini-clip-b-mapped`

`une map apply --lake demo/lake --from mini-clip-a --to mini-clip-b --name ridge-mapped --map ridge`

The map is fitted first, by une map fit. Probe the new space, compare it or map it like any other."""

app = group("Orthogonal maps between spaces, beside other maps and random ones.")

FromOption = Annotated[str, typer.Option("--from", help="The space to map from")]
ToOption = Annotated[str, typer.Option("--to", help="The space to map to")]
SplitOption = Annotated[int, typer.Option(min=0, max=4, help="Test fold: 0 is the corpus' own split")]


@app.command(epilog=FIT_EPILOG)
def fit(
    lake: LakeOption,
    source: FromOption,
    target: ToOption,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated attributes; items that agree in all of them are one class. Default: the"
            " four that are most evenly split"
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option(min=2, help="Random sets of anchors of every size; intervals need three")
    ] = 5,
    split_seed: SplitOption = 0,
    texts: Annotated[
        str | None,
        typer.Option(
            help="A lake of class prompts (corpus classes:LAKE) with both models' text spaces: the maps,"
            " fitted on images alone, are asked of texts and of zero-shot classification too. Captions of"
            " the images are no prompts"
        ),
    ] = None,
) -> None:
    """Fit orthogonal and other maps on ever more anchors of images, and ask them of test images and of
    texts."""
    from une_ray.api import open

    result = open(lake).fit_map(
        source, target, classes=names(classes), draws=draws, split_seed=split_seed, texts=texts
    )
    print("\n".join(lines(result)))


@app.command(epilog=APPLY_EPILOG)
def apply(
    lake: LakeOption,
    source: FromOption,
    target: ToOption,
    name: Annotated[str, typer.Option(help="What the new space is called")],
    map: Annotated[str, typer.Option(help="`orthogonal` or `ridge`")] = "orthogonal",
    centred: Annotated[
        bool, typer.Option("--centred/--uncentred", help="The map about the means, or about zero")
    ] = True,
    split_seed: SplitOption = 0,
) -> None:
    """Write a space through a fitted map, without reading a picture, and judge it by the target's own
    probes."""
    from une_ray.api import open

    applied = open(lake).apply_map(source, target, name, map=map, centred=centred, split_seed=split_seed)
    print("\n".join(uses(applied)))


def uses(applied: Applied) -> list[str]:
    """A line per measure: of the mapped space, of really embedding, and of the control."""
    target = applied.rows[0]["target"]
    text = [f"{applied.space}: {applied.images:,} images written, {applied.rejects:,} rejects"]
    text.append(f"{'':32}{'mapped':>10}{'really':>10}{'random':>10}{'chance':>10}")
    for row in applied.rows:
        cells = (row[column] for column in ("value", "native", "random", "chance"))
        shown = "".join(f"{'–':>10}" if cell is None else f"{cell:>10.3f}" for cell in cells)
        text.append(f"{row['measure']:32}{shown}")
    text.append(
        f"\n{applied.rows[0]['items']:,} test images. Probes are {target}'s own, never fitted on the mapped"
        f" space; really: {target} itself.\nretrieval: queries embedded with {target} find the same image"
        " among the mapped; neighbours kept: share of a\nquery's ten nearest that stay. random: a random"
        " rotation about the target's mean."
    )
    return text


def lines(result: MapResult) -> list[str]:
    """The table of maps at the most anchors, the curves, seen and unseen classes, and the noise bound."""
    from une_ray.lake.paired import said_left_out
    from une_ray.studies.maps.figures import largest

    figures, settings, (kept, *_) = result.figures, result.settings, result.maps.to_pylist()
    most = largest(figures)
    text = [
        f"{settings.source} ({kept['source_dim']}) → {settings.target} ({kept['target_dim']}):"
        f" {kept['train']:,} train images, {most[0].items:,} test images; {most[0].anchors:,} anchors,"
        f" {settings.draws} draws of them",
        *said_left_out(result.left_out),
        *_table(most),
        *_texts(most),
        *_captions(most),
        "",
        *_curve(figures),
        *_classes(figures, settings.classes),
        "",
        "± is half a 95 % interval over draws of anchors from the same images, of three draws or more: how"
        " far the choice\nof anchors matters, not what other images would give. centred: less the target's"
        " mean, which is what of the cosine is about the image. retrieval: an image finds its own, one in"
        f" {most[0].items:,} by chance. class: of the nearest\nother image. The maps of all train images are"
        " in the table maps.",
    ]
    return text


def _table(most: Sequence[Figure]) -> list[str]:
    from une_ray.studies.maps.figures import IMAGES

    return _lines(most, IMAGES, [metric for _, metric in IMAGES])


def _texts(most: Sequence[Figure]) -> list[str]:
    """What the maps, fitted on images alone, make of class prompts: cosine, retrieval, and zero-shot AUC."""
    from une_ray.studies.maps.figures import TEXTS, alone

    by_themselves = alone(most, "zero-shot", "AUC")
    if not by_themselves:
        return []
    shown = " and ".join(f"{figure.value:.3f}" for figure in by_themselves.values())
    heads = ("texts' cosine", "texts' retrieval", "→ its text", "→ mapped text", "its → mapped text")
    return [
        "",
        f"texts, of which no map was told; zero-shot AUC (source and target alone: {shown})",
        *_lines(most, TEXTS, heads),
        "→ its text: mapped image beside the target's text; its → mapped text: the target's image beside a"
        " mapped text.\n*: any orthogonal matrix gives this figure, so it says nothing of this one.",
    ]


def _captions(most: Sequence[Figure]) -> list[str]:
    """What they make of the images' own captions: cosine, and whether an image finds its caption."""
    from une_ray.studies.maps.figures import SAID, alone, find

    cosine, by_themselves = find(most, of="captions"), alone(most, "captions", "retrieval")
    if cosine is None:
        return []
    shown = " and ".join(f"{figure.value:.3f}" for figure in by_themselves.values())
    heads = ("captions' cosine", "found", "image → caption", "→ mapped caption", "its → mapped")
    return [
        "",
        f"{cosine.items:,} distinct captions of the test images, of which no map was told; an image finds its"
        f" own (source and\ntarget alone: {shown}; one in {cosine.items:,} by chance)",
        *_lines(most, SAID, heads),
    ]


def _lines(most: Sequence[Figure], columns: Sequence[tuple[str, str]], heads: Sequence[str]) -> list[str]:
    from une_ray.studies.maps.figures import by_map

    lines = [f"{'map':28}" + "".join(f"{head:>19}" for head in heads)]
    for caption, cells in by_map(most, columns):
        lines.append(f"{caption:28}" + "".join(f"{cell:>19}" for cell in cells))
    return lines


def _curve(figures: Sequence[Figure]) -> list[str]:
    """Centred cosine and retrieval against the number of anchors, and what two halves of them agree on."""
    from une_ray.studies.maps.figures import find

    counts = sorted({figure.anchors for figure in figures if figure.classes_fitted is None})
    lines = [f"{'anchors':28}" + "".join(f"{count:>19,}" for count in counts)]
    for caption, name, of, metric in (
        ("orthogonal: centred cosine", "orthogonal", "images", "centred cosine"),
        ("ridge: centred cosine", "ridge", "images", "centred cosine"),
        ("orthogonal: retrieval", "orthogonal", "images", "retrieval"),
        ("two halves' maps: cosine", "orthogonal", "maps", "half cosine"),
        ("two halves' maps: distance", "orthogonal", "maps", "half distance"),
        ("dimensions left open", "orthogonal", "maps", "undetermined"),
    ):
        cells = [
            find(figures, of=of, map=name, centred=True, metric=metric, anchors=count, classes_fitted=None)
            for count in counts
        ]
        digits = 0 if metric == "undetermined" else 3
        lines.append(f"{caption:28}" + "".join(f"{c.text(digits) if c else '–':>19}" for c in cells))
    return lines


def _classes(figures: Sequence[Figure], attributes: Sequence[str]) -> list[str]:
    """Fitted on some classes: centred cosine of test images of those, and of the others."""
    from une_ray.studies.maps.figures import find

    fitted = sorted({figure.classes_fitted for figure in figures if figure.classes_fitted is not None})
    if not fitted:
        return []
    lines = ["", f"fitted on some classes alone ({', '.join(attributes)}); centred cosine of"]
    lines.append(f"{'classes':28}" + "".join(f"{count:>19}" for count in fitted))
    for name in ("orthogonal", "ridge"):
        for subset in ("seen", "unseen"):
            cells = [
                find(
                    figures,
                    map=name,
                    centred=True,
                    metric="centred cosine",
                    subset=subset,
                    classes_fitted=count,
                )
                for count in fitted
            ]
            lines.append(
                f"{f'{name}: {subset}':28}" + "".join(f"{c.text() if c else '–':>19}" for c in cells)
            )
    return lines


COMMAND = Command("map", app)
