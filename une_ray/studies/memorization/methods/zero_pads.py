"""M2(r) of Kim and No 2026, arXiv 2605.02908, section 4: the share `fraction` of the pads zeroed, right after
eot or at the other end."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from une_ray.settings import Range
from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.token_rows import PAD, TokenRows


def zero_pads(
    rows: TokenRows,
    *,
    fraction: Annotated[float, Range(0, 1), "share of the pads, rounded down"] = 0.7,
    end: Annotated[Literal["first", "last"], "which of them: right after eot, or at the end"] = "first",
    scale: Annotated[float, "what they are multiplied by"] = 0.0,
) -> torch.Tensor:
    """The first ⌊fraction · pads⌋ pads, or the last ones, multiplied by `scale`.

    A zero row is no removal: key and value have no bias, so it is a token of logit 0 and value 0.
    """
    pads = rows.classes == PAD
    count = pads.sum(1, keepdim=True)
    number = pads.cumsum(1)  # 1 at the first pad
    zeroed = (count.double() * fraction + 1e-9).floor()  # .29 · 100 is 28.999… in floating point
    are_zeroed = pads & (number <= zeroed if end == "first" else number > count - zeroed)
    return torch.where(are_zeroed[..., None], rows.embeddings * scale, rows.embeddings)


METHOD = RowMethod(change=zero_pads, padding=True, by=True, zeros_only=("scale",))
