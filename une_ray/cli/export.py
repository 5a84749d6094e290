"""`une export`: a space as a file that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption

EPILOG = """Examples:

`une export demo/lake --space mini-dino --to dino.npy`

`une export demo/lake --space mini-dino --to dino.parquet`

`une export demo/lake --space mini-dino --to dino-dataset`"""

TO_HELP = (
    ".npy or .safetensors (vectors, and ids in a text file beside them); .parquet, .lance (with pylance) or a"
    " folder of datasets (labels as well)"
)


def export(
    lake: LakeOption,
    space: Annotated[str, typer.Option(help="A space of the lake")],
    to: Annotated[Path, typer.Option(metavar="FILE", help=TO_HELP)],
) -> None:
    """Write a space's latents to a file that other tools read."""
    from une_ray.api import open

    print(f"{open(lake).space(space).export(to):,} latents of {space} in {to}")


COMMAND = Command("export", export, EPILOG)
