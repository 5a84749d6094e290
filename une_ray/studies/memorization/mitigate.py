"""Mitigated prompt embeddings for a pipeline of diffusers: `pipe(**mitigate(pipe, "pad-swap", prompts))`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import StableDiffusionPipeline

from une_ray.errors import UneError
from une_ray.registry import MITIGATIONS
from une_ray.settings import Value, check_settings
from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.token_rows import encode
from une_ray.studies.memorization.towers import check_towers


def mitigate(
    pipe: StableDiffusionPipeline, method: str, prompts: str | Sequence[str], **settings: Value
) -> dict[str, torch.Tensor]:
    """`prompt_embeds` (n, 77, d) under a method that changes rows, and `negative_prompt_embeds` (n, 77, d).

    The negative prompt is empty, with the pipeline's own padding: the unconditional branch stays that of the
    plain pipeline. `pipe` is any StableDiffusionPipeline with one CLIP text tower (Stable Diffusion 1.x,
    2.x); it is not changed. Raises UneError for a pipeline with other towers or of mixed float types, an
    unknown method or setting, a method that samples in its own way, no prompt, or a prompt that does not fit.
    """
    changes = _row_method(method)
    check_settings(changes.row_settings, settings, method)
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    if not texts:
        raise UneError("no prompts to encode")
    _check(pipe)
    plain = encode(pipe, [""]).embeddings
    return {
        "prompt_embeds": changes.embeddings(encode(pipe, texts), settings),
        "negative_prompt_embeds": plain.repeat(len(texts), 1, 1),
    }


def _row_method(name: str) -> RowMethod:
    method = MITIGATIONS.find(name)
    if not isinstance(method, RowMethod):
        known = [other for other, one in MITIGATIONS.items() if isinstance(one, RowMethod)]
        raise UneError(
            f"{name} samples in its own way, which prompt embeddings can't bring about; "
            f"those that can: {', '.join(known)}"
        )
    return method


def _check(pipe: StableDiffusionPipeline) -> None:
    """Raise UneError for towers that the methods are not defined for, and where diffusers would fail at a
    product of two float types."""
    parts = {
        name: part
        for name, part in pipe.components.items()
        if name.startswith("text_encoder") and part is not None
    }
    check_towers(type(pipe).__name__, {name: type(part).__name__ for name, part in parts.items()})
    tower, unet = parts["text_encoder"].dtype, pipe.unet.dtype
    if tower != unet:
        raise UneError(
            f"the pipeline's text tower is {tower} and its U-Net {unet}, which diffusers can't run together; "
            f"load it with torch_dtype={unet}, or call pipe.to({unet})"
        )
