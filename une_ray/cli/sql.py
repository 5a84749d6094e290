"""`une sql`: the lake asked in SQL."""

from __future__ import annotations

import contextlib
from functools import partial
from string import ascii_lowercase
from typing import Annotated

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption
from une_ray.corpora.files import refuse_nameless

EPILOG = """Examples:

`une sql demo/lake -c "SELECT * FROM counts"`

`une sql demo/lake -c "SELECT * FROM nearest('mini-dino', 'avatar-0-00000007', 5)"`

`une sql demo/lake -f norms`

`une sql demo/lake -c "SET VARIABLE spaces = ['mini-dino']" -f fit_probes`

`une sql demo/lake -c "SET VARIABLE penalty = 1" -c ".read fit_probes" -c "FROM fitted LIMIT 3"`

`une sql demo/lake --and other/lake -c "SELECT * FROM counts JOIN b.counts USING (space, status)"`"""

COMMAND_HELP = (
    "SQL to run, statements separated by ; or a command of the prompt, such as .tables; several run in order"
)
FILE_HELP = (
    "File of SQL to run, or a packaged query by its name, such as norms; several run in order, after -c: "
    "to run one between them write -c '.read FILE'"
)
AND_HELP = "Another lake in the same session, as b.counts or b.nearest(…); further ones are c, d, …"


def sql(
    lake: LakeOption,
    beside: Annotated[list[str] | None, typer.Option("--and", metavar="LAKE", help=AND_HELP)] = None,
    command: Annotated[list[str] | None, typer.Option("-c", metavar="SQL", help=COMMAND_HELP)] = None,
    file: Annotated[list[str] | None, typer.Option("-f", metavar="FILE", help=FILE_HELP)] = None,
) -> None:
    """Ask the lake in SQL: commands, files, or a prompt. The views are those of queries/noisezoo.sql."""
    from une_ray.lake.layout import Lake
    from une_ray.lake.session import choose_files_of, connect_many
    from une_ray.lake.shell import Leave, interact, read, run

    urls = [lake, *(beside or [])]
    for url in urls:
        refuse_nameless(url, "a lake")
    lakes = {name: Lake(url) for name, url in zip(ascii_lowercase, urls)}
    connection = connect_many(lakes)
    before = partial(choose_files_of, connection, lakes)
    texts = [*(command or []), *map(read, file or [])]
    with contextlib.suppress(Leave):
        for text in texts:
            run(connection, text, before)
    if not texts:
        interact(connection, lake, before)


COMMAND = Command("sql", sql, EPILOG)
