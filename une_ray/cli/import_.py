"""`une import`: vectors that people have already, as a space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from une_ray.cli.command import Command
from une_ray.cli.options import LakeOption

EPILOG = """Examples:

`une import photos-lake --space mine --from vectors.npy --ids names.txt --model "our ViT-B, epoch 90"`

`une import photos-lake --space mine --from vectors.parquet --column emb --id-column path --model our-vit`

`une import photos-lake --space clip --from embeddings --model "CLIP ViT-L/14 by clip-retrieval"`

An id is an image's own in the lake, or a path that ends in it; where none is, its name without folders and
suffix, as img2dataset's keys are. What found no partner is counted."""

FROM_HELP = (
    "An .npy or .safetensors of (n, d) with --ids; Parquet, a file or a folder, with a column of lists; a"
    " folder of datasets; or one as clip-retrieval leaves it (img_emb/ and metadata/)"
)


def import_(
    lake: LakeOption,
    space: Annotated[str, typer.Option(help="Name of the space that they become")],
    source: Annotated[Path, typer.Option("--from", metavar="FILE", help=FROM_HELP)],
    model: Annotated[str, typer.Option(help="What made them, in words; it stands in the fingerprint")],
    ids: Annotated[
        Path | None, typer.Option(help="Ids of an array: a text file of a line each, .npy or Parquet")
    ] = None,
    column: Annotated[str | None, typer.Option(help="The column of vectors; default: embedding, …")] = None,
    id_column: Annotated[str | None, typer.Option(help="The column of ids; default: image_id, …")] = None,
) -> None:
    """Make vectors that you have already a space of a lake: probed, mapped and compared like any other."""
    from une_ray.api import open

    print(open(lake).import_space(space, source, model, ids=ids, column=column, id_column=id_column))


COMMAND = Command("import", import_, EPILOG)
