"""`une verify`: every promise of a lake, checked."""

from __future__ import annotations

from typing import Annotated

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption

EPILOG = """Examples:

`une verify demo/lake`

`une verify demo/lake --recompute 4`"""

RECOMPUTE_HELP = "So many items of every space are read again from the corpus by its model, and compared"


def verify(
    lake: LakeOption,
    recompute: Annotated[int, typer.Option(min=0, metavar="N", help=RECOMPUTE_HELP)] = 0,
) -> None:
    """Check every promise of a lake: each id once per space, counts, hashes, finite values. Exit code 1
    names the first broken one."""
    from une_ray.lake.layout import Lake
    from une_ray.lake.verify import verify as check

    opened = Lake(lake)
    for line in check(opened):
        print(line)
    if recompute:
        from une_ray.run.recompute import recompute as again

        for line in again(opened, recompute):
            print(line, flush=True)


COMMAND = Command("verify", verify, EPILOG)
