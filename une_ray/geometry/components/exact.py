"""All principal components of rows that are at hand, by LAPACK in float64 (Pearson 1901). Without torch."""

from __future__ import annotations

import numpy as np

from une_ray.geometry.arrays import AnyFloats, Floats

NEGLIGIBLE = 1e-6  # of the first component's variance: float16 latents hold a rounding noise of some 1e-7


def component_scores(z: AnyFloats) -> Floats:
    """(n, k) float64 left singular vectors of centred z (n, d), by falling variance.

    They are the rows' scores on their principal components, each of unit length; components of negligible
    variance are left out. For Gaussian rows of any mean and covariance they are uniform on the sphere
    orthogonal to 1, which is all that the tests of normality assume, also where n < d.
    """
    centred = z - z.mean(0, dtype=np.float64)
    n, d = centred.shape
    variances, vectors = np.linalg.eigh(centred @ centred.T if n <= d else centred.T @ centred)
    varying = np.flatnonzero(variances > NEGLIGIBLE * variances[-1])[::-1]
    vectors = vectors[:, varying]
    return vectors if n <= d else centred @ vectors / np.sqrt(variances[varying])
