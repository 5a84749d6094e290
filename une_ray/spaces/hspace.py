"""h-space of prompts: the U-Net's middle block while pictures are drawn, a mean over shared seeds and steps.

After Zeng, Chen and Wong 2024 (arXiv 2410.21314). `MODEL/hspace`, `MODEL/hspace64` for 64 seeds instead of
16; `-flat` keeps every place of the middle block instead of their mean. Pictures are drawn in eight steps of
DDIM, or in four of a latent consistency model's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from une_ray.spaces.drawing import (
    CONSISTENCY_STEPS,
    SEED,
    STEPS,
    drawing_of,
    mean_middle_block,
    width,
)
from une_ray.spaces.kind import SpaceKind
from une_ray.spaces.space import Space


class ReadPrompts:
    """Prompts → the middle block's mean output (b, c) or (b, c·h·w), and per seed (b, seeds, …).

    Seed s begins with the same noise for every prompt, and guidance is 1, so that two prompts' outputs differ
    by the prompts alone.
    """

    def __init__(self, space: Space, device: str = "cpu") -> None:
        from une_ray.models.generators import load_generator  # diffusers takes seconds

        assert space.seeds is not None, "a kind of seeds is given their number"
        self.generator = load_generator(space.model, device)
        self.rows, self.flat = space.model.batch_size, space.flat
        self.drawing = drawing_of(space.model, space.schedule[1])
        self.noise = self.drawing.noise(space.seeds, self.generator.latent_shape, device)
        self.shape: tuple[int, ...] | None = None

    @torch.no_grad()
    def __call__(self, captions: list[str], image_ids: list[str]) -> dict[str, np.ndarray]:
        from une_ray.models.hspace import pooled

        generator, seeds = self.generator, len(self.noise)
        states = generator.prompt_states(captions)
        pairs = torch.cartesian_prod(torch.arange(len(captions)), torch.arange(seeds))
        parts = [
            pooled(
                mean_middle_block(generator, states[part[:, 0]], self.noise[part[:, 1]], self.drawing),
                self.flat,
            )
            for part in pairs.split(self.rows)
        ]
        by_seed = torch.cat(parts).view(len(captions), seeds, -1).cpu().numpy()
        lengths = generator.tokenizer(captions, truncation=False, verbose=False).input_ids
        limit = generator.tokenizer.model_max_length
        return {
            "z": by_seed.mean(1),
            "seeds": by_seed,
            "truncated": np.array([len(ids) > limit for ids in lengths]),
        }


def _facts(space: Space) -> dict[str, Any]:
    from une_ray.models.hspace import refuse_without_middle_block

    refuse_without_middle_block(space.model)
    library = f"numpy {np.__version__.split('.')[0]} PCG64"
    drawing = drawing_of(space.model, space.schedule[1])
    few = {} if drawing.scaling is None else {"sampler": "consistency", "scaling": drawing.scaling}
    return few | {
        "steps": len(drawing.timesteps),
        "spacing": space.spacing,
        "seeds": space.seeds,
        "flat": space.flat,
        "guidance_scale": 1.0,
        "noise": f"{library}, seed sha256({SEED.format('N')})",
    }


def _gflops(space: Space) -> float | None:
    """The prompt once through the text tower, and of every seed all calls but the last whole: that ends at
    the middle block."""
    model, seeds = space.model, space.seeds
    if model.gflops is None or model.text_gflops is None or model.parts is None or seeds is None:
        return None
    calls = CONSISTENCY_STEPS if model.is_distilled else STEPS
    return model.text_gflops + seeds * ((calls - 1) * model.gflops + model.parts.to_middle)


KIND = SpaceKind(
    method="middle-block-of-prompts",
    load=ReadPrompts,
    facts=_facts,
    gflops=_gflops,
    dim=width,
    modality="captions",
    denoises=True,
    seeded=True,
    has_places=True,
)
