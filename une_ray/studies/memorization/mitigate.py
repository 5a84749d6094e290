"""Mitigated prompt embeddings for a pipeline of diffusers: `pipe(**mitigate(pipe, "pad-swap", prompts))`."""

from __future__ import annotations

import torch

from une_ray.errors import UneError
from une_ray.studies.memorization.token_rows import encode, row_method
from une_ray.studies.memorization.towers import check_towers


def mitigate(pipe, method: str, prompts: str | list[str], **settings) -> dict[str, torch.Tensor]:
    """`prompt_embeds` (n, 77, d) under a mitigation or ablation of `token_rows`, and `negative_prompt_embeds` (n, 77, d).

    The negative prompt is empty, with the pipeline's own padding: the unconditional branch stays that of the plain pipeline.
    `pipe` is any StableDiffusionPipeline with one CLIP text tower (Stable Diffusion 1.x, 2.x); it is not changed.
    Raises UneError for a pipeline with other towers, an unknown method, no prompt, or a prompt that does not fit.
    """
    change = row_method(method)
    prompts = [prompts] if isinstance(prompts, str) else list(prompts)
    if not prompts:
        raise UneError("no prompts to encode")
    parts = {
        name: part
        for name, part in pipe.components.items()
        if name.startswith("text_encoder") and part is not None
    }
    check_towers(type(pipe).__name__, {name: type(part).__name__ for name, part in parts.items()})
    plain = encode(pipe, [""]).embeddings
    return {
        "prompt_embeds": change(encode(pipe, prompts), **settings),
        "negative_prompt_embeds": plain.repeat(len(prompts), 1, 1),
    }
