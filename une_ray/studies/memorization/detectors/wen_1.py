"""Wen et al. 2024 (ICLR): the norm of the guidance, at the first step."""

from __future__ import annotations

from functools import partial

from une_ray.studies.memorization.detectors import Detector
from une_ray.studies.memorization.detectors.noise_norm import noise_norm

DETECTOR: Detector = partial(noise_norm, steps=1)
