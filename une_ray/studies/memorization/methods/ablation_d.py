"""Ablation (d) of Kim and No 2026, arXiv 2605.02908, section 3.2: every pad row replaced by eot's."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.token_rows import PAD, TokenRows


def pads_to_eot(rows: TokenRows) -> torch.Tensor:
    """Prompt and eot stay."""
    return torch.where(rows.are(PAD), rows.eot, rows.embeddings)


METHOD = RowMethod(change=pads_to_eot, padding=True)
