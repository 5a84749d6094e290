"""Jain et al. 2025, "Classifier-Free Guidance inside the Attraction Basin May Cause Memorization" (CVPR).

Guidance scales as functions of the timestep, for `guidance.guided`. The transition point is the static one; their dynamic one is not here.
"""

from __future__ import annotations


def delayed_guidance(timestep: int, transition: int = 500, before: float = 0.0, after: float = 7.5) -> float:
    """No guidance (scale 0: the network without a prompt) until the timestep falls below `transition`, then `after`."""
    return after if timestep < transition else before


def opposite_guidance(
    timestep: int, transition: int = 650, before: float = -2.0, after: float = 7.5
) -> float:
    """Away from the prompt until the timestep falls below `transition`, then towards it; defaults of the authors' static command."""
    return delayed_guidance(timestep, transition, before, after)
