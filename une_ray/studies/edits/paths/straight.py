"""Straight on: α steps."""

from __future__ import annotations

from une_ray.studies.edits.move import move
from une_ray.studies.edits.paths import Path

PATH = Path(move)
