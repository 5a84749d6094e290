"""Ablation (g) of Kim and No 2026, arXiv 2605.02908, section 3.2: prompt and eot rows replaced by the mean of
the pads."""

from __future__ import annotations

import torch

from une_ray.errors import UneError
from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.token_rows import EOT, PAD, PROMPT, TokenRows


def prompt_and_eot_to_mean_pad(rows: TokenRows) -> torch.Tensor:
    """The pads stay. Raises UneError for a prompt that fills all rows."""
    pads = rows.are(PAD)
    has_pads = pads.any(1)
    if not has_pads.all():
        full = int((~has_pads).nonzero()[0, 0])
        raise UneError(f"prompt {full} fills all rows: there is no pad to take the mean of")
    mean = (rows.embeddings * pads).sum(1, keepdim=True) / pads.sum(1, keepdim=True)
    return torch.where(rows.are(PROMPT, EOT), mean.to(rows.embeddings), rows.embeddings)


METHOD = RowMethod(change=prompt_and_eot_to_mean_pad, padding=True)
