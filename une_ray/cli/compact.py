"""`une compact`: the files of many shards become a few large ones."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption

EPILOG = """Examples:

`une compact demo/lake`

`une compact s3://zoo/celeba --size 1024 --grace 600`

`une compact s3://zoo/celeba --address auto`"""


def compact(
    lake: LakeOption,
    size: Annotated[int, typer.Option(min=1, metavar="MB", help="Of a file, about")] = 256,
    grace: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long queries that began before find their files"),
    ] = 60,
    address: Annotated[
        str | None,
        typer.Option(help="Of a Ray whose nodes read and write the files; if not given, this process does"),
    ] = None,
) -> None:
    """Merge the files of a lake's shards into large ones: queries open hundreds of files then, not millions.

    Answers stay the same. May be killed at any moment and run again, while others read or build; a second one
    waits for the first. During the grace the stock DuckDB shell and other readers of the folder meet a file
    that says so, instead of rows twice; une sql and all that une does read on.
    """
    from une_ray.corpora.files import absolute
    from une_ray.lake.compact import compact as merge
    from une_ray.lake.compact import here
    from une_ray.lake.layout import Lake
    from une_ray.run.cluster import Cluster
    from une_ray.run.merging import on_cluster

    spread = on_cluster(Cluster(address)) if address else here
    for done in merge(Lake(absolute(lake)), size << 20, grace, partial(print, file=sys.stderr), spread):
        print(f"{done.folder}: {done.before:,} files, now {done.after:,}", flush=True)


COMMAND = Command("compact", compact, EPILOG)
