"""The options of `une edit`, which are fields of an Edit."""

from __future__ import annotations

from typing import Annotated

import typer

from une_ray.studies.edits.registries import BASELINES, STEERINGS

BESIDE = (*BASELINES.names(), *STEERINGS.names())

# What is edited, and how far.

SpaceOption = Annotated[
    str,
    typer.Option(
        help="A generator's inverted noise, as in mini-sd-a/ddim50; it needs probes (see: une probe)"
    ),
]
AttributeOption = Annotated[
    str,
    typer.Option(
        help="What to change: an attribute, or several with commas, each edited by itself; "
        "with + between two, one direction moves both"
    ),
]
KeepOption = Annotated[
    str | None,
    typer.Option(
        help="Attributes whose scores the orthogonalised edit leaves alone; "
        "or correlated: those with |φ| ≥ .15; or all"
    ),
]
AlphasOption = Annotated[
    str,
    typer.Option(help="Doses in standard deviations of the score: FROM:TO:COUNT, or a list; 0 is added"),
]
ImagesOption = Annotated[int, typer.Option(min=2, help="How many test images to edit")]
ImageOption = Annotated[
    list[str] | None,
    typer.Option(
        help="An image's id, in place of test images; may be given several times, and be a train image"
    ),
]

# Along which directions.

MethodOption = Annotated[
    str, typer.Option(help="Method of the probes to edit along, as in une probe --method")
]
InnerOption = Annotated[
    str, typer.Option(help="Inner product of the orthogonalisation: plain (the paper's) or covariance")
]
BaselinesOption = Annotated[
    str,
    typer.Option(
        help=f'What else is done to the same images, comma-separated: {", ".join(BESIDE)}; "" for none'
    ),
]
FitOption = Annotated[
    bool,
    typer.Option("--fit", help="Fit probes anew, as --penalty and --rank do; default: the lake's own"),
]
PenaltyOption = Annotated[
    float | None, typer.Option(help="λ of probes that are fitted anew, as in une probe")
]
RankOption = Annotated[
    int | None, typer.Option(min=1, help="Components of pca-logistic probes that are fitted anew")
]
ShrinkageOption = Annotated[float, typer.Option(help="Of the covariance towards its mean variance: 0 to 1")]
ErasureOption = Annotated[
    str, typer.Option(help="projection (the paper's null space), iterative (INLP) or leace")
]
RoundsOption = Annotated[int, typer.Option(min=1, help="Of iterative erasure")]
PathOption = Annotated[
    str,
    typer.Option(
        help="straight; shell: every latent keeps its norm; quantile: α in normal quantiles; "
        "boundary: to α past the probe's zero"
    ),
]
DirectionOption = Annotated[
    str | None, typer.Option(help="SQL that gives one more direction: a row with a list w, and perhaps b")
]
SharedOption = Annotated[
    str | None,
    typer.Option(
        help="A shared space that this one is a view of (une shared), with probes: its own edit, carried"
        " back by the pseudo-inverse, and random ones of it"
    ),
]

# Who says what changed.

JudgesOption = Annotated[
    str | None,
    typer.Option(
        help="Comma-separated encoder spaces; default: mini-resnet, mini-dino and mini-clip-b, or all"
    ),
]
