"""What the metrics of disentanglement say of a trained model's codes."""

from __future__ import annotations

import numpy as np
import torch

from une_ray.errors import UneError
from une_ray.studies.disentanglement import metrics
from une_ray.studies.disentanglement.metrics.sample import checked
from une_ray.studies.disentanglement.models.model import Disentangler
from une_ray.studies.disentanglement.training.pictures import Pictures

MEASURED = ("mig", "dci", "sap", "factor-vae")  # the paper's three, and the one that its rivals publish


def measure(codes: np.ndarray, factors: np.ndarray, *, seed: int, fast: bool) -> dict[str, float]:
    """Scores by name of codes (n, d) and factors (n, f). Factors that do not vary are left out."""
    scores: dict[str, float] = {}
    for name in MEASURED:
        scores |= metrics.find(name)(codes, varying(factors), seed=seed, fast=fast)
    return {name: score for name, score in scores.items() if name not in metrics.COUNTS}


def varying(factors: np.ndarray) -> np.ndarray:
    """(n, f): the factors that have two values or more."""
    return factors[:, (factors != factors[:1]).any(0)]


def refuse_unmeasurable(pictures: Pictures, corpus: str, channels: int) -> None:
    """Raise UneError where codes of these pictures could not be measured, or not be read by a model of
    pictures with so many channels: before a model is trained for it."""
    if pictures.channels != channels:
        raise UneError(
            f"{corpus} has pictures of {pictures.channels} channels, and the models are trained on"
            f" {channels}; measure on a corpus of the same kind"
        )
    if not varying(pictures.factors).size:
        raise UneError(
            f"every factor of {corpus} has one value: {', '.join(pictures.names)}; take more of it"
        )
    try:
        checked(np.zeros((len(pictures.factors), 1)), varying(pictures.factors))
    except UneError as error:
        raise UneError(f"{corpus} can't be measured on: {error}") from None


@torch.no_grad()
def codes_of(
    model: Disentangler, pictures: Pictures, device: str = "cpu", at_a_time: int = 512
) -> np.ndarray:
    """(n, latents) float32: mean codes of all pictures."""
    starts = range(0, len(pictures.images), at_a_time)
    parts = [model.codes(pictures.rows(slice(start, start + at_a_time)).to(device)) for start in starts]
    return torch.cat(parts).cpu().numpy()
