"""Scores that tell memorised prompts from ordinary ones, one file each, found by
`une_ray.registry.DETECTORS`.

A file defines `DETECTOR`, a function of a `Trace`; its name is the detector's, and its docstring's first
paragraph what help says of it. A file of another package is one by its entry point `une_ray.detectors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # names are read without torch
    import torch

    from une_ray.studies.memorization.trace import Trace


class Detector(Protocol):
    """What reads a sampling that was watched."""

    def __call__(self, trace: Trace, /) -> torch.Tensor:
        """(b,) float scores, higher is more memorised."""
        ...
