"""Edits that move no latent: the same noise, led to another picture on its way. A new one is a file here that
defines `STEERING`, or an entry point `une_ray.steerings`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from une_ray.corpora.avatar_words import PROMPTS

if TYPE_CHECKING:
    import torch

    from une_ray.spaces.ddim import Invert

Lead = Callable[["torch.Tensor", "torch.Tensor", Sequence[str]], "torch.Tensor"]
"""Inverted noise (b, c, h, w), doses (b,) and the images' ids → pixels (b, 3, H, W) in [-1, 1]; dose 0 is the
plain round trip."""


@dataclass(frozen=True, kw_only=True)
class Steering:
    """`towards(generator, prompt)` is what leads noise towards a prompt, and below dose 0 away from it;
    `facts` are what decides its pictures beside the prompt and the space."""

    towards: Callable[[Invert, str], Lead]
    facts: Mapping[str, Any] | None = None


def prompt_of(corpus: str, attribute: str) -> str:
    """What the text tower is told of an attribute: the words that avatars' captions have for it, elsewhere
    its own name."""
    if corpus.startswith("avatars:") and attribute in PROMPTS:
        return PROMPTS[attribute][0]
    return f"a person with {attribute.replace('_', ' ').lower()}"
