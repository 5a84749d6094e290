"""What a space kind is: one way to read a model, as one file of this package says it in `KIND`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from une_ray.spaces.space import Space

Role = Literal["model", "control"]
WATCHED = "watched"
Modality = Literal["pictures", "captions"]

Batch = TypeVar("Batch", contravariant=True)


class Step(Protocol[Batch]):
    """What a loaded space does with one batch: pictures (b, size, size, 3) uint8, or b captions. `shape` is
    that of one z before it was flattened, None for vectors."""

    shape: tuple[int, ...] | None

    def __call__(self, batch: Batch, image_ids: list[str], /) -> dict[str, Any]:
        """Columns of the space's table, `z` (b, dim) float32 among them. Of captions also `truncated` (b,)
        bool: those that were longer than the model reads. A mean over seeds also `seeds` (b, S, dim), which
        go into the lake's table `seeds`."""
        ...


@runtime_checkable
class LookingBack(Step[Any], Protocol):
    """A step that looks once more at a few images of a shard, all of them together: batches have one or two
    each, which a GPU is no faster with. Its batches' columns have `WATCHED`: an image's row, and what
    `look_back` wants of it."""

    def look_back(self, watched: Sequence[Any]) -> dict[str, np.ndarray]:
        """Columns of the watched images, in their order."""
        ...


@runtime_checkable
class Compiling(Step[Any], Protocol):
    """A step whose networks torch.compile may have, for batches of its model's size."""

    def compile(self, mode: str) -> None:
        """From now on compiled, in one of torch.compile's modes."""
        ...


@dataclass(frozen=True, kw_only=True)
class SpaceKind:
    """`MODEL/NAME`, or with a schedule `MODEL/NAMESTEPS[-SPACING]`; see `names.form`.

    `modality` is what of an item it reads, and `reads` the models that can do it. `method` is what
    fingerprints call it, and `facts(space)` whatever else of it decides numbers. `load` puts
    the model in memory: what takes seconds to import is imported there. A kind of `role` control explains
    others away.

    `gflops(space)` is what one item costs on average, and `dim(space)` the length of its latent, None where
    the model's row does not say; `une plan` and the sharing of a cluster reckon with them.
    """

    method: str
    load: Callable[[Space, str], Step[Any]]
    facts: Callable[[Space], dict[str, Any]] = lambda space: {}
    gflops: Callable[[Space], float | None] = lambda space: None
    dim: Callable[[Space], int | None] = lambda space: None
    role: Role = "model"
    reads: tuple[Literal["generator", "encoder", "text tower"], ...] = ("generator",)
    modality: Modality = "pictures"
    scheduled: bool = (
        False  # walks or ends on a schedule: its name has a number of steps, and may have a spacing
    )
    seeded: bool = False  # a mean over seeds: its name may have their number
    timed: bool = False  # of one timestep: its file is NAME_at, and it is written NAME@TIMESTEP
    has_places: bool = False  # a mean over places: its name may end in -flat, which keeps them all
    denoises: bool = False  # runs the U-Net
    compiles: bool = False  # its step has `compile`
    decodes: bool = False  # its generator makes pictures of its latents again
