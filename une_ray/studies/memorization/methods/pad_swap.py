"""M1 of Kim and No 2026, arXiv 2605.02908, section 4: pads re-encoded as "!", then the eot row zeroed."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.methods.pad_swap_keeping_eot import pad_swap_keeping_eot
from une_ray.studies.memorization.token_rows import EOT, TokenRows


def pad_swap(rows: TokenRows) -> torch.Tensor:
    """M1a, and a zero row for eot."""
    return pad_swap_keeping_eot(rows).masked_fill(rows.are(EOT), 0)


METHOD = RowMethod(change=pad_swap)
