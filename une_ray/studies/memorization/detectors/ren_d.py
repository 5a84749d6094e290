"""Ren et al. 2024, "Unveiling and Mitigating Memorization in Text-to-image Diffusion Models through Cross
Attention" (ECCV): their D.

Taken from the authors' code: entropy is that of the weights averaged over heads and positions. What they fix
for 50 steps (the last ten) is a fraction here.
"""

from __future__ import annotations

import torch

from une_ray.studies.memorization.attention import entropy
from une_ray.studies.memorization.detectors import Detector
from une_ray.studies.memorization.token_rows import EOT, PAD
from une_ray.studies.memorization.trace import Trace


def cross_attention_entropy(trace: Trace, last: float = 0.2) -> torch.Tensor:
    """(b,): over the last fifth of the steps, the mean entropy, and how much that of eot and pads grew since
    the first step."""
    weights = trace.token_weights.mean(1)
    count = max(1, round(last * len(weights)))
    summary = entropy(weights * ((trace.classes == EOT) | (trace.classes == PAD)))
    return entropy(weights)[-count:].mean(0) + summary[-count:].mean(0) - summary[0]


DETECTOR: Detector = cross_attention_entropy
