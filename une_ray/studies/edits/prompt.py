"""The baseline through the text tower: the same noise led back under classifier-free guidance by the
attribute's prompt."""

from __future__ import annotations

import torch

from une_ray.corpora.avatars import PROMPTS
from une_ray.diffusion.guidance import guided
from une_ray.spaces.ddim import Invert


def prompt_of(corpus: str, attribute: str) -> str:
    """What the text tower is told of an attribute: the words that avatars' captions have for it, elsewhere
    its own name."""
    if corpus.startswith("avatars:") and attribute in PROMPTS:
        return PROMPTS[attribute][0]
    return f"a person with {attribute.replace('_', ' ').lower()}"


def prompted(generator: Invert, noise: torch.Tensor, prompt: str, alpha: torch.Tensor) -> torch.Tensor:
    """Pixels (b, 3, H, W) in [-1, 1] that inverted `noise` (b, c, h, w) leads to with guidance scale
    `alpha` (b,) towards `prompt`.

    The dose is the guidance scale, from the prompt of the inversion: 0 is the plain round trip, below 0
    leads away from the prompt."""
    g = generator.generator
    denoiser = guided(
        g.denoiser(g.prompt_states([prompt])), generator.denoiser, alpha.view(-1, 1, 1, 1).to(noise)
    )
    return generator.image(noise, denoiser)
