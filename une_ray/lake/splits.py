"""Which side of a split an image stands on: its corpus' word, or a hash of what must not be torn apart.

Equal pictures on both sides would let a probe recite what it was fitted on, so the hash is of the picture's
bytes, unless the corpus names a group: a person, or the picture's perceptual hash. Lakes of earlier une_rays
go by image ids, and keep the split that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from une_ray.corpora.base import PHASH, split_of
from une_ray.errors import UneError

if TYPE_CHECKING:
    from une_ray.lake.layout import Lake

BY_CONTENT = "sha256"  # what the manifest of a lake says that is split so


def placed(
    planned: Mapping[str, Any], sha256: str | None, perceptual: Callable[[], str]
) -> dict[str, str | None]:
    """`split` and `split_group` of an image by its row of the plan, its bytes' hash (None where it can't be
    read), and `perceptual`, which is asked where the plan's group is PHASH."""
    if "split_group" not in planned:
        return {"split": planned["split"], "split_group": None}
    group = planned["split_group"] or (sha256 and f"sha256/{sha256}")
    if group == PHASH:
        group = sha256 and f"phash/{perceptual()}"
    return {"split": planned["split"] or split_of(group or planned["image_id"]), "split_group": group}


def by_id(planned: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the plan as an earlier une_ray would have made it, for a lake of its that grows."""
    split = planned["split"] or split_of(planned["split_group"] or planned["image_id"])
    return {key: value for key, value in planned.items() if key != "split_group"} | {"split": split}


def refuse_one_sided(lake: Lake, split_seed: int = 0) -> None:
    """Raise UneError where all of the lake's images stand on one side of its corpus' own split, asked by who
    found nothing on the other."""
    if split_seed:
        return
    splits = sorted(split for (split,) in lake.rows("SELECT DISTINCT split FROM images"))
    if splits and ("test" not in splits or splits == ["test"]):
        sides, lacking = " and ".join(splits), "fitted" if splits == ["test"] else "tested"
        raise UneError(
            f"the corpus of {lake.url} states all images to be {sides}, and none is left to be {lacking} on:"
            " give --split-seed 1 to 4 where there is one, or build a lake whose table has another split, or"
            " none (?skip=split)"
        )
