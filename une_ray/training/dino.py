"""mini-dino: Dinov2 classes, self-distilled without labels or text, after data2vec (Baevski et al. 2022).

A student sees a picture with most patches masked; a slow teacher sees all of it. The student regresses the teacher's
features, averaged over layers, at the masked patches (data2vec, eq. 3), and once more at every patch from its class token
alone, so that the class token has to hold the whole picture. DINO's own loss between crops (Caron et al. 2021) was tried
first: on faces in fixed position its invariances threw away what the attributes are about (mean probe AUC .82).
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

SETTINGS = Settings(steps=1500, batch_size=128, learning_rate=1.5e-3, weight_decay=0.04, ema_decay=0.99)
TEACHER_DECAY = 0.997
MASKED = 0.6


def build(width: int = 128, layers: int = 6) -> Dinov2Model:
    return Dinov2Model(
        Dinov2Config(
            image_size=64, patch_size=8, hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 32,
            mlp_ratio=4, layerscale_value=1.0, drop_path_rate=0.0, use_mask_token=True,
        )
    )  # fmt: skip


class SelfDistilled(nn.Module):
    """Student, its slow teacher, and two predictors of the teacher's patch features."""

    def __init__(self, backbone: Dinov2Model) -> None:
        super().__init__()
        width = backbone.config.hidden_size
        patches = (backbone.config.image_size // backbone.config.patch_size) ** 2
        self.student = backbone
        self.teacher = copy.deepcopy(backbone).requires_grad_(False)
        self.from_patch = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.from_class = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, patches * width))

    @torch.no_grad()
    def targets(self, x: torch.Tensor) -> torch.Tensor:
        """(b, patches, width): the teacher's patch features, each layer normalised, averaged, normalised again."""
        layers = self.teacher(pixel_values=x, output_hidden_states=True).hidden_states[1:]
        mean = torch.stack([functional.layer_norm(h[:, 1:].float(), h.shape[-1:]) for h in layers]).mean(0)
        return functional.layer_norm(mean, mean.shape[-1:])

    @torch.no_grad()
    def teach(self) -> None:
        """Move the teacher towards the student."""
        for slow, fast in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            slow.lerp_(fast, 1 - TEACHER_DECAY)


def crop(x: torch.Tensor, size: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    """A random square of each picture, its side `low` to `high` of the whole, resized to `size`; slight brightness jitter."""
    b = len(x)
    side = low + (high - low) * torch.rand(b, generator=generator)
    centre = (torch.rand(b, 2, generator=generator) * 2 - 1) * (1 - side)[:, None]
    theta = torch.zeros(b, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = side
    theta[:, :, 2] = centre
    grid = functional.affine_grid(theta.to(x.device), (b, 3, size, size), align_corners=False)
    gain = 1 + 0.1 * (torch.rand(b, 1, 1, 1, generator=generator) * 2 - 1)
    return functional.grid_sample(x, grid, align_corners=False, padding_mode="border") * gain.to(x.device)


def train(pictures: Pictures, folder: Path, settings: Settings = SETTINGS, device: str = "cpu") -> Dinov2Model:
    """Fit on `pictures` alone and return the teacher."""
    model = SelfDistilled(build())

    def losses(model: SelfDistilled, generator: torch.Generator, step: int) -> Losses:
        x = crop(batch(pictures, draw(len(pictures.images), settings.batch_size, generator), device), 64, 0.85, 1.0, generator)
        targets = model.targets(x)
        mask = torch.rand(targets.shape[:2], generator=generator).to(device) < MASKED
        hidden = model.student(pixel_values=x, bool_masked_pos=mask).last_hidden_state
        patch = functional.smooth_l1_loss(model.from_patch(hidden[:, 1:][mask]).float(), targets[mask])
        whole = functional.smooth_l1_loss(model.from_class(hidden[:, 0]).float(), targets.flatten(1))
        spread = targets.flatten(1).std(0).mean()  # over the batch: falls to 0 on collapse
        return {"loss": patch + whole, "patch": patch, "class": whole, "spread": spread}

    fit(model, losses, settings, folder, device, "mini-dino", after_step=lambda step: model.teach())
    return model.teacher.eval()
