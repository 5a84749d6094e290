"""`une edit`: move images along an attribute's probe direction, decode them, and have other spaces judge
what changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from une_ray.cli.command import Command
from une_ray.cli.options import ActorsOption, AddressOption, GpusOption, LakeOption, names
from une_ray.errors import UneError
from une_ray.studies.edits.registries import BASELINES, STEERINGS

if TYPE_CHECKING:
    from une_ray.studies.edits.directions import Direction
    from une_ray.studies.edits.outcome import Summary
    from une_ray.studies.edits.study import DoneEdit

EPILOG = """Examples:

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Eyeglasses --keep Gray_Hair,Male \
--alphas -3:3:7 --images 64`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --alphas -2,2 --inner \
covariance --baselines ""`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Eyeglasses,Smiling,Long_Hair --keep \
correlated --images 16`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --keep Male --penalty 0.1 \
--erasure leace --shrinkage 0.2`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --direction "SELECT * FROM \
orthogonalized('mini-sd-a/ddim50', 'Smiling', ['Male'])"`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --shared shared-1 --baselines \
random --judges mini-resnet`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling+Eyeglasses --alphas -2,2`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Wearing_Hat --alphas=-2,2,4 \
--baselines prompt,hspace,hspace-random`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --image avatar-0-00000003 \
--image avatar-0-00000017`

`une sql --lake demo/lake -f queries/edits.sql`"""

BESIDE = (*BASELINES.names(), *STEERINGS.names())
BESIDE_HELP = f'What else is done to the same images, comma-separated: {", ".join(BESIDE)}; "" for none'
HEADER = (
    f"{'judge':14} {'direction':16} {'effect':>13} {'flips − / +':>13} {'leakage / of one':>16} {'kept':>6} "
    f"{'order':>6} {'identity − / 0 / +':>20} {'KID − / 0 / +':>38}"
)

NOTE = """
effect: standard deviations of the judge's score over its train images per one applied, ± half a 95 % interval
over images, each of which has a random step of its own; flips: of the images that the smallest and
the largest dose could flip; leakage: root mean square of the other attributes' effects, and of what befalls
them in one image, where random steps do not cancel; kept: the largest effect on a kept one; order: Kendall's
τ between dose and judged score; identity: cosine with the original; KID: kernel distance to the originals,
± over images, of 16 or more. 0 is the round trip. A prompt's dose is its guidance scale; that of hspace
counts how far the prompt by itself moves the middle block. shared: the shared space's probe, carried back;
random-shared: random directions of that space, as long."""


def edit(
    lake: LakeOption,
    space: Annotated[
        str,
        typer.Option(
            help="A generator's inverted noise, as in mini-sd-a/ddim50; it needs probes (see: une probe)"
        ),
    ],
    attribute: Annotated[
        str,
        typer.Option(
            help="What to change: an attribute, or several with commas, each edited by itself; "
            "with + between two, one direction moves both"
        ),
    ],
    keep: Annotated[
        str | None,
        typer.Option(
            help="Attributes whose scores the orthogonalised edit leaves alone; "
            "or correlated: those with |φ| ≥ .15; or all"
        ),
    ] = None,
    alphas: Annotated[
        str,
        typer.Option(help="Doses in standard deviations of the score: FROM:TO:COUNT, or a list; 0 is added"),
    ] = "-3:3:7",
    images: Annotated[int, typer.Option(min=2, help="How many test images to edit")] = 64,
    image: Annotated[
        list[str] | None,
        typer.Option(
            help="An image's id, in place of test images; may be given several times, and be a train image"
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help="Method of the probes to edit along, as in une probe --method")
    ] = "ridge",
    inner: Annotated[
        str, typer.Option(help="Inner product of the orthogonalisation: plain (the paper's) or covariance")
    ] = "plain",
    baselines: Annotated[
        str,
        typer.Option(help=BESIDE_HELP),
    ] = "random,mean-difference,permuted,prompt",
    fit: Annotated[
        bool,
        typer.Option("--fit", help="Fit probes anew, as --penalty and --rank do; default: the lake's own"),
    ] = False,
    penalty: Annotated[
        float | None, typer.Option(help="λ of probes that are fitted anew, as in une probe")
    ] = None,
    rank: Annotated[
        int | None, typer.Option(min=1, help="Components of pca-logistic probes that are fitted anew")
    ] = None,
    shrinkage: Annotated[
        float, typer.Option(help="Of the covariance towards its mean variance: 0 to 1")
    ] = 0.0,
    erasure: Annotated[
        str, typer.Option(help="projection (the paper's null space), iterative (INLP) or leace")
    ] = "projection",
    rounds: Annotated[int, typer.Option(min=1, help="Of iterative erasure")] = 4,
    path: Annotated[
        str,
        typer.Option(
            help="straight; shell: every latent keeps its norm; quantile: α in normal quantiles; "
            "boundary: to α past the probe's zero"
        ),
    ] = "straight",
    direction: Annotated[
        str | None, typer.Option(help="SQL that gives one more direction: a row with a list w, and perhaps b")
    ] = None,
    shared: Annotated[
        str | None,
        typer.Option(
            help="A shared space that this one is a view of (une shared), with probes: its own edit, carried"
            " back by the pseudo-inverse, and random ones of it"
        ),
    ] = None,
    judges: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated encoder spaces; default: mini-resnet, mini-dino and mini-clip-b, or all"
        ),
    ] = None,
    address: AddressOption = None,
    actors: ActorsOption = None,
    gpus: GpusOption = None,
) -> None:
    """Edit test images along a probe's direction, with and without orthogonalisation, and measure it in
    spaces that the edit did not use."""
    from une_ray.corpora.files import absolute
    from une_ray.lake.layout import Lake
    from une_ray.run.cluster import Cluster
    from une_ray.studies.edits.study import each, edit_of

    opened = Lake(absolute(lake))
    edits = [
        edit_of(
            opened,
            space,
            name,
            names(keep),
            doses(alphas),
            method=method,
            inner_product=inner,
            baselines=tuple(names(baselines) or ()),
            fit=fit,
            penalty=penalty,
            rank=rank,
            shrinkage=shrinkage,
            erasure=erasure,
            rounds=rounds,
            path=path,
            query=direction,
            shared=shared,
        )
        for name in names(attribute) or ()
    ]
    cluster = Cluster(address, actors, gpus)
    for done in each(opened, edits, images=images, judges=names(judges), image_ids=image, cluster=cluster):
        print("\n".join(["", *(image_lines(done) if image else lines(done))]))
    if not image:
        print(NOTE)


def doses(text: str) -> tuple[float, ...]:
    """`-3:3:7` → −3, −2, …, 3; `-2,2` → −2, 2. Raises UneError for anything else."""
    try:
        if ":" in text:
            first, last, count = text.split(":")
            return tuple(np.linspace(float(first), float(last), int(count)).tolist())
        return tuple(float(value) for value in text.split(","))
    except ValueError:
        raise UneError(
            f"--alphas {text!r}; it is FROM:TO:COUNT, as in -3:3:7, or a list, as in -2,-1,1,2"
        ) from None


def lines(done: DoneEdit) -> list[str]:
    """The table, what was kept, warnings of doses that leave the data, and where the pictures are."""
    summaries = [outcome.summary() for outcome in done.outcomes]
    images = summaries[0]["images"] if summaries else len(done.image_ids)
    text = [f"{done.edit.attribute} in {images} test images", HEADER, *map(line, summaries)]
    text += _remaining(done.directions)
    for summary in summaries:
        shares = summary["off_data"].items()
        far = ", ".join(f"{alpha:+g} ({share:.0%})" for alpha, share in shares if share > 0)
        if far:
            text.append(
                f"off the data: {summary['direction']} at α = {far} of the images; "
                "their status and error in `edits` say how far"
            )
    text.append(f"pictures: {done.lake.url}/edits/…/IMAGE±α.png, by direction:")
    for direction, folders in done.folders.items():
        text.append(f"  {direction:16} {' '.join(folder.rpartition('/')[2] for folder in folders)}")
    return list(dict.fromkeys(text))


def image_lines(done: DoneEdit) -> list[str]:
    """Of named images: what every judge sees in each at each dose, and the pictures."""
    text, rows = [], done.pictures.to_pylist()
    doses = " / ".join(f"{alpha:g}" for alpha in done.edit.alphas)
    for image_id in done.image_ids:
        own = [row for row in rows if row["image_id"] == image_id]
        split = done.splits[image_id]
        word = "" if split == "test" else f", a {split} image: the probes were fitted with it"
        text.append(f"{done.edit.attribute} in {image_id}{word}; at α = {doses}")
        text.append(f"{'judge':14} {'direction':16} score, and identity with the original")
        text += [_strip(judge, direction, strip) for judge, direction, strip in _strips(own)]
        text += [
            "pictures:",
            *(
                f"  {row['direction']:16} {row['alpha']:+g}  {done.lake.url}/{row['picture']}"
                for row in own
                if row["judge"] == own[0]["judge"] and row["alpha"] != 0
            ),
        ]
    return [*text, *_remaining(done.directions)]


def line(summary: Summary) -> str:
    """One direction in one judge's eyes."""
    from une_ray.studies.edits.outcome import within

    flips = " / ".join("–" if math.isnan(share) else f"{share:.0%}" for share in summary["flips"])
    round_trip = summary["round_trip"]
    identity = [summary["identity"][0], round_trip[0], summary["identity"][1]]
    distances = [summary["quality"][0], round_trip[1], summary["quality"][1]]
    quality = " / ".join(within(distance, summary["images"]) for distance in distances)
    effect = f"{summary['effect']:.2f} ± {summary['effect_margin']:.2f}"
    leaked = f"{summary['leakage']:.3f} / {summary['leakage_of_one']:.3f}"
    kept = "–" if summary["kept"] is None else format(summary["kept"], ".3f")
    return (
        f"{summary['judge']:14} {summary['direction']:16} {effect:>13} {flips:>13} "
        f"{leaked:>16} {kept:>6} {summary['order']:>6.2f} "
        f"{' / '.join(f'{value:.3f}' for value in identity):>20} {quality:>38}"
    )


def _remaining(directions: Mapping[str, Direction]) -> list[str]:
    if "orthogonalised" not in directions:
        return []
    direction = directions["orthogonalised"]
    return [
        f"Orthogonalised to {', '.join(direction.nuisances)}: "
        f"{direction.remaining_norm:.3f} of the probe's norm remains."
    ]


def _strips(rows: Sequence[dict]) -> Iterator[tuple[str, str, list[dict]]]:
    """Judge, direction and the rows of one image's doses."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        groups.setdefault((row["judge"], row["direction"]), []).append(row)
    for (judge, direction), strip in groups.items():
        yield judge, direction, strip


def _strip(judge: str, direction: str, rows: Sequence[dict]) -> str:
    scores = " / ".join(f"{row['score']:+.2f}" for row in rows)
    identity = " / ".join(f"{row['identity']:.3f}" for row in rows)
    far = ", ".join(f"{row['alpha']:+g}" for row in rows if row["status"] != "ok")
    return f"{judge:14} {direction:16} {scores}   {identity}" + (f"   off the data at {far}" if far else "")


COMMAND = Command("edit", edit, EPILOG, jobs=("edit",))
