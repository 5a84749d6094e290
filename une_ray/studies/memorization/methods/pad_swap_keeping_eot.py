"""M1a of Kim and No 2026, arXiv 2605.02908, section 4: pads re-encoded as "!", the eot row kept."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.token_rows import PAD, TokenRows


def pad_swap_keeping_eot(rows: TokenRows) -> torch.Tensor:
    """The tower is causal, so all rows before the pads stay as they were, and a "!" within the prompt keeps
    its tokens."""
    return torch.where(rows.are(PAD), rows.exclaimed, rows.embeddings)


METHOD = RowMethod(change=pad_swap_keeping_eot)
