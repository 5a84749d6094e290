"""`une disentangle`: train models whose codes are to be a corpus' factors, and compare them at equal
compute."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from une_ray.cli.command import Command, group
from une_ray.cli.options import ActorsOption, AddressOption, GpusOption
from une_ray.errors import UneError
from une_ray.registry import DISENTANGLERS

if TYPE_CHECKING:
    from une_ray.run.cluster import Cluster
    from une_ray.studies.disentanglement.compare import Comparison

EPILOG = """Examples:

`une disentangle train --model did --corpus dsprites --scale tiny`

`une disentangle train --model did:contrast=false --corpus shapes3d --scale small`

`une disentangle compare --models vae,beta-vae,did --corpus dsprites --scale tiny --seeds 3`

`une disentangle compare --models beta-tcvae,did --corpus dsprites --correlations 0,0.5,0.9 --out correlated`

`une build --corpus dsprites:2000 --spaces codes=disentangled:disentangled/did-seed0 --lake sprites`"""

DEFAULT_MODELS = "untrained,vae,beta-vae,factor-vae,beta-tcvae,dip-vae-ii,infogan-cr,disco,did"

app = group("Train models whose codes are to be a corpus' factors, and compare them at equal compute.")

CorpusOption = Annotated[
    str,
    typer.Option(
        help="Any corpus with factors or attributes, as dsprites, shapes3d or"
        " dsprites:20000?correlation=0.9 (see: une corpus)"
    ),
]
ScaleOption = Annotated[str, typer.Option(help="tiny (minutes on a thread), small (an hour) or paper")]
ComputeOption = Annotated[float, typer.Option(help="Times the scale's compute: less, or more, of the same")]


@app.command(epilog=EPILOG)
def train(
    model: Annotated[
        str, typer.Option(help=f"MODEL or MODEL:SETTING=VALUE, of {', '.join(DISENTANGLERS.names())}")
    ],
    corpus: CorpusOption,
    scale: ScaleOption = "tiny",
    seed: Annotated[int, typer.Option(min=0, max=2**40 - 1, help="Of weights, batches and noise")] = 0,
    compute: ComputeOption = 1.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the model; default: disentangled/MODEL-seedSEED")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:N; default: a GPU if this machine has one")
    ] = None,
    num_workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="So many workers under Ray Train, on a cluster's GPUs or here; the folder must be one they"
            " share. Default: this process alone, without Ray",
        ),
    ] = None,
    address: AddressOption = None,
) -> None:
    """Train one model: a folder with config.json, weights, traversals.png and curve.png.

    A training that was killed goes on by the same command; a finished one is kept. The folder is a model of
    the kind disentangled:, whose codes are a space of a lake.
    """
    from une_ray.studies.disentanglement.compare import folder_of
    from une_ray.studies.disentanglement.training import distributed, job
    from une_ray.studies.disentanglement.training.pictures import canonical
    from une_ray.studies.disentanglement.training.run import Run, parse_model

    name, settings = parse_model(model)
    run = Run(
        model=name, settings=settings, corpus=canonical(corpus), scale=scale, seed=seed, compute=compute
    )
    folder = (out or folder_of(run, Path("disentangled"))).absolute()
    if num_workers is None:
        job.train_one(run, folder, _device(device))
    elif device is not None:
        raise UneError(f"--device {device} is of one process; with --num-workers the cluster decides")
    else:
        distributed.train(run, folder, num_workers, address)
    print(f"{run.variant} → {folder} ({job.TRAVERSALS}, {job.CURVES}); as a space: disentangled:{folder}")


@app.command(epilog=EPILOG)
def compare(
    corpus: CorpusOption,
    models: Annotated[
        str, typer.Option(help="Comma-separated, each MODEL or MODEL:SETTING=VALUE")
    ] = DEFAULT_MODELS,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each model")] = 3,
    scale: ScaleOption = "tiny",
    compute: ComputeOption = 1.0,
    evaluated: Annotated[
        str | None,
        typer.Option(help="Corpus whose rows metrics read; default: the one that is trained on"),
    ] = None,
    correlations: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated, −0.9 to 0.9: train on subsamples whose two factors are correlated so, and"
            " measure on the whole grid. --corpus says which file, seed and number of items, and, as in"
            " dsprites:20000?correlation=0.9&pair=scale,shape, which two factors"
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the models, scores and table")] = Path("compared"),
    address: AddressOption = None,
    actors: ActorsOption = None,
    gpus: GpusOption = None,
) -> None:
    """Train models under several seeds with the same compute each, as a grid of Ray Tune, and print their
    metrics with 95 % intervals over seeds.

    The same command goes on with a comparison that was killed; one that is finished only prints. In the
    folder: comparison.md, comparison.parquet (a row per model, seed and metric), and every model. With
    --correlations it is a comparison per strength, and correlated.png.
    """
    from une_ray.run.cluster import Cluster
    from une_ray.studies.disentanglement import scores
    from une_ray.studies.disentanglement.compare import Comparison
    from une_ray.studies.disentanglement.compare import compare as study
    from une_ray.studies.disentanglement.training.run import parse_model

    chosen = [parse_model(part.strip()) for part in models.split(",") if part.strip()]
    comparison = Comparison(
        models=chosen, corpus=corpus, seeds=seeds, scale=scale, compute=compute, evaluated=evaluated
    )
    cluster = Cluster(address, actors, gpus)
    if correlations is None:
        print("\n".join(scores.table(study(comparison, out.absolute(), cluster))))
    else:
        _correlated(comparison, correlations, out.absolute(), cluster)


def _device(asked: str | None) -> str:
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked is None:
        return "cuda" if gpus else "cpu"
    if asked.startswith("cuda") and not gpus:
        raise UneError(f"--device {asked}: torch sees no GPU here; leave it out to train on the CPU")
    known = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{number}" for number in range(gpus))]
    if asked not in known:
        raise UneError(f"--device {asked}: there are {', '.join(known)}")
    return asked


def _correlated(comparison: Comparison, correlations: str, out: Path, cluster: Cluster) -> None:
    from une_ray.studies.disentanglement import correlated

    try:
        strengths = sorted({float(strength) for strength in correlations.split(",")})
    except ValueError:
        raise UneError(f"--correlations are numbers, as in 0,0.5,0.9; got {correlations!r}") from None
    if comparison.evaluated is not None:
        raise UneError("with --correlations metrics read the whole grid; leave --evaluated out")
    by_strength = correlated.correlated(comparison, strengths, out, cluster)
    for metric in correlated.SHOWN:
        print("\n".join(["", *correlated.table(by_strength, metric)]))
    print(f"\n{out / correlated.PLOT}")


COMMAND = Command("disentangle", app, jobs=("disentangle train", "disentangle compare"))
