"""`une corpus`: what can be read."""

from __future__ import annotations

from typing import Annotated

import typer

from une_ray.cli.command import Command

EPILOG = """Examples:

`une corpus`

`une corpus avatars:2000`

`une corpus 'folder:photos?table=labels.csv'`"""


def corpus(
    name: Annotated[
        str | None,
        typer.Argument(help="A corpus, as for une build; without one, all kinds with their options"),
    ] = None,
) -> None:
    """Show what a corpus holds: images, splits, attribute frequencies and their strongest correlations."""
    from une_ray.corpora.describe import describe
    from une_ray.corpora.help import corpus_help

    print(corpus_help() if name is None else describe(name))


COMMAND = Command("corpus", corpus, EPILOG)
