"""`une prompts`: prompts and captions as directions."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from une_ray.cli.command import Command, group
from une_ray.cli.options import LakeOption, names

EPILOG = """Examples:

`une build --corpus prompts:concepts.csv --spaces mini-sd-a/hspace,mini-clip-a/text --lake prompts-lake`

`une prompts bias --lake prompts-lake --neutral 'a person' --poles 'a man|a woman' --truth avatars`

`une prompts explain --lake demo/lake --space mini-dino \\
--direction "FROM direction('mini-dino', 'Smiling')"`"""

app = group("What a generator takes for granted: prompts as directions; captions that explain any direction.")


@app.command(epilog=EPILOG)
def bias(
    lake: LakeOption,
    neutral: Annotated[str, typer.Option(help="The prompt that all are directions from")] = "a person",
    poles: Annotated[str, typer.Option(help="Two prompts, with a bar between them")] = "a man|a woman",
    spaces: Annotated[
        str | None, typer.Option(help="Comma-separated; default: every space of prompts in the lake")
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(
            help="avatars, what the mini zoo was trained on; or a CSV with columns prompt, frequency"
        ),
    ] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap over seeds")] = 1000,
) -> None:
    """Rank every prompt between two poles, with intervals over seeds, and hold the order against a truth."""
    from une_ray.lake.layout import Lake
    from une_ray.studies.prompts.bias import bias as run

    found = run(Lake(lake), neutral, poles.split("|"), names(spaces), truth, resamples)
    print("\n".join(bias_lines(found.table.to_pylist(), found.agreements.to_pylist())))


@app.command(epilog=EPILOG)
def explain(
    lake: LakeOption,
    space: Annotated[str, typer.Option(help="The direction's space, whose items' captions explain it")],
    direction: Annotated[str, typer.Option(help="SQL that gives one row with a list w")],
    phrases: Annotated[int, typer.Option(min=1, help="How many are shown of each end")] = 6,
    split: Annotated[
        str,
        typer.Option(help="Whose captions: test, train, val or all; a probe is explained by test items only"),
    ] = "test",
) -> None:
    """Say what a direction of the lake points to, in phrases of the captions of its own space's items."""
    from une_ray.lake.layout import Lake
    from une_ray.studies.prompts.explain import explain as run

    found = run(Lake(lake), space, direction, split=split)
    print("\n".join(explain_lines(found.table.to_pylist(), phrases, found.is_explained)))


def bias_lines(rows: list[dict[str, Any]], agreements: list[dict[str, Any]]) -> list[str]:
    """A block per space, prompts from the second pole to the first; below, how they agree with the truth."""
    lines: list[str] = []
    for space in dict.fromkeys(row["space"] for row in rows):
        mine = sorted((row for row in rows if row["space"] == space), key=lambda row: row["bias"])
        width = max(len(row["prompt"]) for row in mine)
        lines += [f"{space}: {mine[0]['pole_second']} ← → {mine[0]['pole_first']}"]
        for row in mine:
            interval = "" if row["low"] is None else f" [{row['low']:+.2f}, {row['high']:+.2f}]"
            truth = "" if row["truth"] is None else f"  truth {row['truth']:.2f}"
            lines.append(f"  {row['prompt']:{width}} {row['bias']:+.2f}{interval}{truth}")
        if mine[0]["low"] is None:
            lines.append("  one seed, so no interval")
        lines.append("")
    for row in agreements:
        halves = "–" if row["halves"] is None else f"{row['halves']:.2f}"
        lines.append(
            f"{row['space']}: ρ with the truth {row['rho']:.2f} [{row['low']:.2f}, {row['high']:.2f}] over"
            f" {row['prompts']} prompts; shuffled prompts p = {row['p']:.3f}, random poles"
            f" {row['random_poles']:.2f}, even against odd of {row['seeds']} seeds {halves}"
        )
    return lines


def explain_lines(rows: list[dict[str, Any]], phrases: int, is_explained: bool) -> list[str]:
    """Both ends of the direction, and what chance reaches."""
    if not rows:
        return ["the captions have no phrase that some have and some have not"]
    first = rows[0]
    verdict = "explained" if is_explained else "explains nothing: a random direction's phrases are as strong"
    return [
        f"{first['space']}, {first['direction']}: {verdict}",
        *(f"  {row['correlation']:+.2f}  {row['phrase']}" for row in rows[:phrases]),
        "  …",
        *(f"  {row['correlation']:+.2f}  {row['phrase']}" for row in rows[-phrases:]),
        f"by the captions of {first['images']:,} items of that space; shuffled captions reach"
        f" {first['shuffled']:.2f}, random directions {first['random']:.2f} (p = {first['random_p']:.3f})",
    ]


COMMAND = Command("prompts", app)
