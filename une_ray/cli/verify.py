"""`une verify`: every promise of a lake, checked."""

from __future__ import annotations

from typing import Annotated

import typer

from une_ray.cli.command import Command

EPILOG = """Example: `une verify demo/lake`"""


def verify(lake: Annotated[str, typer.Argument(help="Folder of the lake")]) -> None:
    """Check every promise of a lake: each id once per space, counts, hashes, finite values. Exit code 1
    names the first broken one."""
    from une_ray.lake.layout import Lake
    from une_ray.lake.verify import verify as check

    for line in check(Lake(lake)):
        print(line)


COMMAND = Command("verify", verify, EPILOG)
