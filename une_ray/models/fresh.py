"""Weights drawn anew (`random-ID`): an architecture before any training, to see what training added."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

from une_ray.models.spec import ModelSpec
from une_ray.registry import MODEL_KINDS

if TYPE_CHECKING:
    import torch

Network = TypeVar("Network", bound="torch.nn.Module")


def fresh(spec: ModelSpec, build: Callable[[], Network]) -> Network:
    """`build()` under the spec's seed, in its dtype. Drawn in float32 on the CPU, so that every worker has
    the same weights whatever its device; the process' own random state stays as it was.

    Raises ValueError for a spec whose weights are read, not drawn.
    """
    import torch

    if spec.init_seed is None:
        raise ValueError(f"{spec.id} has trained weights, and no seed to draw others from")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.init_seed)
        return build().to(getattr(torch, spec.dtype))


def initialisation(spec: ModelSpec) -> dict[str, int | str | None]:
    """What decides the weights besides the configuration, for a fingerprint: the seed and the versions of
    what draws them."""
    libraries = ("torch", MODEL_KINDS.find(spec.kind).library)
    return {"seed": spec.init_seed} | {library: version(library) for library in libraries if library}
