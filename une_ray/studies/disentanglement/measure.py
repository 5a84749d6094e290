"""What the metrics of disentanglement say of a trained model's codes."""

from __future__ import annotations

import numpy as np
import torch

from une_ray.studies.disentanglement import metrics
from une_ray.studies.disentanglement.models.model import Disentangler
from une_ray.studies.disentanglement.training.pictures import Pictures

MEASURED = ("mig", "dci", "sap", "factor-vae")  # the paper's three, and the one that its rivals publish


def measure(codes: np.ndarray, factors: np.ndarray, *, seed: int, fast: bool) -> dict[str, float]:
    """Scores by name of codes (n, d) and factors (n, f). Factors that do not vary are left out."""
    varying = factors[:, (factors != factors[:1]).any(0)]
    scores: dict[str, float] = {}
    for name in MEASURED:
        scores |= metrics.find(name)(codes, varying, seed=seed, fast=fast)
    return {name: score for name, score in scores.items() if name not in metrics.COUNTS}


@torch.no_grad()
def codes_of(
    model: Disentangler, pictures: Pictures, device: str = "cpu", at_a_time: int = 512
) -> np.ndarray:
    """(n, latents) float32: mean codes of all pictures."""
    starts = range(0, len(pictures.images), at_a_time)
    parts = [model.codes(pictures.rows(slice(start, start + at_a_time)).to(device)) for start in starts]
    return torch.cat(parts).cpu().numpy()
