"""Somepalli et al. 2023, "Understanding and Mitigating Copying in Diffusion Models" (NeurIPS), RNA: random
numbers added to the prompt."""

from __future__ import annotations

from typing import Annotated

import torch

from une_ray.settings import Range
from une_ray.studies.memorization.methods import SamplingMethod
from une_ray.studies.memorization.methods.random_additions import MOST, with_additions
from une_ray.studies.memorization.sampling import Sampling

LARGEST_NUMBER = 99_999  # as in the authors' code


def random_numbers(
    sampling: Sampling,
    *,
    count: Annotated[int, Range(1, MOST), "numbers added"] = 4,
    seed: Annotated[int, "of their draw"] = 0,
) -> torch.Tensor:
    """The plain sampling of the longer prompts."""
    return sampling.reworded(lambda prompt: add_random_numbers(prompt, count, seed))


def add_random_numbers(prompt: str, count: int = 1, seed: int = 0) -> str:
    """The prompt with `count` (1–8) random numbers below 100,000 between its words."""
    return with_additions(prompt, lambda draw: str(draw.randint(0, LARGEST_NUMBER)), count, seed)


METHOD = SamplingMethod(run=random_numbers)
