"""`une corpus`: what can be read."""

from __future__ import annotations

from typing import Annotated

import typer

from une_ray.cli.command import Command

EPILOG = """Example: `une corpus avatars:2000`"""


def corpus(name: Annotated[str, typer.Argument(help="A corpus, as for une build")]) -> None:
    """Show what a corpus holds: images, splits, attribute frequencies and their strongest correlations."""
    from une_ray.corpora.describe import describe

    print(describe(name))


COMMAND = Command("corpus", corpus, EPILOG)
