"""`une transfer`: what of one space can be read in another."""

from __future__ import annotations

from typing import Annotated

import typer

from une_ray.commands.options import LakeOption, names

EPILOG = """Examples:

`une transfer --lake demo/lake`

`une transfer --lake demo/lake --source mini-sd-a/ddim50 --target mini-clip-a,mini-dino`

`une sql --lake demo/lake -c "SELECT * FROM transfers WHERE attribute = 'Glasses'"`"""


def transfer(
    lake: LakeOption,
    source: Annotated[str | None, typer.Option(help="Comma-separated spaces to map from; default: all of the lake")] = None,
    target: Annotated[str | None, typer.Option(help="Comma-separated spaces to map to, with probes (see: une probe); default: all")] = None,
    split_seed: Annotated[int, typer.Option(min=0, max=4, help="Test fold: 0 is the corpus' own split")] = 0,
) -> None:
    """Map spaces onto one another by ridge regression, and read the mapped images with the target's own probes."""
    from une_ray.lake.layout import Lake
    from une_ray.studies.transfer import transfer as run

    rows = run(Lake(lake), names(source), names(target), split_seed)
    width = max(len(row[side]) for row in rows for side in ("source", "target"))
    header = f"{'source':{width}}  {'target':{width}}  {'map':8} {'cosine':>7} {'centred':>8} {'R²':>7} {'native %':>9} {'mapped %':>9} {'drop, pp':>9}"
    for i, row in enumerate(rows):
        if i == 0 or row["source"] != rows[i - 1]["source"]:
            print(("\n" if i else "") + header)
        print(_line(row, width))
    print(
        f"\n{rows[0]['train']:,} train and {rows[0]['test']:,} test images. mean: every image is the target's train mean; shuffled: ridge "
        "fitted on\nmixed-up pairs. centred: cosine without that mean, which is what of the cosine is about the image."
    )


def _line(row: dict, width: int) -> str:
    native, mapped = row["accuracy_native"], row["accuracy"]
    shares = [None, None, None] if native is None else [100 * native, 100 * mapped, 100 * (native - mapped)]
    cells = [f"{_figure(row['cosine'], 3):>7}", f"{_figure(row['centred_cosine'], 3):>8}", f"{_figure(row['r2'], 3):>7}"]
    cells += [f"{_figure(share, 2):>9}" for share in shares]
    return f"{row['source']:{width}}  {row['target']:{width}}  {row['map']:8} {' '.join(cells)}"


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
