"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

LakeOption = Annotated[str, typer.Option("--lake", help="Folder of the lake: a path, s3://… or gs://…")]

AddressOption = Annotated[
    str | None,
    typer.Option(
        help="Ray cluster to join, as in auto or ray://head:10001; default: RAY_ADDRESS, or this machine"
    ),
]
ActorsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="At most so many actors of one model, or trials of a sweep, at once; default: as many as fit",
    ),
]
GpusOption = Annotated[
    int | None, typer.Option(min=1, help="GPUs that the cluster may grow to; default: those that it has now")
]

SpreadOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        help=(
            "Of a Ray whose nodes read the latents, as in auto or ray://head:10001; without it this process"
            " does"
        ),
    ),
]
TasksOption = Annotated[
    int | None,
    typer.Option(
        "--actors",
        min=1,
        help="With --address: at most so many tasks at once; default: as many as nodes have memory for",
    ),
]

CopyMetricOption = Annotated[
    str | None,
    typer.Option(
        help=(
            "`tiles`, the default, or `sscd:FILE` of SSCD's weights, which every worker must find there; to"
            ' make FILE of the published sscd_disc_mixup.torchvision.pt: python -c "import torch,'
            " safetensors.torch as s; s.save_file(torch.load('sscd_disc_mixup.torchvision.pt',"
            " weights_only=True), 'sscd.safetensors')\""
        )
    ),
]


def names(text: str | None) -> list[str] | None:
    """A comma-separated list; None where nothing was given."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
