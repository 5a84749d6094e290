"""Random words or numbers put between those of a prompt: what the two methods of Somepalli et al. 2023
share."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from une_ray.errors import UneError

MOST = 8


def with_additions(prompt: str, addition: Callable[[random.Random], str], count: int, seed: int) -> str:
    """The prompt with `count` (1–8) additions at random places, drawn by seed and prompt. Raises UneError for
    another count."""
    if not 1 <= count <= MOST:
        raise UneError(f"{count} random additions; the paper takes 1 to {MOST}")
    draw = random.Random(f"{seed}/{prompt}")  # by the prompt itself, so that no batch or order changes it
    words: Sequence[str] = prompt.split()
    for _ in range(count):
        place = draw.randint(0, len(words))
        words = [*words[:place], addition(draw), *words[place:]]
    return " ".join(words)
