"""`une prompts`: prompts and captions as directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from une_ray.cli.command import Command, group
from une_ray.cli.options import ActorsOption, AddressOption, GpusOption, LakeOption, names
from une_ray.errors import UneError
from une_ray.studies.prompts.lines import (
    bias_lines,
    cluster_lines,
    default_lines,
    dose_lines,
    explain_lines,
    ranking_lines,
    vote_lines,
)

if TYPE_CHECKING:
    from une_ray.lake.layout import Lake

EPILOG = """Examples:

`une prompts bias --model sd15 --prompts professions --lake sd15-professions`

`une prompts bias --model mini-sd-a --prompts avatar-concepts --truth avatars`

`une prompts bias --lake mini-sd-a-avatar-concepts --poles 'a young person|an old person' --truth avatars`

`une prompts vote --lake mini-sd-a-avatar-concepts --space mini-sd-a/hspace --judge mini-clip-b`

`une prompts defaults --model sd15 --prompts professions,descriptors`

`une prompts cluster --lake mini-sd-a-avatar-concepts --categories describes`

`une prompts dose --lake .planted/lake --planted .planted/planted.csv`

`une prompts explain --lake demo/lake --space mini-dino \
--direction "FROM direction('mini-dino', 'Smiling')"`

`une prompts explain --lake demo/lake --space mini-sd-a/ddim50 --captions mini-clip-a/text \
--direction "FROM direction('mini-sd-a/ddim50', 'Male')"`"""

app = group("What a generator takes for granted: prompts as directions; captions that explain any direction.")

# The lake that is asked: one that is there, or of --model and --prompts, of which is built what is missing.
MaybeLake = Annotated[
    str | None, typer.Option("--lake", help="Folder of the lake; with --model by default MODEL-PROMPTS")
]
ModelOption = Annotated[
    str | None, typer.Option(help="A generator, whose h-space of --prompts is built where it is missing")
]
PromptsOption = Annotated[
    str | None,
    typer.Option(
        help="With --model: a file of a prompt a line, a CSV with the column prompt, or a list of the"
        " package: professions, descriptors, avatar-concepts; several with commas"
    ),
]
TextsOption = Annotated[
    str | None,
    typer.Option(
        help="With --model: image–text models whose text towers stand beside it; default: the generator's own"
    ),
]
SeedsOption = Annotated[
    int | None, typer.Option(min=1, help="With --model: seeds that each prompt is drawn under; default 16")
]
NeutralOption = Annotated[str, typer.Option(help="The prompt that all are directions from")]
PolesOption = Annotated[str, typer.Option(help="Two prompts, with a bar between them")]
SpacesOption = Annotated[
    str | None, typer.Option(help="Comma-separated; default: every space of prompts in the lake")
]
ResamplesOption = Annotated[int, typer.Option(min=100, help="Of the bootstrap")]


@app.command(epilog=EPILOG)
def bias(
    lake: MaybeLake = None,
    model: ModelOption = None,
    prompts: PromptsOption = None,
    texts: TextsOption = None,
    seeds: SeedsOption = None,
    neutral: NeutralOption = "a person",
    poles: PolesOption = "a man|a woman",
    spaces: SpacesOption = None,
    truth: Annotated[
        str | None,
        typer.Option(
            help="avatars, what the mini zoo was trained on; vote:JUDGE or vote:JUDGE@SPACE, of pictures"
            " that une prompts vote drew; or a CSV with columns prompt, frequency"
        ),
    ] = None,
    resamples: ResamplesOption = 1000,
) -> None:
    """Rank every prompt between two poles, with intervals over seeds, and hold the order against a truth."""
    from une_ray.studies.prompts.bias import bias as run
    from une_ray.studies.prompts.bias import two_poles

    pair = two_poles(poles.split("|"), neutral)
    asked, built = _asked(lake, model, prompts, [neutral, *pair], seeds, texts)
    found = run(asked, neutral, pair, built if spaces is None else names(spaces), truth, resamples)
    print("\n".join(bias_lines(found.table.to_pylist(), found.agreements.to_pylist())))


@app.command(epilog=EPILOG)
def vote(
    lake: LakeOption,
    space: Annotated[str, typer.Option(help="The h-space of prompts whose generator draws them")],
    judge: Annotated[
        str,
        typer.Option(
            help="MODEL, that votes by the poles' texts, as mini-clip-b; or SPACE:ATTRIBUTE@LAKE, a probe"
        ),
    ],
    poles: PolesOption = "a man|a woman",
    pictures: Annotated[int, typer.Option(min=1, help="Of every prompt")] = 16,
    steps: Annotated[int, typer.Option(min=1, help="Of the sampling")] = 25,
    guidance: Annotated[float, typer.Option(help="1 draws what the generator holds likely")] = 1.0,
    truth: Annotated[str | None, typer.Option(help="As of une prompts bias")] = None,
    address: AddressOption = None,
    actors: ActorsOption = None,
    gpus: GpusOption = None,
) -> None:
    """Draw pictures of every prompt and let an encoder vote which pole each shows: what a bias is to tell."""
    from une_ray.lake.layout import Lake
    from une_ray.run.cluster import Cluster
    from une_ray.studies.prompts.vote import vote as run

    found = run(
        Lake(lake),
        space,
        judge,
        poles.split("|"),
        pictures=pictures,
        steps=steps,
        guidance=guidance,
        truth=truth,
        cluster=Cluster(address, actors, gpus),
    )
    print("\n".join(vote_lines(found.table.to_pylist(), found.agreements.to_pylist())))


@app.command(epilog=EPILOG)
def defaults(
    lake: MaybeLake = None,
    model: ModelOption = None,
    prompts: PromptsOption = None,
    texts: TextsOption = None,
    seeds: SeedsOption = None,
    neutral: NeutralOption = "a person",
    describes: Annotated[
        str, typer.Option(help="The column of the prompts' table that says what a descriptor describes")
    ] = "describes",
    spaces: SpacesOption = None,
    truth: Annotated[
        str | None, typer.Option(help="avatars: what is likeliest among those that the mini zoo saw")
    ] = None,
    ranking: Annotated[
        str | None, typer.Option(help="Instead of defaults all descriptors of this prompt, nearest first")
    ] = None,
    resamples: ResamplesOption = 1000,
) -> None:
    """Say what a generator takes for granted of each prompt: of descriptors that describe one thing, as
    young and old, the nearest."""
    from une_ray.studies.prompts.defaults import defaults as run

    asked, built = _asked(lake, model, prompts, [neutral], seeds, texts)
    found = run(asked, neutral, built if spaces is None else names(spaces), describes, truth, resamples)
    rows, agreements = found.table.to_pylist(), found.agreements.to_pylist()
    lines = default_lines(rows, agreements) if ranking is None else ranking_lines(rows, ranking)
    print("\n".join(lines))


@app.command(epilog=EPILOG)
def cluster(
    lake: MaybeLake = None,
    model: ModelOption = None,
    prompts: PromptsOption = None,
    texts: TextsOption = None,
    seeds: SeedsOption = None,
    neutral: NeutralOption = "a person",
    categories: Annotated[
        str, typer.Option(help="The column of the prompts' table that has the known categories")
    ] = "category",
    spaces: SpacesOption = None,
    resamples: Annotated[int, typer.Option(min=20, help="Random halves of the seeds")] = 100,
) -> None:
    """Hold clusters of prompts against known categories, beside shuffled ones, and draw a map for the
    report."""
    from une_ray.studies.prompts.clusters import cluster as run

    asked, built = _asked(lake, model, prompts, [neutral], seeds, texts)
    found = run(asked, neutral, built if spaces is None else names(spaces), categories, resamples)
    print("\n".join(cluster_lines(found.table.to_pylist(), found.scores.to_pylist())))


@app.command(epilog=EPILOG)
def dose(
    lake: LakeOption,
    planted: Annotated[
        str,
        typer.Option(
            help="CSV with the columns space, prompt, frequency and drawn; jobs/plant_bias.py makes one"
        ),
    ],
    neutral: NeutralOption = "a person",
    poles: PolesOption = "a man|a woman",
) -> None:
    """Say how far the bias of prompts, and what is drawn of them, follows a bias that was planted."""
    from une_ray.lake.layout import Lake
    from une_ray.studies.prompts.dose import dose as run

    found = run(Lake(lake), planted, neutral, poles.split("|"))
    print("\n".join(dose_lines(found.table.to_pylist())))


@app.command(epilog=EPILOG)
def explain(
    lake: LakeOption,
    space: Annotated[str, typer.Option(help="The direction's space")],
    direction: Annotated[str, typer.Option(help="SQL that gives one row with a list w")],
    phrases: Annotated[int, typer.Option(min=1, help="How many are shown of each end")] = 6,
    split: Annotated[
        str | None,
        typer.Option(
            help="Whose captions: test, train, val or all; a probe of split 0 is explained by test items"
            " only. Default: test; all of another lake"
        ),
    ] = None,
    captions: Annotated[
        str | None,
        typer.Option(
            help="A space of texts, as mini-clip-a/text, or SPACE@LAKE, whose captions a map that une map fit"
            " stored leads into --space. Default: the captions of --space's own items, where these lie"
        ),
    ] = None,
    map: Annotated[str, typer.Option(help="With --captions: `orthogonal` or `ridge`")] = "orthogonal",
) -> None:
    """Say what a direction of the lake points to, in phrases of captions."""
    from une_ray.lake.layout import Lake
    from une_ray.studies.prompts.explain import explain as run

    found = run(Lake(lake), space, direction, split, captions, map)
    print("\n".join(explain_lines(found.table.to_pylist(), phrases, found.is_explained)))


def _asked(
    lake: str | None,
    model: str | None,
    prompts: str | None,
    besides: Sequence[str],
    seeds: int | None,
    texts: str | None,
) -> tuple[Lake, Sequence[str] | None]:
    """The lake that is asked, and its spaces where they were built just now."""
    from une_ray.corpora.files import absolute
    from une_ray.lake.layout import Lake

    if model is None:
        if lake is None or any(option is not None for option in (prompts, seeds, texts)):
            raise UneError(
                "which prompts? name a --lake of them, or --model and --prompts, as in --model mini-sd-a"
                " --prompts professions; --texts and --seeds belong to those"
            )
        return Lake(absolute(lake)), None
    if prompts is None:
        raise UneError(f"--model {model} of which --prompts? a file, or a list such as professions")
    from une_ray.run.progress import say
    from une_ray.studies.prompts.build import build_prompts

    made = build_prompts(model, prompts, besides, lake, seeds, names(texts))
    for line in (f"{made.lake.url}: {', '.join(made.spaces)}", *made.built.notes):
        say(line)
    return made.lake, made.spaces


COMMAND = Command("prompts", app, jobs=("prompts vote",))
