"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

LakeOption = Annotated[str, typer.Option("--lake", help="Folder of the lake: a path, s3://… or gs://…")]
LakeArgument = Annotated[str, typer.Argument(help="Folder of the lake: a path, s3://… or gs://…")]


def names(text: str | None) -> list[str] | None:
    """A comma-separated list; None where nothing was given."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
