"""`une memorization`: who copies, and what stops it."""

from __future__ import annotations

from typing import Annotated

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import ActorsOption, AddressOption, CopyMetricOption, GpusOption
from une_ray.studies.memorization import audit_command as audit

EPILOG = """Examples:

`une memorization --lake memory --methods pad-swap,zero-pads:fraction=0.4:end=last,wen:iterations=20,ren --seeds 10`

`une memorization --lake memory --doses 250,1000 --methods ablation-a,ablation-c,ablation-c:padding=exclamation,ablation-h:by=removal`

`une memorization --lake memory-sscd --copy-metric sscd:sscd.safetensors`

`une memorization audit --lake audits --model mini-sd-dup --prompts prompts.txt`

`une sql --lake memory -f queries/memorization.sql`

Settings and their defaults: zero-pads `fraction=0.7:end=first:scale=0.0`, ren `sot_scale=1.25:both_halves=true`,
wen `iterations=10:target=3.0:learning_rate=0.05`, random-tokens and random-numbers `count=4:seed=0`, delayed-guidance `transition=500`,
opposite-guidance `transition=650:before=-2.0`; zero-pads and ablations also `padding=own` or exclamation, zero-pads and ablations a, c, f, h
`by=zeros` or removal; all but none `window_from=1000:window_to=0`, the timesteps at which they act."""

COLUMNS = {
    "dose_response": ("kind", "dose", "prompts", "copies", "± copies", "similarity", "±"),
    "methods": (
        "group",
        "method",
        "settings",
        "prompts",
        "similarity",
        "±",
        "copies",
        "similarity_unmitigated",
        "alignment",
        "± alignment",
        "diversity",
        "distance_to_real",
        "± distance",
        "seconds",
    ),
    "method_changes": (
        "group",
        "method",
        "settings",
        "prompts",
        "similarity",
        "±",
        "copies",
        "± copies",
        "alignment",
        "± alignment",
        "distance_to_real",
        "± distance",
    ),
    "ablations": (
        "ablation",
        "padding",
        "how",
        "prompts",
        "similarity",
        "±",
        "copies",
        "± copies",
        "alignment",
        "± alignment",
    ),
    "detectors": (
        "detector",
        "auc",
        "auc_from",
        "auc_to",
        "tpr_at_1_percent_fpr",
        "tpr_from",
        "tpr_to",
        "memorised",
        "others",
    ),
    "attention": ("group", "tokens", "first_step", "middle_step", "last_step", "largest ±"),
}

app = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_enable=False)
app.command(epilog=audit.EPILOG)(audit.audit)


@app.callback(invoke_without_command=True, epilog=EPILOG)
def memorization(
    context: typer.Context,
    lake: Annotated[
        str | None, typer.Option(help="Folder of the lake: a path, s3://… or gs://…; required but for audit")
    ] = None,
    model: Annotated[
        str, typer.Option(help="A generator (see: une models), or stable-diffusion:FOLDER")
    ] = "mini-sd-dup",
    methods: Annotated[
        str,
        typer.Option(
            help="Comma-separated mitigations, ablations (ablation-a … h) and peers, each NAME or NAME:SETTING=VALUE:…"
        ),
    ] = (
        "pad-swap,pad-swap-keeping-eot,zero-pads,zero-pads:by=removal,ren,wen,random-tokens,random-numbers,delayed-guidance,opposite-guidance"
    ),
    seeds: Annotated[int, typer.Option(min=1, help="Pictures per prompt")] = 10,
    prompts_per_dose: Annotated[int, typer.Option(min=1, max=8, help="Titles of each dose")] = 8,
    doses: Annotated[
        str, typer.Option(help="How often the titles' pictures were trained on, comma-separated")
    ] = "1,10,50,250,1000",
    ordinary: Annotated[
        int, typer.Option(min=1, help="Captions never seen, and as many trained on once")
    ] = 20,
    steps: Annotated[int, typer.Option(min=2, help="DDIM steps")] = 50,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale")] = 7.5,
    copy_metric: CopyMetricOption = "tiles",
    address: AddressOption = None,
    actors: ActorsOption = None,
    gpus: GpusOption = None,
) -> None:
    """Make pictures of duplicated and ordinary prompts under every method, and measure copies. What was done is not done again.

    Plain pictures are always made: they say what is memorised. Where there is no lake, one of `duplicates:all` is made.
    """
    if context.invoked_subcommand:
        return
    if lake is None:
        context.fail("Missing option '--lake'.")
    from une_ray.run.cluster import Cluster
    from une_ray.studies.memorization import bench, prompts, study
    from une_ray.studies.memorization.parse import parse

    chosen = (
        prompts.duplicated(prompts_per_dose, prompts.doses(doses))
        + prompts.held_out(ordinary)
        + prompts.trained(ordinary)
    )
    asked = [(bench.PLAIN, {}), *(method for method in parse(methods) if method[0] != bench.PLAIN)]
    todo = bench.tasks(model, asked, chosen, seeds, steps, guidance, copy_metric=copy_metric)
    where = study.open_or_create(lake)
    _show(study.tables(where, study.run(where, todo, Cluster(address, actors, gpus))), copy_metric)


def _show(tables: dict, copy_metric: str) -> None:
    from une_ray.studies.memorization.copy_metric import calibration, find_metric

    for view, columns in COLUMNS.items():
        header, rows = tables[view]
        cells = [[_cell(row[header.index(column)]) for column in columns] for row in rows]
        if not rows:
            continue
        widths = [max(map(len, column)) for column in zip(columns, *cells)]
        print(f"\n{view.replace('_', ' ')}")
        for line in (columns, *cells):
            print(
                "  ".join(
                    f"{cell:{'>' if i else '<'}{width}}" for i, (cell, width) in enumerate(zip(line, widths))
                )
            )
    found = calibration(find_metric(copy_metric))
    print(
        "\nmemorised: most plain pictures of the title are copies. ±: half a 95 % interval over prompts; method changes are from the plain pictures of the\n"
        "same prompts. Titles say nothing of their pictures: only ordinary captions' alignment is about quality; distance to real is better when less. A\n"
        f"copy is similar by {found.threshold:.2f} or more, as are {found.false_positive_rate:.2%} of {found.pairs:,} pairs of different avatars, and all "
        f"but {found.false_negative_rate:.2%} of {found.changed:,} pairs of an avatar and its\nslightly changed self."
    )


def _cell(value) -> str:
    return "–" if value is None else str(value)


COMMAND = Command("memorization", app, jobs=("memorization",))
