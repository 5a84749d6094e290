"""`une memorization`: who copies, and what stops it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from une_ray.cli.command import Command
from une_ray.cli.options import ActorsOption, AddressOption, CopyMetricOption, GpusOption
from une_ray.registry import MITIGATIONS
from une_ray.settings import Setting
from une_ray.studies.memorization import audit_command as audit
from une_ray.studies.memorization.defaults import COPY_METRIC, HARD_RATE, METHODS
from une_ray.studies.memorization.methods.method import WINDOW

if TYPE_CHECKING:
    import pyarrow as pa

    from une_ray.studies.memorization.study import MemorizationResult

EPILOG = """Examples:

`une memorization --lake memory \
--methods pad-swap,zero-pads:fraction=0.4:end=last,wen:iterations=20,ren --seeds 10`

`une memorization --lake memory --doses 250,1000 \
--methods ablation-a,ablation-c,ablation-c:padding=exclamation,ablation-h:by=removal`

`une memorization --lake memory-sscd --copy-metric sscd:sscd.safetensors`

`une memorization audit --lake audits --model mini-sd-dup --prompts prompts.txt`

`une sql --lake memory -f queries/memorization.sql`"""

SeedsOption = Annotated[
    int,
    typer.Option(
        min=1,
        help="Pictures per prompt; of two or more, even seeds say which titles are memorised, "
        "and the others are compared",
    ),
]

COLUMNS = {
    "dose_response": ("kind", "dose", "prompts", "copies", "copies_from", "copies_to", "similarity", "±"),
    "methods": (
        "group",
        "method",
        "settings",
        "prompts",
        "similarity",
        "±",
        "copies",
        "copies_from",
        "copies_to",
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
        "copies_from",
        "copies_to",
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
        "copies_from",
        "copies_to",
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


def settings_help() -> str:
    """Every method with its settings, what it is and what they mean, as Markdown; without torch."""
    methods = {name: MITIGATIONS.sketch(name) for name in MITIGATIONS.names()}
    windowless = ", ".join(name for name, method in methods.items() if not method.window)
    return "\n\n".join(
        [
            "Methods, with the defaults of their settings:",
            *(_method_help(name, method.own_settings) for name, method in methods.items()),
            f"All but {windowless} also: `{_defaults(WINDOW)}`.",
            _settings_help([method.settings for method in methods.values()]),
        ]
    )


def _method_help(name: str, settings: Mapping[str, Setting]) -> str:
    colon = ":" if settings else ""
    return f"- `{name}{colon}{_defaults(settings)}` {MITIGATIONS.about(name)}"


def _defaults(settings: Mapping[str, Setting]) -> str:
    """`fraction=0.7:end=first`."""
    return ":".join(map(str, settings.values()))


def _settings_help(settings: Sequence[Mapping[str, Setting]]) -> str:
    """What each setting means; where methods differ in it, each meaning."""
    texts = {_setting_help(setting): None for of_method in settings for setting in of_method.values()}
    return f"Settings: {'; '.join(texts)}."


def _setting_help(setting: Setting) -> str:
    choices = f" ({', '.join(setting.choices)})" if setting.choices else ""
    return f"`{setting.name}` {setting.about}{choices}"


class WithSettings(TyperGroup):
    """A group whose help ends with the settings of all methods, which are read when the help is asked for.
    A first word that is none of its commands is the lake."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["--lake", *args]
        return super().parse_args(ctx, args)

    @property
    def epilog(self) -> str:
        return f"{EPILOG}\n\n{settings_help()}"

    @epilog.setter
    def epilog(self, value: str | None) -> None:
        pass


