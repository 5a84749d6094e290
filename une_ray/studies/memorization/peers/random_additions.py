"""Somepalli et al. 2023, "Understanding and Mitigating Copying in Diffusion Models" (NeurIPS): RTA and RNA at inference."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from transformers import CLIPTokenizer

from une_ray.errors import UneError

LARGEST_NUMBER = 99_999  # as in the authors' code


def add_random_tokens(prompt: str, tokenizer: CLIPTokenizer, count: int = 1, seed: int = 0) -> str:
    """The prompt with `count` (1–8) random words of one token each, between its words.

    The authors draw any token; here only those that are whole words, so that each stays one token where it is put.
    """
    words = sorted(token.removesuffix("</w>") for token in tokenizer.get_vocab() if token.endswith("</w>"))
    words = [word for word in words if word.isascii() and word.isalpha()]
    return _with_additions(prompt, lambda draw: draw.choice(words), count, seed)


def add_random_numbers(prompt: str, count: int = 1, seed: int = 0) -> str:
    """The prompt with `count` (1–8) random numbers below 100,000 between its words."""
    return _with_additions(prompt, lambda draw: str(draw.randint(0, LARGEST_NUMBER)), count, seed)


def _with_additions(prompt: str, addition: Callable[[random.Random], str], count: int, seed: int) -> str:
    if not 1 <= count <= 8:
        raise UneError(f"{count} random additions; the paper takes 1 to 8")
    draw = random.Random(f"{seed}/{prompt}")  # by the prompt itself, so that no batch or order changes it
    words: Sequence[str] = prompt.split()
    for _ in range(count):
        place = draw.randint(0, len(words))
        words = [*words[:place], addition(draw), *words[place:]]
    return " ".join(words)
