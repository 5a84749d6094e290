"""`une memorization`: who copies, what stops it, and which prompts are suspect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from une_ray.commands.options import LakeOption

EPILOG = """Examples:

`une memorization --lake memory --methods none,pad-swap,zero-pads,wen,ren --seeds 10`

`une memorization --lake memory --methods none,ablation-a,ablation-c,ablation-f,ablation-h`

`une memorization --lake memory --model sd15 --audit prompts.txt --detector wen-10`

`une sql --lake memory -f queries/memorization.sql`"""

COLUMNS = {
    "dose_response": ("kind", "dose", "prompts", "copies", "similarity"),
    "methods": (
        "group", "method", "prompts", "similarity", "±", "copies", "similarity_unmitigated", "alignment", "± alignment", "diversity", "seconds",
    ),
    "detectors": ("detector", "auc", "±", "tpr_at_1_percent_fpr", "memorised", "others"),
}  # fmt: skip


def memorization(
    lake: LakeOption,
    model: Annotated[str, typer.Option(help="A generator (see: une models), or stable-diffusion:FOLDER")] = "mini-sd-dup",
    methods: Annotated[str, typer.Option(help="Comma-separated mitigations, ablations (ablation-a … h) and peers")] = (
        "none,pad-swap,pad-swap-keeping-eot,zero-pads,ren,wen,random-tokens,random-numbers,delayed-guidance,opposite-guidance"
    ),
    seeds: Annotated[int, typer.Option(min=1, help="Pictures per prompt")] = 10,
    prompts_per_dose: Annotated[int, typer.Option(min=1, max=8, help="Titles of each dose")] = 8,
    doses: Annotated[str, typer.Option(help="How often the titles' pictures were trained on, comma-separated")] = "1,10,50,250,1000",
    ordinary: Annotated[int, typer.Option(min=1, help="Captions never seen, and as many trained on once")] = 20,
    steps: Annotated[int, typer.Option(min=2, help="DDIM steps")] = 50,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale")] = 7.5,
    audit: Annotated[
        Path | None, typer.Option(help="Rank the prompts of this file instead: a line each, or Parquet's column prompt")
    ] = None,
    detector: Annotated[str, typer.Option(help="wen-1, wen-10, wen-all, ren-d, ren-e, bright-ending or sail, to rank by")] = "wen-10",
    address: Annotated[str | None, typer.Option(help="Ray cluster to run on; default: this machine")] = None,
    actors: Annotated[int | None, typer.Option(min=1, help="At most so many models in memory; default: as many as fit")] = None,
) -> None:
    """Make pictures of duplicated and ordinary prompts under every method, and measure copies. What was done is not done again.

    Where there is no lake, one of `duplicates:all` is made. With --audit, prompts are ranked by a detector beside ordinary ones.
    """
    from une_ray.memorization import bench, prompts
    from une_ray.memorization.parse import parse
    from une_ray.studies import memorization as study

    if audit is None:
        chosen = prompts.duplicated(prompts_per_dose, prompts.doses(doses)) + prompts.held_out(ordinary) + prompts.trained(ordinary)
        asked = [
            (bench.PLAIN, {}),
            *(method for method in parse(methods) if method[0] != bench.PLAIN),
        ]  # what is memorised shows in plain pictures alone
    else:
        chosen, asked = study.audit_prompts(prompts.given(audit), prompts.held_out(ordinary)), [(bench.PLAIN, {})]
    todo = bench.tasks(model, asked, chosen, seeds, steps, guidance)
    where = study.open_or_create(lake)
    configs = study.run(where, todo, address, actors)
    if audit is None:
        _show(study.tables(where, configs))
    else:
        _rank(study.suspects(where, configs, detector), detector, ordinary)


def _show(tables: dict) -> None:
    from une_ray.memorization.copy_metric import calibration

    for view, columns in COLUMNS.items():
        header, rows = tables[view]
        cells = [[_cell(row[header.index(column)]) for column in columns] for row in rows]
        widths = [max(map(len, column)) for column in zip(columns, *cells)]
        print(f"\n{view.replace('_', '–')}")
        for line in (columns, *cells):
            print("  ".join(f"{cell:{'>' if i else '<'}{width}}" for i, (cell, width) in enumerate(zip(line, widths))))
    found = calibration()
    print(
        "\nmemorised: most plain pictures of the title are copies. ±: half a 95 % interval over prompts. Titles say nothing of their pictures:\n"
        f"only ordinary captions' alignment is about quality. A copy is similar by {found.threshold:.2f} or more, as are "
        f"{found.false_positive_rate:.2%} of {found.pairs:,} pairs of\ndifferent avatars, and all but {found.false_negative_rate:.2%} of "
        f"{found.changed:,} pairs of an avatar and its slightly changed self."
    )


def _cell(value) -> str:
    return "–" if value is None else str(value)


def _rank(suspects: list, detector: str, ordinary: int) -> None:
    print(f"{detector:>10} {'p':>6}  prompt")
    for suspect in suspects:
        print(f"{suspect.score:10.4g} {suspect.p_value:6.3f}  {suspect.prompt}")
    print(
        f"\np: how often an ordinary prompt scores as high, by {ordinary} captions that no model has seen; "
        f"taking every prompt with p ≤ {1 / (ordinary + 1):.3f}\nfor memorised has that false-positive rate at ordinary prompts."
    )
