"""`une build`: a corpus into a lake."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import ActorsOption, AddressOption, GpusOption, LakeOption, names
from une_ray.corpora.help import corpus_markdown, forms
from une_ray.errors import UneError

if TYPE_CHECKING:
    from une_ray.run.build import Built

DtypeOption = Annotated[
    str | None, typer.Option(help="float32, float16 or bfloat16 instead of each model's own")
]
VaeDtypeOption = Annotated[
    str | None,
    typer.Option(
        help="float16: generators' autoencoders too, of models that are known to run so; default: float32"
    ),
]
CompileOption = Annotated[
    str | None,
    typer.Option(
        help=(
            "Have torch.compile make the networks of ddim spaces and encoders faster: default,"
            " reduce-overhead (CUDA graphs) or max-autotune; the first batch takes a minute or more, once"
        )
    ),
]
PlaceOption = Annotated[
    list[str] | None,
    typer.Option(help="SPACE:LABEL=VALUE, Ray's labels of the nodes for a space's actors; may be repeated"),
]

EPILOG = """Examples:

`une build --corpus avatars:1000 --spaces mini-sd-a/ddim50,mini-clip-a,mini-dino --lake demo/lake`

`une build --corpus celeba:/data/celeba --spaces sd15/ddim50,clip-l14 --lake s3://zoo/celeba --address auto`

`une build --corpus 'hub:OWNER/NAME?revision=COMMIT' --spaces sd15/ddim50 --lake s3://zoo/lake --gpus 8`

`une build … --gpus 8 --place sd15/ddim50:ray.io/accelerator-type=A100`

`une build … --compile default`

Own models, each from a folder:

`une build --corpus folder:photos --spaces \
mine=stable-diffusion:/models/mine/ddim50-trailing,vit=dino:/models/vit --lake lake`

"""
EPILOG += corpus_markdown()


def build(
    corpus: Annotated[
        str,
        typer.Option(help=f"What to read: {forms()}; below, what each is"),
    ],
    spaces: Annotated[
        str,
        typer.Option(
            help=(
                "Comma-separated: MODEL/ddimSTEPS[-SPACING] for generators, MODEL for encoders, MODEL/text"
                " for the captions of image–text models; see une"
                " models"
            )
        ),
    ],
    lake: LakeOption,
    shard_size: Annotated[
        int | None,
        typer.Option(min=1, help="Images per shard, fixed when the lake is made; default by corpus size"),
    ] = None,
    dtype: DtypeOption = None,
    vae_dtype: VaeDtypeOption = None,
    compile: CompileOption = None,
    address: AddressOption = None,
    actors: ActorsOption = None,
    gpus: GpusOption = None,
    check_corpus: Annotated[
        bool,
        typer.Option(
            "--check-corpus", help="List the corpus anew, though nothing says that it has changed since"
        ),
    ] = False,
    place: PlaceOption = None,
) -> None:
    """Invert and embed a corpus into a lake. Does only what is missing; kill it and run it again as you
    like."""
    from une_ray.run.build import build as run
    from une_ray.run.cluster import Cluster
    from une_ray.spaces.execution import Execution

    named = names(spaces)
    if not named:
        raise UneError("--spaces is empty; name at least one, as in mini-dino")
    print(f"{corpus} → {', '.join(named)} → {lake}", file=sys.stderr, flush=True)
    try:
        cluster = Cluster(address, actors, gpus)
        execution = Execution(dtype=dtype, vae_dtype=vae_dtype, compile=compile)
        done = run(lake, corpus, named, shard_size, execution, cluster, labels(place or []), check_corpus)
    except KeyboardInterrupt:
        print("\nune: stopped; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
    print("\n".join(lines(done, lake)))


def lines(done: Built, lake: str) -> Iterator[str]:
    """What was done, which images could not be read, and what else a person should know of it."""
    if done.shards_done == 0:
        yield (
            f"{lake}: all {done.shards_total} shards of {done.images:,} {done.unit} were there already"
            f" ({done.seconds:.1f} s)"
        )
    else:
        yield (
            f"{lake}: {done.shards_done} of {done.shards_total} shards built in {done.seconds:.0f} s,"
            f" {done.rejects} {done.unit} rejected"
        )
    yield from (f"  {reason}" for reason in done.reasons)
    if done.rejects > len(done.reasons):
        yield f"  all of them: une sql {lake} -c 'FROM rejects'"
    yield from done.notes


def labels(place: list[str]) -> dict[str, dict[str, str]]:
    """`sd15/ddim50:ray.io/accelerator-type=A100` → {"sd15/ddim50": {"ray.io/accelerator-type": "A100"}}."""
    labels_by_space: dict[str, dict[str, str]] = {}
    for text in place:
        space, colon, rest = text.partition(":")
        label, equals, value = rest.partition("=")
        if not (space and colon and label and equals and value):
            raise UneError(
                f"--place {text!r}; it is SPACE:LABEL=VALUE, as in sd15/ddim50:ray.io/accelerator-type=A100"
            )
        labels_by_space.setdefault(space, {})[label] = value
    return labels_by_space


COMMAND = Command("build", build, EPILOG, jobs=("build",))
