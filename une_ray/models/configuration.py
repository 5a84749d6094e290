"""A model's own configuration files, from its folder or from the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from une_ray.errors import UneError
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec


def has_file(spec: ModelSpec, name: str) -> bool:
    """Whether the model's folder or repository has a file of that name."""
    at = location(spec)
    if not spec.source.startswith("hub:"):
        return (Path(at) / name).exists()
    from huggingface_hub import file_exists, try_to_load_from_cache

    # First what every worker has already: a thousand of them would ask the hub.
    if isinstance(try_to_load_from_cache(at, name, revision=spec.revision), str):
        return True
    try:
        return file_exists(at, name, revision=spec.revision)
    except Exception:  # there is no network, and the snapshot has none
        return False


def read_json(spec: ModelSpec, name: str) -> dict[str, Any]:
    """A file of the model, as a dictionary. Raises UneError where it is missing or can't be fetched."""
    at = location(spec)
    if spec.source.startswith("hub:"):
        from huggingface_hub import hf_hub_download

        try:
            return json.loads(Path(hf_hub_download(at, name, revision=spec.revision)).read_text())
        # the hub's client has a dozen error types, all of which mean: not to be had
        except Exception as error:
            raise UneError(f"can't read {name} of {at!r} on the model hub: {type(error).__name__}") from error
    path = Path(at) / name
    if not path.exists():
        raise UneError(f"{path} is missing; a {spec.kind} model has one")
    try:
        return json.loads(path.read_text())
    except (ValueError, RecursionError) as error:  # RecursionError: of brackets within brackets
        raise UneError(f"{path} is not JSON ({error}); get it again") from error


def only_fp16(spec: ModelSpec, folder: str, stem: str) -> bool:
    """Whether a part of a diffusers model has its weights in half precision alone: STEM.fp16.safetensors."""
    return not _has_weights(spec, f"{folder}/{stem}") and _has_weights(spec, f"{folder}/{stem}", ".fp16")


def has_weights(spec: ModelSpec, folder: str, stem: str) -> bool:
    """Whether a part of a diffusers model has weights that can be read: safetensors, in one file or many."""
    return any(_has_weights(spec, f"{folder}/{stem}", variant) for variant in ("", ".fp16"))


def _has_weights(spec: ModelSpec, path: str, variant: str = "") -> bool:
    whole, index = f"{path}{variant}.safetensors", f"{path}.safetensors.index{variant}.json"
    return has_file(spec, whole) or has_file(spec, index)
