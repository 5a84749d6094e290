"""`une memorization audit`: which of somebody's prompts a model may have memorised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from une_ray.cli.options import ActorsOption, AddressOption, GpusOption, LakeOption
from une_ray.registry import DETECTORS

if TYPE_CHECKING:
    from une_ray.studies.memorization.audit import Audit

EPILOG = """Examples:

`une memorization audit --lake audits --model mini-sd-dup --prompts prompts.txt`

`une memorization audit --lake audits --model stable-diffusion-v1-5/stable-diffusion-v1-5 \
--prompts laion.parquet --ordinary mine.txt`"""


def audit(
    lake: LakeOption,
    model: Annotated[
        str,
        typer.Option(
            help="A generator (see: une models), a diffusers id OWNER/NAME, or stable-diffusion:FOLDER"
        ),
    ],
    prompts: Annotated[
        Path, typer.Option(help="Text, a prompt a line, or CSV or Parquet with the column prompt")
    ],
    detector: Annotated[
        str, typer.Option(help=f"What to rank by: {', '.join(DETECTORS.names())}")
    ] = "wen-10",
    ordinary: Annotated[
        str,
        typer.Option(
            help="Prompts to compare with: so many captions that no model has seen, or a file of your own"
        ),
    ] = "40",
    seeds: Annotated[
        int, typer.Option(min=1, help="Pictures per prompt; a prompt's score is their mean")
    ] = 4,
    steps: Annotated[int, typer.Option(min=2, help="DDIM steps")] = 50,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale")] = 7.5,
    address: AddressOption = None,
    actors: ActorsOption = None,
    gpus: GpusOption = None,
) -> None:
    """Rank prompts by how much a detector takes them for memorised, with the false-positive rate of the
    threshold.

    The lake keeps every score: what was done is not done again, and a longer file costs little more than its
    new prompts.
    """
    from une_ray.corpora.files import absolute
    from une_ray.lake.layout import Lake
    from une_ray.run.cluster import Cluster
    from une_ray.studies.memorization import audit as study

    result = study.audit(
        Lake(absolute(lake)),
        model=model,
        prompts=prompts,
        detector=detector,
        ordinary=ordinary,
        seeds=seeds,
        steps=steps,
        guidance=guidance,
        cluster=Cluster(address, actors, gpus),
    )
    print("\n".join(lines(result)))


def lines(result: Audit) -> list[str]:
    """The ranked prompts, those above the threshold marked, what the threshold means, and what was left
    out."""
    rows = [
        f"{mark} {suspect.score:10.4g} {suspect.p_value:6.3f}  {suspect.prompt}"
        for suspect, mark in ((one, "*" if one in result.above else " ") for one in result.suspects)
    ]
    return [
        f"  {result.detector:>10} {'p':>6}  prompt",
        *rows,
        "",
        f"* {len(result.above)} of {len(rows)} score above {result.threshold:.4g}, the highest of "
        f"{result.ordinary} ordinary prompts: a threshold with a "
        f"false-positive rate of {result.false_positive_rate:.1%},",
        f"at most {result.highest_rate:.1%} (95 % confidence), where the ordinary prompts are like yours. "
        "p: how often one of them scores as high.",
        *(f"left out: {why}" for why in result.left_out),
    ]
