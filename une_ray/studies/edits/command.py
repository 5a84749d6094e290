"""`une edit`: move images along an attribute's probe direction, decode them, and have other spaces judge what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from une_ray.cli.command import Command
from une_ray.cli.options import ActorsOption, AddressOption, GpusOption, LakeOption, names
from une_ray.errors import UneError

if TYPE_CHECKING:
    from une_ray.lake.layout import Lake

EPILOG = """Examples:

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Eyeglasses --keep Gray_Hair,Male --alphas -3:3:7 --images 64`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --alphas -2,2 --inner covariance --baselines ""`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Eyeglasses,Smiling,Long_Hair --keep correlated --images 16`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --keep Male --penalty 0.1 --erasure leace --shrinkage 0.2`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --direction "SELECT * FROM orthogonalized('mini-sd-a/ddim50', 'Smiling', ['Male'])"`

`une sql --lake demo/lake -f queries/edits.sql`"""

HEADER = (
    f"{'judge':14} {'direction':16} {'effect':>7} {'flips − / +':>13} {'leakage':>8} {'kept':>6} {'order':>6} {'identity − / 0 / +':>20} "
    f"{'Fréchet − / 0 / +':>18}"
)

NOTE = """
effect: judged standard deviations of the target per one applied; flips: of the images that the smallest and the largest dose could flip;
leakage: root mean square of the other attributes' effects; kept: the largest effect on a kept one; order: Kendall's τ between dose and
judged score; identity: cosine with the original; Fréchet: to the originals. 0 is the round trip. A prompt's dose is its guidance scale."""


def edit(
    lake: LakeOption,
    space: Annotated[
        str,
        typer.Option(
            help="A generator's inverted noise, as in mini-sd-a/ddim50; it needs probes (see: une probe)"
        ),
    ],
    attribute: Annotated[
        str, typer.Option(help="What to change: an attribute, or several with commas, each edited by itself")
    ],
    keep: Annotated[
        str | None,
        typer.Option(
            help="Attributes whose scores the orthogonalised edit leaves alone; or correlated: those with |φ| ≥ .15; or all"
        ),
    ] = None,
    alphas: Annotated[
        str,
        typer.Option(help="Doses in standard deviations of the score: FROM:TO:COUNT, or a list; 0 is added"),
    ] = "-3:3:7",
    images: Annotated[int, typer.Option(min=2, help="How many test images to edit")] = 64,
    method: Annotated[
        str, typer.Option(help="Method of the probes to edit along, as in une probe --method")
    ] = "ridge",
    inner: Annotated[
        str, typer.Option(help="Inner product of the orthogonalisation: plain (the paper's) or covariance")
    ] = "plain",
    baselines: Annotated[
        str,
        typer.Option(
            help='Comma-separated, of random, mean-difference, permuted (shuffled labels) and prompt; "" for none'
        ),
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
            help="straight; shell: every latent keeps its norm; quantile: α in normal quantiles; boundary: to α past the probe's zero"
        ),
    ] = "straight",
    direction: Annotated[
        str | None, typer.Option(help="SQL that gives one more direction: a row with a list w, and perhaps b")
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
    """Edit test images along a probe's direction, with and without orthogonalisation, and measure it in spaces that the edit did not use."""
    from une_ray.corpora.files import absolute
    from une_ray.lake import results
    from une_ray.lake.layout import Lake
    from une_ray.lake.session import connect
    from une_ray.run import tasks as pipeline
    from une_ray.run.cluster import Cluster
    from une_ray.studies.edits.edit import Edit
    from une_ray.studies.edits.job import WORKER, plan
    from une_ray.studies.edits.outcome import outcomes

    opened, cluster = Lake(absolute(lake)), Cluster(address, actors, gpus)
    plans = {}
    for name in names(attribute) or ():
        asked = Edit(
            space,
            name,
            kept(opened, space, name, keep),
            doses(alphas),
            method,
            inner,
            tuple(names(baselines) or ()),
            fit,
            penalty,
            rank,
            shrinkage,
            erasure,
            rounds,
            path,
            direction,
        )
        plans[name] = plan(opened, asked, images, names(judges))  # all are checked before any is made
    for name, (tasks, options) in plans.items():
        for _ in pipeline.run(opened, "edits", tasks, WORKER, options, f"editing {name}", cluster):
            pass
        found = outcomes(connect(opened), sorted({results.config_hash(task["edit"]) for task in tasks}))
        print("\n".join(["", *lines([outcome.summary() for outcome in found], options["directions"])]))
    print(NOTE)


def kept(lake: Lake, space: str, attribute: str, keep: str | None) -> tuple[str, ...]:
    """The attributes to keep: those named, or those of a set of `nuisances`."""
    from une_ray.studies.edits.edit import train_rows
    from une_ray.studies.edits.nuisances import SETS, nuisances

    if keep not in SETS:
        return tuple(names(keep) or ())
    return tuple(nuisances(lake, train_rows(lake, space, attribute), attribute)[keep])


def doses(text: str) -> tuple[float, ...]:
    """`-3:3:7` → −3, −2, …, 3; `-2,2` → −2, 2."""
    try:
        if ":" in text:
            first, last, count = text.split(":")
            return tuple(np.linspace(float(first), float(last), int(count)).tolist())
        return tuple(float(value) for value in text.split(","))
    except ValueError:
        raise UneError(
            f"--alphas {text!r}; it is FROM:TO:COUNT, as in -3:3:7, or a list, as in -2,-1,1,2"
        ) from None


def lines(summaries: list[dict], directions: dict) -> list[str]:
    """The table, what was kept, and warnings of doses that leave the data."""
    found = [
        f"{summaries[0]['attribute']} in {summaries[0]['images']} test images",
        HEADER,
        *map(line, summaries),
    ]
    if "orthogonalised" in directions:
        left = directions["orthogonalised"].remaining_norm
        found.append(
            f"Orthogonalised to {', '.join(directions['orthogonalised'].nuisances)}: {left:.3f} of the probe's norm remains."
        )
    for summary in summaries:
        if far := [f"{alpha:+g} ({share:.0%})" for alpha, share in summary["off_data"].items() if share > 0]:
            found.append(
                f"off the data: {summary['direction']} at α = {', '.join(far)} of the images; their status and error in `edits` say how far"
            )
    return list(dict.fromkeys(found))


def line(row: dict) -> str:
    from une_ray.studies.edits.outcome import three_digits

    flips = " / ".join("–" if share != share else f"{share:.0%}" for share in row["flips"])
    identity, quality = (
        [row[name][0], row["round_trip"][i], row[name][1]] for i, name in enumerate(("identity", "quality"))
    )
    return (
        f"{row['judge']:14} {row['direction']:16} {row['effect']:>7.2f} {flips:>13} {row['leakage']:>8.3f} "
        f"{'–' if row['kept'] is None else format(row['kept'], '.3f'):>6} {row['order']:>6.2f} "
        f"{' / '.join(f'{value:.3f}' for value in identity):>20} {' / '.join(map(three_digits, quality)):>18}"
    )


COMMAND = Command("edit", edit, EPILOG, jobs=("edit",))
