"""mini-clip-b: open_clip's residual network and text tower under the sigmoid loss (Zhai et al. 2023).

It shares nothing with mini-clip-a: other library, other architecture and width, other loss, other half of
the pictures, other tokenizer and padding. Two models that agree nevertheless agree about the pictures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from une_ray.training.autoencoder import batch
from une_ray.training.data import Pictures
from une_ray.training.dino import crop
from une_ray.training.loop import Losses, Settings, draw, fit

SETTINGS = Settings(steps=2000, batch_size=256, learning_rate=1e-3, weight_decay=0.05, ema_decay=0.998)
CAPTION_VARIANTS = 4
MERGES = 90
EMBED_DIM = 96
VISION: dict[str, Any] = {
    "image_size": 64,
    "layers": [1, 2, 2, 1],
    "width": 16,
    "head_width": 32,
    "patch_size": None,
}
TEXT: dict[str, Any] = {"context_length": 77, "width": 96, "heads": 3, "layers": 3}


def write_config(
    folder: Path,
    tokenizer: CLIPTokenizer,
    vision: dict[str, Any] = VISION,
    text: dict[str, Any] = TEXT,
) -> None:
    """`open_clip_config.json` and the tokenizer: what `open_clip.create_model("local-dir:…")` reads."""
    model = {
        "embed_dim": EMBED_DIM,
        "vision_cfg": vision,
        "text_cfg": {**text, "vocab_size": len(tokenizer), "hf_tokenizer_name": "in this folder"},
        "init_logit_scale": 2.3025850929940455,
        "init_logit_bias": -10.0,
    }
    half = [0.5, 0.5, 0.5]
    preprocess = {"mean": half, "std": half, "interpolation": "bicubic", "resize_mode": "shortest"}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": model, "preprocess_cfg": preprocess}, indent=2)
    )
    tokenizer.save_pretrained(folder)


def train(
    pictures: Pictures,
    tokenizer: CLIPTokenizer,
    folder: Path,
    settings: Settings = SETTINGS,
    device: str = "cpu",
    **config: dict[str, Any],
) -> torch.nn.Module:
    """Fit on (picture, one of its captions) and leave an open_clip folder in `folder / "model"`."""
    write_config(folder / "model", tokenizer, **config)
    model = open_clip.create_model(f"local-dir:{folder / 'model'}", load_weights=False).to(
        memory_format=torch.channels_last
    )
    words = open_clip.get_tokenizer(f"local-dir:{folder / 'model'}")
    tokens = torch.stack([words(pictures.captions(v)) for v in range(CAPTION_VARIANTS)], 1).short()
    loss_of = open_clip.loss.SigLipLoss()

    def losses(model: torch.nn.Module, generator: torch.Generator, step: int) -> Losses:
        rows = draw(len(pictures.images), settings.batch_size, generator)
        ids = tokens[rows, draw(CAPTION_VARIANTS, len(rows), generator)].long().to(device)
        shown = crop(batch(pictures, rows, device), 64, 0.92, 1.0, generator)
        out = model(shown.contiguous(memory_format=torch.channels_last), ids)
        images, texts, scale, bias = (value.float() for value in out)
        top1 = ((images @ texts.T).argmax(1) == torch.arange(len(rows), device=device)).float().mean()
        return {"loss": loss_of(images, texts, scale, bias), "top1": top1}

    fitted = fit(model, losses, settings, folder, device, "mini-clip-b")
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in fitted.state_dict().items()
    }
    save_file(
        {name: value.contiguous() for name, value in weights.items()},
        folder / "model" / "open_clip_model.safetensors",
    )
    return fitted


def text_tower(folder: Path) -> CLIPTextModel:
    """The text tower of an open_clip folder as transformers' `CLIPTextModel`.

    Stable Diffusion 2.x did the same with OpenCLIP's.
    """
    model = open_clip.create_model(f"local-dir:{folder}")
    words, blocks = CLIPTokenizer.from_pretrained(folder), model.transformer.resblocks
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=model.transformer.width,
        intermediate_size=blocks[0].mlp.c_fc.out_features,
        num_hidden_layers=len(blocks),
        num_attention_heads=blocks[0].attn.num_heads,
        max_position_embeddings=len(model.positional_embedding),
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        projection_dim=EMBED_DIM,
        hidden_act="gelu",
    )
    tower = CLIPTextModel(config)
    tower.embeddings.token_embedding.weight.data = model.token_embedding.weight.data
    tower.embeddings.position_embedding.weight.data = model.positional_embedding.data
    tower.final_layer_norm.load_state_dict(model.ln_final.state_dict())
    layers: Any = tower.encoder.layers
    for layer, block in zip(layers, blocks, strict=True):
        attention = layer.self_attn
        for part, weight, bias in zip(
            (attention.q_proj, attention.k_proj, attention.v_proj),
            block.attn.in_proj_weight.chunk(3),
            block.attn.in_proj_bias.chunk(3),
        ):
            part.weight.data, part.bias.data = weight.data.clone(), bias.data.clone()
        attention.out_proj.load_state_dict(block.attn.out_proj.state_dict())
        layer.layer_norm1.load_state_dict(block.ln_1.state_dict())
        layer.layer_norm2.load_state_dict(block.ln_2.state_dict())
        layer.mlp.fc1.load_state_dict(block.mlp.c_fc.state_dict())
        layer.mlp.fc2.load_state_dict(block.mlp.c_proj.state_dict())
    return tower.eval()
