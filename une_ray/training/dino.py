"""mini-dino: Dinov2 classes, self-distilled without labels or text, read by class token and quarters.

A student sees a random crop, its slow teacher the whole picture (BYOL, Grill et al. 2020). The student's
embedding regresses the teacher's, *whitened*: every direction in which pictures differ counts alike, so a
mouth is worth as much as a background, and nothing can collapse (whitening as in W-MSE, Ermolov et al.
2021). Colours are attributes here, so nothing is recoloured.

Tried first and dropped, with the AUC of ridge probes on the same embedding: DINO's prototypes over crops
(Caron et al. 2021) .90, data2vec's masked regression (Baevski et al. 2022) .91, Barlow Twins (Zbontar et al.
2021) .88; an untrained network gives .97. What is easy to predict, large coloured areas, drives out what is
small.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from transformers import Dinov2Config, Dinov2Model

from une_ray.training.autoencoder import batch
from une_ray.training.data import Pictures
from une_ray.training.loop import Losses, Settings, draw, fit

SETTINGS = Settings(steps=1100, batch_size=128, learning_rate=2e-3, weight_decay=0.02, ema_decay=0.99)
# At .998 what is hard to predict is gone from the teacher after a thousand steps (probe AUC .86).
TEACHER_DECAY = 0.9999
STATISTICS_DECAY = 0.98
FLOOR = 1e-4  # of the mean variance: directions with less are not amplified further


def build(width: int = 128, layers: int = 6) -> Dinov2Model:
    """Untrained: a vision transformer with patches of 8 for 64 × 64 pictures."""
    return Dinov2Model(
        Dinov2Config(
            image_size=64,
            patch_size=8,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=width // 32,
            mlp_ratio=4,
            layerscale_value=1.0,
            drop_path_rate=0.0,
            use_mask_token=False,
        )
    )


def embed(backbone: Dinov2Model, x: torch.Tensor) -> torch.Tensor:
    """(b, 2 · width) float32: class token and mean patch token."""
    out = backbone(pixel_values=x)
    return torch.cat([out.pooler_output, out.last_hidden_state[:, 1:].mean(1)], -1).float()


class SelfDistilled(nn.Module):
    """Student, slow teacher, and running mean and covariance of the teacher's embeddings."""

    mean: torch.Tensor
    covariance: torch.Tensor

    def __init__(self, backbone: Dinov2Model) -> None:
        super().__init__()
        width = 2 * backbone.config.hidden_size
        self.student = backbone
        self.teacher: Dinov2Model = copy.deepcopy(backbone).requires_grad_(False)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("covariance", torch.eye(width))

    @torch.no_grad()
    def targets(self, x: torch.Tensor) -> torch.Tensor:
        """(b, 2 · width): the teacher's embeddings, ZCA-whitened by the statistics, which they update."""
        z = embed(self.teacher, x)
        self.observe(z, 1 - STATISTICS_DECAY)
        variance, axes = torch.linalg.eigh(self.covariance.double())
        scale = (variance.clamp_min(0) + FLOOR * variance.mean()).rsqrt()
        return (z - self.mean) @ ((axes * scale) @ axes.T).float()

    @torch.no_grad()
    def observe(self, z: torch.Tensor, share: float) -> None:
        """Let `z` (b, width) count for `share` of the running statistics."""
        self.mean.lerp_(z.mean(0), share)
        centred = z - self.mean
        self.covariance.lerp_(centred.T @ centred / len(z), share)

    @torch.no_grad()
    def teach(self) -> None:
        """Move the teacher towards the student."""
        for slow, fast in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            slow.lerp_(fast, 1 - TEACHER_DECAY)


def crop(x: torch.Tensor, size: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    """A random square of each picture, resized to `size`, its brightness slightly changed.

    Its side is `low` to `high` of the whole.
    """
    b = len(x)
    side = low + (high - low) * torch.rand(b, generator=generator)
    centre = (torch.rand(b, 2, generator=generator) * 2 - 1) * (1 - side)[:, None]
    theta = torch.zeros(b, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = side
    theta[:, :, 2] = centre
    grid = functional.affine_grid(theta.to(x.device), [b, 3, size, size], align_corners=False)
    gain = 1 + 0.1 * (torch.rand(b, 1, 1, 1, generator=generator) * 2 - 1)
    return functional.grid_sample(x, grid, align_corners=False, padding_mode="border") * gain.to(x.device)


def train(
    pictures: Pictures,
    folder: Path,
    settings: Settings = SETTINGS,
    device: str = "cpu",
    backbone: Dinov2Model | None = None,
) -> Dinov2Model:
    """Fit on `pictures` alone and return the student (its average over steps)."""
    model = SelfDistilled(backbone or build()).to(device)
    with torch.no_grad():
        rows = torch.arange(0, len(pictures.images), max(1, len(pictures.images) // 2048))
        parts = [embed(model.teacher, batch(pictures, part, device)) for part in rows.split(256)]
        model.observe(torch.cat(parts), 1.0)

    def losses(model: SelfDistilled, generator: torch.Generator, step: int) -> Losses:
        x = batch(pictures, draw(len(pictures.images), settings.batch_size, generator), device)
        # What whitening amplifies, bfloat16 would round away.
        with torch.autocast(device.split(":")[0], enabled=False):
            target = model.targets(x)
        loss = functional.mse_loss(embed(model.student, crop(x, 64, 0.95, 1.0, generator)), target)
        return {"loss": loss, "explained": 1 - loss.detach() / target.var()}

    fitted = fit(model, losses, settings, folder, device, "mini-dino", after_step=lambda step: model.teach())
    return fitted.student.eval()
