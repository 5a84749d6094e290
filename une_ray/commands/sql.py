"""`une sql`: the lake asked in SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from une_ray.commands.options import LakeOption
from une_ray.errors import UneError

EPILOG = """Examples:

`une sql --lake demo/lake -c "SELECT * FROM counts"`

`une sql --lake demo/lake -c "SELECT * FROM nearest('mini-dino', 'avatar-0-00000007', 5)"`

`une sql --lake demo/lake -f queries/norms.sql`"""


def sql(
    lake: LakeOption,
    command: Annotated[str | None, typer.Option("-c", help="SQL to run; several statements are separated by ;")] = None,
    file: Annotated[Path | None, typer.Option("-f", help="File of SQL to run")] = None,
) -> None:
    """Ask the lake in SQL: one command, a file, or a prompt. The views are those of queries/noisezoo.sql."""
    from une_ray.lake.layout import Lake
    from une_ray.lake.session import connect
    from une_ray.lake.shell import interact, run

    connection = connect(Lake(lake))
    if file is not None and not file.exists():
        raise UneError(f"no file {file}")
    text = command if command is not None else file.read_text() if file is not None else None
    interact(connection, lake) if text is None else run(connection, text)
