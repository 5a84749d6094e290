"""`une edit`: move images along an attribute's probe direction, decode them, and have other spaces judge
what changed."""

from __future__ import annotations

import numpy as np

from une_ray.cli.command import Command
from une_ray.cli.options import ActorsOption, AddressOption, GpusOption, LakeOption, names
from une_ray.errors import UneError
from une_ray.studies.edits import options, printed

EPILOG = """Examples:

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Eyeglasses --keep Gray_Hair,Male \
--alphas -3:3:7 --images 64`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --alphas -2,2 --inner \
covariance --baselines ""`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Eyeglasses,Smiling,Long_Hair --keep \
correlated --images 16`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --keep Male --penalty 0.1 \
--erasure leace --shrinkage 0.2`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --direction "SELECT * FROM \
orthogonalized('mini-sd-a/ddim50', 'Smiling', ['Male'])"`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --shared shared-1 --baselines \
random --judges mini-resnet`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling+Eyeglasses --alphas -2,2`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Wearing_Hat --alphas=-2,2,4 \
--baselines prompt,hspace,hspace-random`

`une edit --lake demo/lake --space mini-sd-a/ddim50 --attribute Smiling --image avatar-0-00000003 \
--image avatar-0-00000017`

`une sql --lake demo/lake -f queries/edits.sql`"""


def edit(
    lake: LakeOption,
    space: options.SpaceOption,
    attribute: options.AttributeOption,
    keep: options.KeepOption = None,
    alphas: options.AlphasOption = "-3:3:7",
    images: options.ImagesOption = 64,
    image: options.ImageOption = None,
    method: options.MethodOption = "ridge",
    inner: options.InnerOption = "plain",
    baselines: options.BaselinesOption = "random,mean-difference,permuted,prompt",
    fit: options.FitOption = False,
    penalty: options.PenaltyOption = None,
    rank: options.RankOption = None,
    shrinkage: options.ShrinkageOption = 0.0,
    erasure: options.ErasureOption = "projection",
    rounds: options.RoundsOption = 4,
    path: options.PathOption = "straight",
    direction: options.DirectionOption = None,
    shared: options.SharedOption = None,
    judges: options.JudgesOption = None,
    address: AddressOption = None,
    actors: ActorsOption = None,
    gpus: GpusOption = None,
) -> None:
    """Edit test images along a probe's direction, with and without orthogonalisation, and measure it in
    spaces that the edit did not use."""
    from une_ray.corpora.files import absolute
    from une_ray.lake.layout import Lake
    from une_ray.run.cluster import Cluster
    from une_ray.studies.edits.study import each, edit_of

    opened = Lake(absolute(lake))
    edits = [
        edit_of(
            opened,
            space,
            name,
            names(keep),
            doses(alphas),
            method=method,
            inner_product=inner,
            baselines=tuple(names(baselines) or ()),
            fit=fit,
            penalty=penalty,
            rank=rank,
            shrinkage=shrinkage,
            erasure=erasure,
            rounds=rounds,
            path=path,
            query=direction,
            shared=shared,
        )
        for name in names(attribute) or ()
    ]
    cluster = Cluster(address, actors, gpus)
    for done in each(opened, edits, images=images, judges=names(judges), image_ids=image, cluster=cluster):
        print("\n".join(["", *(printed.image_lines(done) if image else printed.lines(done))]))
    if not image:
        print(printed.NOTE)


def doses(text: str) -> tuple[float, ...]:
    """`-3:3:7` → −3, −2, …, 3; `-2,2` → −2, 2. Raises UneError for anything else."""
    try:
        if ":" in text:
            first, last, count = text.split(":")
            return tuple(np.linspace(float(first), float(last), int(count)).tolist())
        return tuple(float(value) for value in text.split(","))
    except ValueError:
        raise UneError(
            f"--alphas {text!r}; it is FROM:TO:COUNT, as in -3:3:7, or a list, as in -2,-1,1,2"
        ) from None


COMMAND = Command("edit", edit, EPILOG, jobs=("edit",))
