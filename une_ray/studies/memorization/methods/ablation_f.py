"""Ablation (f) of Kim and No 2026, arXiv 2605.02908, section 3.2: the eot row zeroed."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.token_rows import EOT, TokenRows


def zero_eot(rows: TokenRows) -> torch.Tensor:
    """Prompt and pads stay."""
    return rows.embeddings.masked_fill(rows.are(EOT), 0)


METHOD = RowMethod(change=zero_eot, padding=True, by=True)
