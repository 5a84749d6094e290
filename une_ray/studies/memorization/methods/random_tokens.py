"""Somepalli et al. 2023, "Understanding and Mitigating Copying in Diffusion Models" (NeurIPS), RTA: random
words added to the prompt."""

from __future__ import annotations

from typing import Annotated

import torch
from transformers import CLIPTokenizer

from une_ray.settings import Range
from une_ray.studies.memorization.methods import SamplingMethod
from une_ray.studies.memorization.methods.random_additions import MOST, with_additions
from une_ray.studies.memorization.sampling import Sampling


def random_tokens(
    sampling: Sampling,
    *,
    count: Annotated[int, Range(1, MOST), "words added"] = 4,
    seed: Annotated[int, "of their draw"] = 0,
) -> torch.Tensor:
    """The plain sampling of the longer prompts."""
    tokenizer = sampling.generator.tokenizer
    return sampling.reworded(lambda prompt: add_random_tokens(prompt, tokenizer, count, seed))


def add_random_tokens(prompt: str, tokenizer: CLIPTokenizer, count: int = 1, seed: int = 0) -> str:
    """The prompt with `count` (1–8) random words of one token each, between its words.

    The authors draw any token; here only those that are whole words, so that each stays one token where it is
    put.
    """
    words = sorted(token.removesuffix("</w>") for token in tokenizer.get_vocab() if token.endswith("</w>"))
    words = [word for word in words if word.isascii() and word.isalpha()]
    return with_additions(prompt, lambda draw: draw.choice(words), count, seed)


METHOD = SamplingMethod(run=random_tokens)
