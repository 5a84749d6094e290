"""`une memorization audit`: which of somebody's prompts a model may have memorised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from une_ray.cli.options import ActorsOption, AddressOption, GpusOption, LakeOption
from une_ray.errors import UneError

if TYPE_CHECKING:
    from une_ray.studies.memorization.audit import Audit

EPILOG = """Examples:

`une memorization audit --lake audits --model mini-sd-dup --prompts prompts.txt`

`une memorization audit --lake audits --model stable-diffusion-v1-5/stable-diffusion-v1-5 --prompts laion.parquet --ordinary mine.txt`"""


def audit(
    lake: LakeOption,
    model: Annotated[
        str,
        typer.Option(
            help="A generator (see: une models), a diffusers id OWNER/NAME, or stable-diffusion:FOLDER"
        ),
    ],
    prompts: Annotated[Path, typer.Option(help="Text, a prompt a line, or Parquet with the column prompt")],
    detector: Annotated[
        str, typer.Option(help="wen-1, wen-10, wen-all, ren-d, ren-e, bright-ending or sail, to rank by")
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
    """Rank prompts by how much a detector takes them for memorised, with the false-positive rate of the threshold.

    The lake keeps every score: what was done is not done again, and a longer file costs little more than its new prompts.
    """
    from une_ray.models.generators import load_tokenizer
    from une_ray.run.cluster import Cluster
    from une_ray.studies.memorization import audit as study
    from une_ray.studies.memorization import bench
    from une_ray.studies.memorization import prompts as asking
    from une_ray.studies.memorization.detectors import check
    from une_ray.studies.memorization.study import open_or_create, run

    check(detector)
    spec, _ = bench.generator(model)
    tokenizer, too_long = load_tokenizer(spec), {}
    fitting = []
    for what, given in ((prompts, asking.given(prompts)), (ordinary, asking.ordinary(ordinary))):
        short, long = asking.fitting(given, tokenizer)
        if not short:
            raise UneError(
                f"none of the {len(long)} prompts of {what} can be audited: {next(iter(long.values()))}"
            )
        fitting.append(short)
        too_long |= long
    chosen = study.beside(*fitting)
    where = open_or_create(lake)
    configs = run(
        where,
        bench.tasks(model, [(bench.PLAIN, {})], chosen, seeds, steps, guidance),
        Cluster(address, actors, gpus),
    )
    print(
        "\n".join(
            [
                *lines(study.audit(where, configs, detector), detector),
                *(f"left out: {why}" for why in too_long.values()),
            ]
        )
    )


def lines(found: Audit, detector: str) -> list[str]:
    """The ranked prompts, those above the threshold marked, and what the threshold means."""
    above = [suspect for suspect in found.suspects if suspect.score > found.threshold]
    return [
        f"  {detector:>10} {'p':>6}  prompt",
        *(
            f"{'*' if suspect.score > found.threshold else ' '} {suspect.score:10.4g} {suspect.p_value:6.3f}  {suspect.prompt}"
            for suspect in found.suspects
        ),
        "",
        f"* {len(above)} of {len(found.suspects)} score above {found.threshold:.4g}, the highest of {found.ordinary} ordinary prompts: a threshold with a "
        f"false-positive rate of {found.false_positive_rate:.1%},",
        f"at most {found.highest_rate:.1%} (95 % confidence), where the ordinary prompts are like yours. p: how often one of them scores as high.",
    ]
