"""Ablation (c) of Kim and No 2026, arXiv 2605.02908, section 3.1: every prompt row zeroed."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.token_rows import PROMPT, TokenRows


def zero_prompt(rows: TokenRows) -> torch.Tensor:
    """Eot and pads stay."""
    return rows.embeddings.masked_fill(rows.are(PROMPT), 0)


METHOD = RowMethod(change=zero_prompt, padding=True, by=True)
