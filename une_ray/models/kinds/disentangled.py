"""A model that `une disentangle train` has trained: its codes, a coordinate each, as the encoder gives
them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from une_ray.errors import UneError, reason
from une_ray.models.configuration import read_json
from une_ray.models.kind import Embed, ModelKind
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec, Preprocessing

if TYPE_CHECKING:
    import torch

    from une_ray.models.convolutional import Architecture

PREFIX = "encoder."  # of the weights that are read; the others generate and judge


def complete(spec: ModelSpec) -> ModelSpec:
    """As many coordinates as latents, pictures of the size that it was trained on. Raises UneError for a
    folder of another kind."""
    architecture = _architecture(spec)
    return replace(
        spec,
        dim=architecture.latents,
        preprocessing=replace(spec.preprocessing, size=architecture.size),
    )


def load(spec: ModelSpec, device: str) -> Embed:
    """Mean codes, (b, latents). Raises UneError where the weights are not those of its config.json."""
    import torch

    from une_ray.models.convolutional import encoder
    from une_ray.models.fresh import fresh
    from une_ray.models.loading import ready, refuse_incomplete

    architecture = _architecture(spec)
    if spec.init_seed is not None:
        network = fresh(spec, partial(encoder, architecture, architecture.latents))
    else:
        weights = _weights(spec)
        last = list(encoder(architecture, 1).state_dict())[-1]  # a VAE's has log-variances besides
        network = encoder(architecture, len(weights[last]) if last in weights else architecture.latents)
        expected = network.state_dict()
        common = expected.keys() & weights.keys()
        refuse_incomplete(
            f"{spec.id} ({location(spec)})",
            missing=expected.keys() - weights.keys(),
            unexpected=weights.keys() - expected.keys(),
            misshapen=(name for name in common if expected[name].shape != weights[name].shape),
        )
        network.load_state_dict(weights)
    network = ready(network.to(getattr(torch, spec.dtype)), device)

    def codes(pixels: torch.Tensor) -> torch.Tensor:
        pictures = pixels if architecture.channels == 3 else pixels.mean(1, keepdim=True)
        return network(pictures)[:, : architecture.latents]

    return codes


def _architecture(spec: ModelSpec) -> Architecture:
    from une_ray.models.convolutional import Architecture

    config = read_json(spec, "config.json")
    if "architecture" not in config:
        raise UneError(
            f"{spec.source} is no folder of une disentangle train: its config.json names no architecture"
        )
    return Architecture.from_json(config["architecture"])


def _weights(spec: ModelSpec) -> dict[str, torch.Tensor]:
    from pathlib import Path

    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(location(spec)) / "model.safetensors"
    try:
        every = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UneError(f"can't load model {spec.id} ({path}): {reason(error)}") from error
    return {name.removeprefix(PREFIX): tensor for name, tensor in every.items() if name.startswith(PREFIX)}


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(64, "crop", resample="box", mean=(0.0,) * 3, std=(1.0,) * 3),
        gpus=0.1,
        batch_size=256,
        pooling="codes",
    ),
    complete=complete,
    load=load,
    library="torch",
)
