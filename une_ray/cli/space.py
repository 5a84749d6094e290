"""`une space`: another name for a space, or its end, with all that hangs on it."""

from __future__ import annotations

from typing import Annotated

import typer

from une_ray.cli.command import LAKE_HELP, Command, group, lake_among
from une_ray.errors import UneError

EPILOG = """Examples:

`une space rename demo/lake mini-dino first-dino`

`une space remove --lake demo/lake pixels-16`"""

LakeOption = Annotated[str | None, typer.Option("--lake", help=LAKE_HELP)]

app = group(
    "Rename or remove a space with its latents, probes, transfers and edits; killed, the same command"
    " goes on."
)


@app.command(epilog=EPILOG)
def rename(
    words: Annotated[
        list[str], typer.Argument(metavar="[LAKE] NAME TO", help="A space of the lake, and its new name")
    ],
    lake: LakeOption = None,
) -> None:
    """Give a space another name, and with it all that was computed from it."""
    from une_ray.api import open

    lake, name, to = lake_among(words, lake, "NAME", "TO")
    open(lake).rename_space(name, to)
    print(f"{name} of {lake} is now {to}")


@app.command(epilog=EPILOG)
def remove(
    words: Annotated[list[str], typer.Argument(metavar="[LAKE] NAME", help="A space of the lake")],
    lake: LakeOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Remove a space and all that it had a part in: a judge takes the edits that it judged. Spaces that were
    made of it stay. There is no way back but building it again."""
    from une_ray.api import open
    from une_ray.lake.renaming import what_hangs_on

    lake, name = lake_among(words, lake, "NAME")
    opened = open(lake)
    opened.space(name)
    question = f"remove {name} from {lake}? {what_hangs_on(opened, name)}"
    if not yes and not _agreed(question):
        raise UneError(f"nothing was removed; without a question it is une space remove {lake} {name} --yes")
    opened.remove_space(name)
    print(f"{name} is gone from {lake}")


def _agreed(question: str) -> bool:
    """False too where there is nobody to ask."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        print()
        return False


COMMAND = Command("space", app)
