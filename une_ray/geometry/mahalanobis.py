"""How far single pictures are from the real ones: what the Fréchet distance says of sets, said of each."""

from __future__ import annotations

import numpy as np

from une_ray.errors import UneError
from une_ray.geometry.arrays import AnyFloats, Floats

ROUNDING = 1e-12  # of a feature's mean, or of the largest variance of standardised ones, which is none


class Mahalanobis:
    """√((z − μ)ᵀ Σ⁻¹ (z − μ) / d) of a Gaussian fitted to `real` (n, d), n > d.

    About 1 for what comes from it (Lee et al. 2018, "A Simple Unified Framework for Detecting
    Out-of-Distribution Samples and Adversarial Attacks"). On rows that were not fitted it is larger, by about
    √(n / (n − d)). Directions in which `real` does not vary but for rounding, as of a feature that never
    fires, count for nothing, neither in the sum nor in d. Raises UneError for too few rows, and where all are
    the same.
    """

    def __init__(self, real: AnyFloats) -> None:
        n, d = real.shape
        if n <= d:
            raise UneError(f"{n} pictures can't fit a Gaussian of {d} dimensions; take more than {d}")
        self.mean = real.mean(0, dtype=float)
        centred = real - self.mean
        deviations = centred.std(0)
        fires = deviations > ROUNDING * np.abs(self.mean)
        if not fires.any():
            raise UneError(
                f"all {n} pictures are the same to the encoder, so nothing is near or far from them"
            )
        scale = np.where(fires, 1 / np.where(fires, deviations, 1), 0)  # features may differ by orders
        variances, axes = np.linalg.eigh((centred * scale).T @ (centred * scale) / (n - 1))
        varying = variances > ROUNDING * variances[-1]
        self.whiten = scale[:, None] * axes[:, varying] / np.sqrt(variances[varying])

    def __call__(self, made: AnyFloats) -> Floats:
        """(m,) of embeddings (m, d)."""
        return np.sqrt(np.square((made - self.mean) @ self.whiten).mean(1))
