"""mini-clip-a: transformers' CLIP under the symmetric InfoNCE loss (Radford et al. 2021, figure 3)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from une_ray.training.autoencoder import batch
from une_ray.training.data import Pictures
from une_ray.training.loop import Losses, Settings, draw, fit

SETTINGS = Settings(steps=1000, batch_size=192, learning_rate=1e-3, weight_decay=0.05, ema_decay=0.995)
CAPTION_VARIANTS = 4


def build(
    tokenizer: CLIPTokenizer, width: int = 128, layers: int = 6, text_width: int = 128, text_layers: int = 4
) -> CLIPModel:
    """Untrained: a vision tower with patches of 8 for 64 × 64 pictures, a causal text tower of 77 tokens."""
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": text_width,
        "intermediate_size": 4 * text_width,
        "num_hidden_layers": text_layers,
        "num_attention_heads": text_width // 32,
        "max_position_embeddings": 77,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "projection_dim": 128,
        "hidden_act": "quick_gelu",
    }
    vision = {
        "image_size": 64,
        "patch_size": 8,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 32,
        "projection_dim": 128,
        "hidden_act": "quick_gelu",
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=128))


def train(
    pictures: Pictures,
    tokenizer: CLIPTokenizer,
    folder: Path,
    settings: Settings = SETTINGS,
    device: str = "cpu",
    model: CLIPModel | None = None,
) -> CLIPModel:
    """Fit on (picture, one of its captions); the text tower becomes mini-sd-a's."""
    variants = [
        tokenizer(pictures.captions(v), padding="max_length", truncation=True, return_tensors="pt").input_ids
        for v in range(CAPTION_VARIANTS)
    ]
    tokens = torch.stack(variants, 1).short()

    def losses(model: CLIPModel, generator: torch.Generator, step: int) -> Losses:
        rows = draw(len(pictures.images), settings.batch_size, generator)
        ids = tokens[rows, draw(CAPTION_VARIANTS, len(rows), generator)].long().to(device)
        # A causal tower never looks at what follows the longest caption's end.
        longest = int((ids == tokenizer.eos_token_id).int().argmax(1).max()) + 1
        out = model(input_ids=ids[:, :longest], pixel_values=batch(pictures, rows, device))
        logits = out.logits_per_image.float()
        target = torch.arange(len(rows), device=device)
        loss = (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
        return {"loss": loss, "top1": (logits.argmax(1) == target).float().mean()}

    return fit(model or build(tokenizer), losses, settings, folder, device, "mini-clip-a")
