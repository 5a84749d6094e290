"""`une transfer`: what of one space can be read in another."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption, SpreadOption, TasksOption, names

EPILOG = """Examples:

`une transfer --lake demo/lake`

`une transfer --lake demo/lake --source mini-sd-a/ddim50 --target mini-clip-a,mini-dino`

`une transfer --lake s3://zoo/celeba --source sd15/ddim50 --target clip-l14 --address auto`

`une sql --lake demo/lake -c "SELECT * FROM transfers WHERE attribute = 'Eyeglasses'"`"""


def transfer(
    lake: LakeOption,
    source: Annotated[
        str | None, typer.Option(help="Comma-separated spaces to map from; default: all of the lake")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Comma-separated spaces to map to, with probes (see: une probe); default: all"),
    ] = None,
    split_seed: Annotated[int, typer.Option(min=0, max=4, help="Test fold: 0 is the corpus' own split")] = 0,
    address: SpreadOption = None,
    actors: TasksOption = None,
) -> None:
    """Map spaces onto one another by ridge regression, and read the mapped images with the target's own
    probes."""
    from une_ray.corpora.files import absolute
    from une_ray.lake.layout import Lake
    from une_ray.run.cluster import readers_of
    from une_ray.studies.transfer.study import transfer as run

    opened, cluster = Lake(absolute(lake) if address else lake), readers_of(address, actors)
    result = run(opened, names(source), names(target), split_seed, cluster)
    print("\n".join(table(result.table.to_pylist())))


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A line per source and target: the ridge map's figures, and beside them what the mean and a shuffled
    pairing reach."""
    pairs: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        pairs.setdefault((row["source"], row["target"]), {})[row["map"]] = row
    width = max(len(name) for pair in pairs for name in pair)
    lines = [
        (
            f"{'':{2 * width + 1}} |        ridge map       | centred of | accuracy % of the target's probes"
            " | drop, pp, of"
        ),
        (
            f"{'source':{width}} {'target':{width}} | cosine centred      R² |  shuffled  |   native   "
            " mapped         drop   |   mean shuffled"
        ),
    ]
    for (source, target), maps in pairs.items():
        ridge, mean, shuffled = (maps[name] for name in ("ridge", "mean", "shuffled"))
        lines.append(
            f"{source:{width}} {target:{width}} | {_figure(ridge['cosine'], 3):>6}"
            f" {_figure(ridge['centred_cosine'], 3):>7} {_figure(ridge['r2'], 3):>7} |"
            f" {_figure(shuffled['centred_cosine'], 3):>9}  | {_share(ridge['accuracy_native']):>8}"
            f" {_share(ridge['accuracy']):>9} {_drop(ridge):>12}   | {_drop(mean):>6} {_drop(shuffled):>8}"
        )
    note = (
        f"\n{rows[0]['train']:,} train and {rows[0]['test']:,} test images. mean: every image is the target's"
        " train mean; shuffled: ridge fitted on\nmixed-up pairs. centred: cosine without that mean, which is"
        " what of the cosine is about the image."
    )
    return [*lines, note]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _drop(row: dict[str, Any]) -> str:
    return (
        "–" if row["accuracy_native"] is None else f"{100 * (row['accuracy_native'] - row['accuracy']):.2f}"
    )


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


COMMAND = Command("transfer", transfer, EPILOG, jobs=("transfer",))
