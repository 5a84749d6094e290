"""`une similarity`: how alike are spaces?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption, names

EPILOG = """Examples:

`une similarity --lake demo/lake`

`une similarity --lake demo/lake --spaces mini-clip-a,mini-dino,pixels-16 --permutations 40`

`une sql --lake demo/lake -c "SELECT * FROM similarity('mini-clip-a', 'mini-dino')" -c "FROM map_pairs"`"""

SYMMETRIC = ("cka", "cca", "transfer", "mutual-neighbours", "rank-correlation")
MAPS = ("orthogonal", "ridge", "cca-map")


def similarity(
    lake: LakeOption,
    spaces: Annotated[str | None, typer.Option(help="Comma-separated spaces; default: all")] = None,
    draws: Annotated[int, typer.Option(min=1, help="Random sets of images of every size")] = 3,
    permutations: Annotated[int, typer.Option(min=9, help="Mixed-up pairings of each set: the null")] = 10,
    limit: Annotated[int, typer.Option(min=40, help="At most so many images of a pair")] = 4096,
) -> None:
    """Measure how alike spaces are, each measure less what mixed-up pairs reach, and which map relates
    them."""
    from une_ray.api import open

    result = open(lake).similarity(names(spaces), draws=draws, permutations=permutations, limit=limit)
    print("\n".join(lines(result.table.to_pylist())))


def lines(rows: list[dict[str, Any]]) -> list[str]:
    """A line per pair, at each measure's largest n: beyond their null, then the maps' R² both ways."""
    last: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["n"]):
        last.setdefault((row["source"], row["target"]), {})[row["measure"]] = row
    width = max(len(name) for pair in last for name in pair)
    head = f"{'':{width}} {'':{width}} {'images':>7}"
    text = [head + "".join(f"{name:>22}" for name in SYMMETRIC)]
    for (a, b), of_pair in last.items():
        if SYMMETRIC[0] in of_pair:
            cells = "".join(f"{_beyond(of_pair[name]):>22}" for name in SYMMETRIC)
            text.append(f"{a:{width}} {b:{width}} {of_pair[SYMMETRIC[0]]['n']:>7,}{cells}")
    text.append(
        "value less its null, and in the null's standard deviations; mean over draws of images;\nrank"
        " correlation of 512 images at the most"
    )
    text.append("")
    text.append(f"{'from':{width}} {'to':{width}} {'':>7}" + "".join(f"{name:>22}" for name in MAPS))
    for (a, b), of_pair in last.items():
        cells = "".join(
            f"{of_pair[name]['value']:>12.3f} ({of_pair[name]['null']:+.3f})" + " " for name in MAPS
        )
        text.append(f"{a:{width}} {b:{width}} {'':>7}{cells}")
    text.append(
        "R² of maps fitted on half of the images and measured on the other half, and of the same maps fitted"
        " on mixed-up\npairs; orthogonal: a rotation and one scale; cca-map: through 32 canonical directions."
        " The view map_pairs says which\none relates a pair."
    )
    return text


def _beyond(row: dict[str, Any]) -> str:
    deviations = row["deviations"]
    return f"{row['excess']:+.3f} ({'–' if deviations is None else f'{deviations:.0f} σ'})"


COMMAND = Command("similarity", similarity, EPILOG)
