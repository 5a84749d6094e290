"""What the loaders share: transformers' models by class, networks ready to be read, silent libraries."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import torch

from une_ray.models.fresh import fresh
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec

Network = TypeVar("Network", bound=torch.nn.Module)


def quiet(library: ModuleType) -> None:
    """Errors only from diffusers or transformers, and no bars: ours is the progress that a user sees."""
    library.utils.logging.disable_progress_bar()
    library.utils.logging.set_verbosity_error()


def ready(network: Network, device: str) -> Network:
    """The network on `device`, to be read and not trained."""
    return network.eval().requires_grad_(False).to(device)


def load_transformer(
    spec: ModelSpec, trained: Any, config: Any, untrained: Callable[[Any], torch.nn.Module]
) -> torch.nn.Module:
    """A transformers model: `trained.from_pretrained`, or for fresh weights `untrained` of its `config`
    alone."""
    import transformers

    quiet(transformers)
    at = location(spec)
    safe = {"revision": spec.revision, "trust_remote_code": False}
    if spec.init_seed is None:
        return trained.from_pretrained(at, dtype=getattr(torch, spec.dtype), use_safetensors=True, **safe)
    return fresh(spec, lambda: untrained(config.from_pretrained(at, **safe)))
