"""Ren et al. 2024, "Unveiling and Mitigating Memorization in Text-to-image Diffusion Models through Cross Attention" (ECCV).

Taken from the authors' code: entropy is that of the weights averaged over heads and positions. What they fix for 50 steps and the
sixteen layers of Stable Diffusion 1.4 (the last ten steps, layer 3) is a fraction and a number here.
"""

from __future__ import annotations

import torch

from une_ray.studies.memorization.attention import entropy
from une_ray.studies.memorization.token_rows import EOT, PAD
from une_ray.studies.memorization.trace import Trace


def cross_attention_entropy(trace: Trace, last: float = 0.2) -> torch.Tensor:
    """(b,): their D, over the last fifth of the steps: the mean entropy, and how much that of eot and pads grew since the first step."""
    weights = trace.token_weights.mean(1)
    count = max(1, round(last * len(weights)))
    summary = entropy(weights * ((trace.classes == EOT) | (trace.classes == PAD)))
    return entropy(weights)[-count:].mean(0) + summary[-count:].mean(0) - summary[0]


def first_step_entropy(trace: Trace, layer: int = 3) -> torch.Tensor:
    """(b,): their E, the entropy of one layer at the first step."""
    return entropy(trace.token_weights[0, layer])
