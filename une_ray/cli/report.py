"""`une report`: the lake as one page of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from une_ray.cli.command import Command

EPILOG = """Example: `une report demo/lake --out report.html`"""


def report(
    lake: Annotated[str, typer.Argument(help="Folder of the lake")],
    out: Annotated[
        Path | None,
        typer.Option(help="HTML file to write; default: report.html in the lake, or here for a remote one"),
    ] = None,
) -> None:
    """Draw one self-contained HTML page of what the lake holds, and print its path."""
    from une_ray.lake.layout import Lake
    from une_ray.report.page import write

    print(write(Lake(lake), out))


COMMAND = Command("report", report, EPILOG)
