"""Wen et al. 2024, "Detecting, Explaining, and Mitigating Memorization in Diffusion Models" (ICLR): prompt
embeddings tuned at inference."""

from __future__ import annotations

from typing import Annotated

import torch

from une_ray.models.generators import Generator
from une_ray.settings import Range
from une_ray.studies.memorization.methods import SamplingMethod
from une_ray.studies.memorization.noise import noise_difference
from une_ray.studies.memorization.sampling import Sampling

AUTHORS_LATENT = 4 * 64 * 64  # numbers of a latent of Stable Diffusion 1.x, which the authors' target is for


def tuned(
    sampling: Sampling,
    *,
    learning_rate: Annotated[float, Range(0), "AdamW's"] = 0.05,
    iterations: Annotated[int, Range(1), "steps of AdamW at most"] = 10,
    target: Annotated[float, Range(0), "norm of a 4 × 64 × 64 latent at which a prompt is done"] = 3.0,
) -> torch.Tensor:
    """Embeddings tuned at the sampling's first step, on its own noise.

    `target` is scaled to the generator's latents by the root of their sizes' ratio, as a norm is.
    """
    scaled = target * (sampling.x_T[0].numel() / AUTHORS_LATENT) ** 0.5
    states = tuned_embeddings(
        sampling.generator,
        sampling.encode().embeddings,
        sampling.x_T,
        sampling.timesteps[-1],
        learning_rate=learning_rate,
        iterations=iterations,
        target=scaled,
    )
    return sampling.latents(states)


def tuned_embeddings(
    generator: Generator,
    states: torch.Tensor,
    x_T: torch.Tensor,
    timestep: int,
    *,
    learning_rate: float = 0.05,
    iterations: int = 10,
    target: float = 3.0,
) -> torch.Tensor:
    """Prompt embeddings (b, 77, d) that lower ‖ε̂(x_T, prompt) − ε̂(x_T, "")‖₂ to `target`, by AdamW on rows
    1…76 of `states`.

    `x_T` (b, c, h, w) must be the noise that the image is then made from, and `timestep` the sampling's
    first. Every image is tuned on its own: AdamW works element by element, and one that has reached the
    target stays as it is while the others go on.
    """
    empty = generator.prompt_states([""])
    start, learnt = states[:, :1].float(), states[:, 1:].float().clone().requires_grad_()
    optimizer = torch.optim.AdamW([learnt], lr=learning_rate)
    for _ in range(iterations):
        with torch.enable_grad():
            prompts = torch.cat([start, learnt], 1)
            norms = noise_difference(generator, x_T, timestep, prompts, empty).flatten(1).norm(dim=1)
            (learnt.grad,) = torch.autograd.grad(norms.sum(), [learnt])
        unfinished = norms.detach() > target
        if not unfinished.any():
            break
        before = learnt.detach().clone()
        optimizer.step()
        with torch.no_grad():
            learnt.copy_(torch.where(unfinished[:, None, None], learnt, before))
    return torch.cat([start, learnt.detach()], 1).to(states.dtype)


METHOD = SamplingMethod(run=tuned)
