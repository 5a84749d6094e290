"""The plain sampling, which all others are held against."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.token_rows import TokenRows


def unchanged(rows: TokenRows) -> torch.Tensor:
    """The embeddings as they are."""
    return rows.embeddings


METHOD = RowMethod(change=unchanged, window=False)
