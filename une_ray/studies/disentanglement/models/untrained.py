"""No training at all: the encoder as it is drawn, the control of every trained one."""

from __future__ import annotations

from collections.abc import Sequence

from une_ray.studies.disentanglement.models.model import Phase
from une_ray.studies.disentanglement.models.vae import VAE


class Untrained(VAE):
    def phases(self, progress: float) -> Sequence[Phase]:
        """None."""
        return []


MODEL = Untrained
