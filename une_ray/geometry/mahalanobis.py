"""How far single pictures are from the real ones: what the Fréchet distance says of sets, said of each."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from une_ray.errors import UneError
from une_ray.geometry.arrays import AnyFloats, Floats


class Mahalanobis:
    """√((z − μ)ᵀ Σ⁻¹ (z − μ) / d) of a Gaussian fitted to `real` (n, d), n > d.

    About 1 for what comes from it (Lee et al. 2018, "A Simple Unified Framework for Detecting
    Out-of-Distribution Samples and Adversarial Attacks"). On rows that were not fitted it is larger, by about
    √(n / (n − d)). Raises UneError for too few rows.
    """

    def __init__(self, real: AnyFloats) -> None:
        n, d = real.shape
        if n <= d:
            raise UneError(f"{n} pictures can't fit a Gaussian of {d} dimensions; take more than {d}")
        self.mean = real.mean(0, dtype=float)
        self.root = cholesky(np.cov(real.T.astype(float)), lower=True)

    def __call__(self, made: AnyFloats) -> Floats:
        """(m,) of embeddings (m, d)."""
        whitened = solve_triangular(self.root, (made - self.mean).T, lower=True)
        return np.sqrt(np.square(whitened).mean(0))
