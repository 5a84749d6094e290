"""Scores that tell memorised prompts from ordinary ones: higher is more memorised. All but SAIL read a `Trace`."""

from functools import partial

from une_ray.errors import unknown
from une_ray.studies.memorization.detectors.bright_ending import bright_ending
from une_ray.studies.memorization.detectors.cross_attention_entropy import (
    cross_attention_entropy,
    first_step_entropy,
)
from une_ray.studies.memorization.detectors.noise_norm import noise_norm

DETECTORS = {
    "wen-1": partial(noise_norm, steps=1),
    "wen-10": partial(noise_norm, steps=10),
    "wen-all": noise_norm,
    "ren-d": cross_attention_entropy,
    "ren-e": first_step_entropy,
    "bright-ending": bright_ending,
}
"""Name → function of a Trace of all steps, giving (b,) scores."""

NAMES = (*DETECTORS, "sail")


def check(detector: str) -> None:
    """Raise UneError for an unknown detector, with the known ones."""
    if detector not in NAMES:
        raise unknown("detector", detector, NAMES)