app = typer.Typer(cls=WithSettings, rich_markup_mode="markdown", pretty_exceptions_enable=False)
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
            help="Comma-separated mitigations, ablations (ablation-a … h) and peers, "
            "each NAME or NAME:SETTING=VALUE:…"
        ),
    ] = METHODS,
    seeds: SeedsOption = 10,
    prompts_per_dose: Annotated[int, typer.Option(min=1, max=8, help="Titles of each dose")] = 8,
    doses: Annotated[
        str, typer.Option(help="How often the titles' pictures were trained on, comma-separated")
    ] = "1,10,50,250,1000",
    ordinary: Annotated[
        int, typer.Option(min=1, help="Captions never seen, and as many trained on once")
    ] = 20,
    steps: Annotated[int, typer.Option(min=2, help="DDIM steps")] = 50,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale")] = 7.5,
    copy_metric: CopyMetricOption = COPY_METRIC,
    address: AddressOption = None,
    actors: ActorsOption = None,
    gpus: GpusOption = None,
) -> None:
    """Make pictures of duplicated and ordinary prompts under every method, and measure copies. What was done
    is not done again.

    Plain pictures are always made: those of even seeds say what is memorised, others are compared. Where
    there is no lake, one of `duplicates:all` is made.
    """
    if context.invoked_subcommand:
        return
    if lake is None:
        context.fail("which lake? name it, or give it with --lake")
    from une_ray.corpora.files import absolute
    from une_ray.lake.layout import Lake
    from une_ray.run.cluster import Cluster
    from une_ray.studies.memorization import prompts, study

    result = study.memorization(
        Lake(absolute(lake)),
        model=model,
        methods=methods,
        seeds=seeds,
        prompts_per_dose=prompts_per_dose,
        doses=prompts.doses(doses),
        ordinary=ordinary,
        steps=steps,
        guidance=guidance,
        copy_metric=copy_metric or COPY_METRIC,
        cluster=Cluster(address, actors, gpus),
    )
    print("\n".join(lines(result)))


def lines(result: MemorizationResult) -> list[str]:
    """The tables that have rows, and what their columns mean."""
    tables = [
        line for view, columns in COLUMNS.items() for line in _table(view, columns, result.tables[view])
    ]
    of = result.calibration
    return [
        *tables,
        "",
        f"memorised: most plain pictures of the title are copies, {_choice(result.tables['methods'])}",
        "±: half a 95 % interval over prompts; method changes are from the plain pictures of the",
        "same prompts and seeds. Titles say nothing of their pictures: only ordinary captions' alignment is "
        "about quality; distance to real is better when less. A",
        f"copy is similar by {of.threshold:.2f} or more, as are {of.hard_rate:.1%} of {of.hard:,} avatars and"
        " others of the same features (the threshold is",
        f"chosen where {HARD_RATE:.0%} are) and {of.false_positive_rate:.2%} of {of.pairs:,} pairs of any"
        " two. Missed of avatars that were changed a little: "
        + ", ".join(f"{name} {rate:.0%}" for name, rate in of.missed.items()),
        "and copies_from to copies_to is a 95 % interval over titles.",
    ]


def _choice(methods: pa.Table) -> str:
    """Which pictures chose the memorised titles, and what that does to the tables."""
    if False in methods["chosen_apart"].to_pylist():
        return (
            "the very ones that are compared: they are copies too often by choice, "
            "and changes are too large; of two seeds or more they are chosen apart."
        )
    return "those of even seeds; all but doses are of odd seeds, which did not choose it."


def _table(view: str, columns: Sequence[str], rows: pa.Table) -> list[str]:
    """The view's name, a header and a line per row; nothing where there are none."""
    if not rows.num_rows:
        return []
    cells = [[_cell(row[column]) for column in columns] for row in rows.to_pylist()]
    widths = [max(map(len, column)) for column in zip(columns, *cells)]
    lines = [
        "  ".join(f"{cell:{'>' if i else '<'}{width}}" for i, (cell, width) in enumerate(zip(line, widths)))
        for line in (columns, *cells)
    ]
    return ["", view.replace("_", " "), *lines]


def _cell(value: object) -> str:
    return "–" if value is None else str(value)


COMMAND = Command("memorization", app, jobs=("memorization",))
