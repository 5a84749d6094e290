"""mini-dino: Dinov2 classes, self-distilled without labels or text.

DINO's cross-entropy between the teacher's and the student's class token over crops (Caron et al. 2021, algorithm 1)
plus regression of the teacher's patch features under a mask (data2vec, Baevski et al. 2022; the place of iBOT's term in
DINOv2, Oquab et al. 2024). Colours are attributes here, so the augmentations crop and jitter but never recolour.
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

SETTINGS = Settings(steps=1000, batch_size=96, learning_rate=1e-3, weight_decay=0.04, ema_decay=0.99)
TEACHER_DECAY = 0.99
STUDENT_TEMPERATURE, TEACHER_TEMPERATURE = 0.1, 0.05
CENTER_DECAY = 0.9


def build(width: int = 128, layers: int = 6) -> Dinov2Model:
    return Dinov2Model(
        Dinov2Config(
            image_size=64, patch_size=8, hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 32,
            mlp_ratio=4, layerscale_value=1.0, drop_path_rate=0.0, use_mask_token=True,
        )
    )  # fmt: skip


class Head(nn.Module):
    """Backbone and projection to prototypes: what the student and the teacher both are."""

    def __init__(self, backbone: Dinov2Model, prototypes: int = 1024) -> None:
        super().__init__()
        width = backbone.config.hidden_size
        self.backbone = backbone
        self.projector = nn.Sequential(nn.Linear(width, 512), nn.GELU(), nn.Linear(512, 128))
        self.prototypes = nn.utils.parametrizations.weight_norm(nn.Linear(128, prototypes, bias=False))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Prototype logits (b, prototypes) of the class token and patch features (b, patches, width)."""
        hidden = self.backbone(pixel_values=x, bool_masked_pos=mask).last_hidden_state
        projected = functional.normalize(self.projector(hidden[:, 0]), dim=-1)
        return self.prototypes(projected), hidden[:, 1:]


class SelfDistilled(nn.Module):
    """Student, its slow teacher, and a predictor of the teacher's patch features."""

    def __init__(self, backbone: Dinov2Model) -> None:
        super().__init__()
        width = backbone.config.hidden_size
        self.student = Head(backbone)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.predictor = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.register_buffer("center", torch.zeros(1, self.student.prototypes.out_features))

    @torch.no_grad()
    def teach(self) -> None:
        """Move the teacher towards the student."""
        for slow, fast in zip(self.teacher.parameters(), self.student.parameters()):
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
    """Fit on `pictures` alone and return the teacher's backbone."""
    model = SelfDistilled(build())

    def losses(model: SelfDistilled, generator: torch.Generator, step: int) -> Losses:
        x = batch(pictures, draw(len(pictures.images), settings.batch_size, generator), device)
        views = [crop(x, 64, 0.75, 1.0, generator) for _ in range(2)]
        small = [crop(x, 32, 0.35, 0.6, generator) for _ in range(2)]
        with torch.no_grad():
            targets = [model.teacher(view) for view in views]
            taught = [((logits - model.center) / TEACHER_TEMPERATURE).float().softmax(-1) for logits, _ in targets]
            model.center.lerp_(torch.cat([logits for logits, _ in targets]).float().mean(0, keepdim=True), 1 - CENTER_DECAY)
            features = [functional.layer_norm(patches.float(), patches.shape[-1:]) for _, patches in targets]
        mask = torch.rand(len(x), 64, generator=generator).to(device) < 0.5
        seen = [model.student(view, mask) for view in views] + [model.student(view) for view in small]
        terms = [
            -(taught[i] * (logits / STUDENT_TEMPERATURE).float().log_softmax(-1)).sum(-1).mean()
            for i in range(2) for j, (logits, _) in enumerate(seen) if i != j
        ]  # fmt: skip
        patch = sum(functional.smooth_l1_loss(model.predictor(seen[i][1])[mask].float(), features[i][mask]) for i in range(2))
        entropy = -(taught[0].mean(0) * taught[0].mean(0).clamp_min(1e-9).log()).sum()  # falls to 0 on collapse
        distill = sum(terms) / len(terms)
        return {"loss": distill + patch, "distill": distill, "patch": patch, "entropy": entropy}

    fit(model, losses, settings, folder, device, "mini-dino", after_step=lambda step: model.teach())
    return model.teacher.backbone.eval()
