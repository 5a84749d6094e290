"""`une sql`: the lake asked in SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption

EPILOG = """Examples:

`une sql --lake demo/lake -c "SELECT * FROM counts"`

`une sql --lake demo/lake -c "SELECT * FROM nearest('mini-dino', 'avatar-0-00000007', 5)"`

`une sql --lake demo/lake -f queries/norms.sql`

`une sql --lake demo/lake -c "SET VARIABLE spaces = ['mini-dino']" -f queries/fit_probes.sql`"""


def sql(
    lake: LakeOption,
    command: Annotated[
        str | None,
        typer.Option(
            "-c", help="SQL to run, such as SET VARIABLE for a file; several statements are separated by ;"
        ),
    ] = None,
    file: Annotated[Path | None, typer.Option("-f", help="File of SQL to run, after that of -c")] = None,
) -> None:
    """Ask the lake in SQL: one command, a file, or a prompt. The views are those of queries/noisezoo.sql."""
    from une_ray.lake.layout import Lake
    from une_ray.lake.session import connect
    from une_ray.lake.shell import interact, read, run

    connection = connect(Lake(lake))
    texts = [text for text in (command, read(file) if file is not None else None) if text is not None]
    for text in texts:
        run(connection, text)
    if not texts:
        interact(connection, lake)


COMMAND = Command("sql", sql, EPILOG)
