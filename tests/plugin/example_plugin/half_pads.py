"""Every pad row shortened."""

from __future__ import annotations

from typing import Annotated

import torch

from une_ray.settings import Range
from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.token_rows import PAD, TokenRows


def half_pads(
    rows: TokenRows, *, share: Annotated[float, Range(0, 1), "of its length that a pad keeps"] = 0.5
) -> torch.Tensor:
    """Pads times `share`."""
    return torch.where(rows.are(PAD), rows.embeddings * share, rows.embeddings)


METHOD = RowMethod(change=half_pads)
