"""Names for arrays in annotations; shapes stand in docstrings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
AnyFloats = npt.NDArray[np.floating]
"""float16, float32 or float64."""

Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.integer]
