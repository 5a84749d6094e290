"""Ablation (h) of Kim and No 2026, arXiv 2605.02908, section 3.2: every pad row zeroed."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.methods.zero_pads import zero_pads
from une_ray.studies.memorization.token_rows import TokenRows


def zero_all_pads(rows: TokenRows) -> torch.Tensor:
    """M2 with a fraction of 1."""
    return zero_pads(rows, fraction=1.0)


METHOD = RowMethod(change=zero_all_pads, padding=True, by=True)
