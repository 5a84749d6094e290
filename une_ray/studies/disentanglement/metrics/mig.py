"""Mutual information gap. Chen, Li, Grosse, Duvenaud: Isolating Sources of Disentanglement in Variational
Autoencoders, arXiv 1802.04942, section 4.

How much more the best code of a factor says of it than the second best, in shares of the factor's entropy.
Codes are cut into 20 bins of equal width: of the codes themselves, which are all different, every code would
say everything.
"""

from __future__ import annotations

import numpy as np

from une_ray.studies.disentanglement.metrics.sample import (
    binned,
    entropies,
    mutual_information,
    sample,
    top_two,
)


def mig(codes: np.ndarray, factors: np.ndarray, *, seed: int = 0, fast: bool = False) -> dict[str, float]:
    """`mig`: mean over factors of (I₁ − I₂) / H."""
    rows = sample(codes, factors, seed, fast).train
    information = mutual_information(binned(rows.codes), rows.factors)
    entropy = entropies(rows.factors)  # 0 where the rare value of a factor is on no row to train on
    gaps = top_two(information) / np.where(entropy > 0, entropy, 1)
    return {"mig": float(np.mean(gaps))}


METRIC = mig
