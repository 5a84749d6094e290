"""All principal components of rows that are at hand, by LAPACK in float64 (Pearson 1901). Without torch."""

from __future__ import annotations

import numpy as np

from une_ray.geometry.arrays import AnyFloats, Floats

NEGLIGIBLE = 1e-6  # of the first component's variance: float16 latents hold a rounding noise of some 1e-7
UNEVEN, LOW = 1e3, 0.1  # the largest variance, in units of the one that a tenth of coordinates are below


def component_scores(z: AnyFloats) -> Floats:
    """(n, k) float64 left singular vectors of centred z (n, d), by falling variance.

    They are the rows' scores on their principal components, each of unit length; components of negligible
    variance are left out. Coordinates whose variances differ by orders of magnitude are standardised first,
    as beside the largest the others would all be negligible. For Gaussian rows of any mean and covariance
    the vectors are uniform on the sphere orthogonal to 1, which is all that the tests of normality assume,
    also where n < d.
    """
    centred = _on_one_scale(z)
    n, d = centred.shape
    variances, vectors = np.linalg.eigh(centred @ centred.T if n <= d else centred.T @ centred)
    varying = np.flatnonzero(variances > NEGLIGIBLE * variances[-1])[::-1]
    vectors = vectors[:, varying]
    return vectors if n <= d else centred @ vectors / np.sqrt(variances[varying])


def _on_one_scale(z: AnyFloats) -> Floats:
    """(n, d): z centred, and where its scales are uneven of unit variance; a coordinate that varies by its
    rounding alone has no say in that, and is 0 then."""
    mean = z.mean(0, dtype=np.float64)
    centred = z - mean
    variances = np.einsum("nd,nd->d", centred, centred) / len(z)
    varying = variances > NEGLIGIBLE * (variances + mean**2)
    if not varying.any() or variances.max() <= UNEVEN * np.quantile(variances[varying], LOW):
        return centred
    return centred * np.where(varying, 1 / np.sqrt(np.where(varying, variances, 1)), 0)
