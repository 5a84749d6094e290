"""Ablation (e) of Kim and No 2026, arXiv 2605.02908, section 3.2: every row but sot's replaced by eot's."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.token_rows import SOT, TokenRows


def all_to_eot(rows: TokenRows) -> torch.Tensor:
    """Sot stays."""
    return torch.where(rows.are(SOT), rows.embeddings, rows.eot)


METHOD = RowMethod(change=all_to_eot, padding=True)
