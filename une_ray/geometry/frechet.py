"""Fréchet distance of two sets of embeddings (Heusel et al. 2017): of a mini encoder, not of Inception."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from une_ray.geometry.arrays import AnyFloats


def frechet(a: AnyFloats, b: AnyFloats) -> float:
    """‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2(Σ_a Σ_b)^½) of Gaussians fitted to rows `a` (n, d) and `b` (m, d)."""
    mean = np.square(a.mean(0) - b.mean(0)).sum()
    ca, cb = np.cov(a.T), np.cov(b.T)
    return float(mean + np.trace(ca + cb) - 2 * np.sqrt(np.clip(linalg.eigvals(ca @ cb).real, 0, None)).sum())
