"""Wen et al. 2024, "Detecting, Explaining, and Mitigating Memorization in Diffusion Models" (ICLR): the mitigation at inference."""

from __future__ import annotations

import torch

from une_ray.models.generators import Generator
from une_ray.studies.memorization.noise import noise_difference


def tuned_embeddings(
    generator: Generator,
    states: torch.Tensor,
    x_T: torch.Tensor,
    timestep: int,
    learning_rate: float = 0.05,
    iterations: int = 10,
    target: float = 3.0,
) -> torch.Tensor:
    """Prompt embeddings (b, 77, d) that lower ‖ε̂(x_T, prompt) − ε̂(x_T, "")‖₂ to `target`, by AdamW on rows 1…76 of `states`.

    `x_T` (b, c, h, w) must be the noise that the image is then made from, and `timestep` the sampling's first. Every image is tuned on
    its own: AdamW works element by element, and one that has reached the target stays as it is while the others go on. The authors'
    `target` of 3 is for latents of 4 × 64 × 64.
    """
    empty = generator.prompt_states([""])
    start, learnt = states[:, :1].float(), states[:, 1:].float().clone().requires_grad_()
    optimizer = torch.optim.AdamW([learnt], lr=learning_rate)
    for _ in range(iterations):
        with torch.enable_grad():
            norms = (
                noise_difference(generator, x_T, timestep, torch.cat([start, learnt], 1), empty)
                .flatten(1)
                .norm(dim=1)
            )
            (learnt.grad,) = torch.autograd.grad(norms.sum(), [learnt])
        unfinished = norms.detach() > target
        if not unfinished.any():
            break
        before = learnt.detach().clone()
        optimizer.step()
        with torch.no_grad():
            learnt.copy_(torch.where(unfinished[:, None, None], learnt, before))
    return torch.cat([start, learnt.detach()], 1).to(states.dtype)
