"""`une status`: how far a lake is, from any machine that can read it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from une_ray.cli.command import Command

if TYPE_CHECKING:
    from une_ray.lake.status import Status, TableProgress

EPILOG = """Examples:

`une status demo/lake`

`watch une status s3://zoo/celeba`"""

BAR_WIDTH = 24


def status(lake: Annotated[str, typer.Argument(help="Folder of the lake: a path, s3://… or gs://…")]) -> None:
    """Say how far a lake is: shards, images, rejects, rate and remaining time of every space, and who is
    building.

    Reads the lake alone, so it works on any machine, while a build runs and after.
    """
    from une_ray.lake.layout import Lake
    from une_ray.lake.status import status as look

    print("\n".join([f"{lake}:", *lines(look(Lake(lake)), bars=sys.stdout.isatty())]))


def lines(found: Status, bars: bool) -> list[str]:
    """One line per table, aligned, and one that says who works; with a bar per table for a terminal."""
    width = max(len(table.name) for table in found.tables)
    return [
        f"{table.name:{width}}  {_bar(table) if bars else ''}{_table(table)}" for table in found.tables
    ] + [_who(found)]


def _bar(table: TableProgress) -> str:
    from tqdm.std import Bar

    return f"{Bar(table.shards / table.shards_total, default_len=BAR_WIDTH)}  "


def _table(table: TableProgress) -> str:
    text = (
        f"{table.shards:,}/{table.shards_total:,} shards, {table.images:,}/{table.images_total:,} images,"
        f" {table.rejects:,} rejects"
    )
    if table.shards == table.shards_total:
        return f"{text}, done"
    if table.rate is None or table.seconds_left is None:
        return text
    return f"{text}, {table.rate:.1f} images/s, {_duration(table.seconds_left)} left"


def _who(found: Status) -> str:
    if found.age is None:
        return "no shard was recorded yet"
    last = f"last shard recorded {_duration(found.age)} ago"
    if all(table.shards == table.shards_total for table in found.tables):
        return f"complete; {last}"
    places = ", ".join(f"{place} ({images:,} images)" for place, images in sorted(found.places.items()))
    return (
        f"{last}; at work in the last minutes: {places}" if places else f"{last}: nobody seems to be building"
    )


def _duration(seconds: float) -> str:
    """90 → 90 s, 600 → 10 min, 9000 → 2.5 h, 200000 → 2.3 days."""
    for unit, length in (("days", 86400), ("h", 3600)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


COMMAND = Command("status", status, EPILOG)
