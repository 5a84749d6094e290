"""Ren et al. 2024, "Unveiling and Mitigating Memorization in Text-to-image Diffusion Models through Cross
Attention" (ECCV): their E.

Taken from the authors' code, as `ren-d`. What they fix for the sixteen layers of Stable Diffusion 1.4 (layer
3) is a number here.
"""

from __future__ import annotations

import torch

from une_ray.errors import UneError
from une_ray.studies.memorization.attention import entropy
from une_ray.studies.memorization.detectors import Detector
from une_ray.studies.memorization.trace import Trace


def first_step_entropy(trace: Trace, layer: int = 3) -> torch.Tensor:
    """(b,): the entropy of one layer at the first step. Raises UneError for a model without that layer."""
    if layer >= (layers := trace.token_weights.shape[1]):
        raise UneError(f"ren-e reads cross-attention layer {layer}; this model has {layers}, counted from 0")
    return entropy(trace.token_weights[0, layer])


DETECTOR: Detector = first_step_entropy
