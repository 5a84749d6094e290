"""mini-resnet: a residual network (He et al. 2016) of the attributes, the supervised judge of edits.

It sees small shifts and noise in training, so that what a decoder blurs is no changed attribute.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional
from transformers import ResNetConfig, ResNetForImageClassification

from une_ray.corpora import avatars
from une_ray.training.autoencoder import batch
from une_ray.training.data import Pictures
from une_ray.training.loop import Losses, Settings, draw, fit

SETTINGS = Settings(steps=3000, batch_size=128, learning_rate=3e-3, weight_decay=0.02)
SHIFT, NOISE = 2, 0.1  # pixels to each side; standard deviation, of pixels in [-1, 1]


def build(widths: tuple[int, ...] = (16, 32, 64), depth: int = 2) -> ResNetForImageClassification:
    """Untrained, its 26 classes named."""
    names = dict(enumerate(avatars.ATTRIBUTES))
    return ResNetForImageClassification(
        ResNetConfig(
            embedding_size=widths[0],
            hidden_sizes=list(widths),
            depths=[depth] * len(widths),
            layer_type="basic",
            id2label=names,
            label2id={name: i for i, name in names.items()},
            problem_type="multi_label_classification",
        )
    )


def disturbed(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(b, 3, h, w) moved by up to SHIFT pixels, edges repeated, under Gaussian noise."""
    padded = functional.pad(x, [SHIFT] * 4, mode="replicate")
    down, right = torch.randint(2 * SHIFT + 1, (2,), generator=generator).tolist()
    moved = padded[:, :, down : down + x.shape[2], right : right + x.shape[3]]
    return moved + NOISE * torch.randn(x.shape, generator=generator).to(x.device)


def train(
    pictures: Pictures,
    folder: Path,
    settings: Settings = SETTINGS,
    device: str = "cpu",
    model: ResNetForImageClassification | None = None,
) -> ResNetForImageClassification:
    """Fit to the pictures' 26 attributes by binary cross-entropy."""
    labels = torch.from_numpy(pictures.attributes()).float()

    def losses(model: ResNetForImageClassification, generator: torch.Generator, step: int) -> Losses:
        rows = draw(len(labels), settings.batch_size, generator)
        logits = model(pixel_values=disturbed(batch(pictures, rows, device), generator)).logits.float()
        wanted = labels[rows].to(device)
        right = ((logits.detach() > 0) == (wanted > 0)).float().mean()
        return {"loss": functional.binary_cross_entropy_with_logits(logits, wanted), "accuracy": right}

    return fit(model or build(), losses, settings, folder, device, "mini-resnet")
