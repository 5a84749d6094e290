"""Ablation (b) of Kim and No 2026, arXiv 2605.02908, section 3.1: every prompt row replaced by eot's."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.token_rows import PROMPT, TokenRows


def prompt_to_eot(rows: TokenRows) -> torch.Tensor:
    """Eot and pads stay."""
    return torch.where(rows.are(PROMPT), rows.eot, rows.embeddings)


METHOD = RowMethod(change=prompt_to_eot, padding=True)
