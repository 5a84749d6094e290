"""`une show`: pictures by a query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption
from une_ray.errors import UneError, reason

EPILOG = """Examples:

`une show demo/lake -c "FROM nearest('mini-dino', 'avatar-0-00000007', 16)"`

`une show demo/lake -c "FROM probe_scores('mini-dino') WHERE attribute = 'Bald' AND NOT value ORDER BY score DESC LIMIT 24"`
"""  # noqa: E501 - a command that is typed in one line


def show(
    lake: LakeOption,
    command: Annotated[
        str,
        typer.Option(
            "-c", help="SQL that gives rows with an image_id; its other columns stand below the pictures"
        ),
    ],
    columns: Annotated[int, typer.Option(min=1, help="Pictures side by side")] = 8,
    out: Annotated[Path, typer.Option(help="File to write, PNG, JPEG or WebP by its name")] = Path(
        "sheet.png"
    ),
) -> None:
    """Draw the pictures of a query on one sheet, and print the file's path."""
    from PIL import Image

    from une_ray.api import open

    if Image.registered_extensions().get(out.suffix.lower()) not in Image.SAVE:
        raise UneError(f"--out {out}: no picture's ending; name a file that ends in .png, .jpg or .webp")
    sheet = open(lake).contact_sheet(command, columns)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out)
    except OSError as error:
        raise UneError(f"--out {out} can't be written: {reason(error)}") from error
    print(out.resolve())


COMMAND = Command("show", show, EPILOG)
