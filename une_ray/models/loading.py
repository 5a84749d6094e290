"""What the loaders share: networks read whole or refused, ready to be read, silent libraries."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, TypeVar

import torch

from une_ray.errors import UneError, reason
from une_ray.models.fresh import fresh
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec

Network = TypeVar("Network", bound=torch.nn.Module)

NAMES_SHOWN = 4


def quiet(library: ModuleType) -> None:
    """Errors only from diffusers or transformers, and no bars: ours is the progress that a user sees."""
    library.utils.logging.disable_progress_bar()
    library.utils.logging.set_verbosity_error()


def ready(network: Network, device: str) -> Network:
    """The network on `device`, to be read and not trained."""
    return network.eval().requires_grad_(False).to(device)


@functools.cache
def memory_format(device: str | torch.device) -> torch.memory_format:
    """How pictures and what convolves them lie in memory on `device`: channels last where its group norm
    leaves them so.

    Where it does not, as of CUDA in torch 2.11, each of a U-Net's 61 group norms turns its picture round and
    the next convolution back: Stable Diffusion 1.5's takes 8 % longer so, its
    encoder 22 to 36 % (docs/benchmarks.md).
    """
    x = torch.zeros(1, 2, 2, 2, device=device).to(memory_format=torch.channels_last)
    normal = torch.nn.functional.group_norm(x, 1)
    is_kept = normal.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if is_kept else torch.contiguous_format


def pretrained(spec: ModelSpec, network: Any, unread: Sequence[str] = (), **options: Any) -> Any:
    """`network.from_pretrained` of transformers or diffusers, where the weights fill all of it and none is
    left over, save those whose names begin with one of `unread`: parts that the kind does not read.

    The libraries give what is missing random values. Raises UneError that names missing, unexpected and
    misshapen weights, or the file that can't be read.
    """
    at = location(spec)
    where = f"{spec.id} ({'/'.join(filter(None, (at, options.get('subfolder'))))})"
    import transformers

    if not network.__module__.startswith("diffusers."):
        quiet(transformers)
        options |= {"ignore_mismatched_sizes": True, "trust_remote_code": False}
    try:
        model, report = network.from_pretrained(
            at, revision=spec.revision, use_safetensors=True, output_loading_info=True, **options
        )
    except MemoryError:
        raise
    # The libraries have a dozen types for a file that is missing, damaged, or of another architecture.
    except Exception as error:
        raise UneError(f"can't load model {where}: {reason(error)}") from error
    refuse_incomplete(
        where,
        missing=report["missing_keys"],
        unexpected=[key for key in report["unexpected_keys"] if not key.startswith(tuple(unread))],
        misshapen=(key if isinstance(key, str) else key[0] for key in report["mismatched_keys"]),
    )
    return model


def refuse_incomplete(
    where: str, missing: Iterable[str], unexpected: Iterable[str], misshapen: Iterable[str]
) -> None:
    """Raise UneError where weights do not fit the network that its configuration describes."""
    faults = {
        "not in the file": sorted(missing),
        "in the file and unknown to the network": sorted(unexpected),
        "of another shape": sorted(misshapen),
    }
    said = [f"{len(keys)} {what} ({_some(keys)})" for what, keys in faults.items() if keys]
    if said:
        raise UneError(
            f"the weights of model {where} are not those of its config.json: {'; '.join(said)}. What is"
            " missing would be random numbers; save the model again with the library that reads it"
        )


def load_transformer(
    spec: ModelSpec,
    trained: Any,
    config: Any,
    untrained: Callable[[Any], torch.nn.Module],
    unread: Sequence[str] = (),
    **changes: Any,
) -> torch.nn.Module:
    """A transformers model: `pretrained`, or for fresh weights `untrained` of its `config` alone. `changes`
    are values of the configuration that replace the file's."""
    import transformers

    quiet(transformers)
    if spec.init_seed is None:
        return pretrained(spec, trained, unread, dtype=getattr(torch, spec.dtype), **changes)
    at, safe = location(spec), {"revision": spec.revision, "trust_remote_code": False}
    return fresh(spec, lambda: untrained(config.from_pretrained(at, **safe, **changes)))


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:NAMES_SHOWN]) + (", …" if len(keys) > NAMES_SHOWN else "")
