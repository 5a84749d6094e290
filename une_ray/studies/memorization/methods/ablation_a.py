"""Ablation (a) of Kim and No 2026, arXiv 2605.02908, section 3.1: eot and all pads zeroed."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.token_rows import EOT, PAD, TokenRows


def zero_eot_and_pads(rows: TokenRows) -> torch.Tensor:
    """Rows of prompt and sot stay."""
    return rows.embeddings.masked_fill(rows.are(EOT, PAD), 0)


METHOD = RowMethod(change=zero_eot_and_pads, padding=True, by=True)
