"""From trained parts to shipped folders: fp16 safetensors in the layouts of their libraries."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import (
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextModel,
    CLIPTokenizer,
    Dinov2Model,
    ResNetForImageClassification,
)

from une_ray.training import unet as unets
from une_ray.training.workspace import Workspace


def stable_diffusion(
    target: Path,
    vae: Path,
    unet: Path,
    tower: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    prediction_type: str = "epsilon",
) -> None:
    """`StableDiffusionPipeline` folder of a trained autoencoder, U-Net and text tower."""
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(vae).half(),
        unet=UNet2DConditionModel.from_pretrained(unet).half(),
        text_encoder=tower.half(),
        tokenizer=tokenizer,
        scheduler=unets.scheduler(prediction_type),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    _fresh(target)
    pipeline.save_pretrained(target)
    for path in target.glob("*/config.json"):  # diffusers notes the folder that a part came from
        config = {key: value for key, value in json.loads(path.read_text()).items() if key != "_name_or_path"}
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def mini_clip(workspace: Workspace, target: Path) -> None:
    """transformers CLIP folder: both towers, tokenizer, image processor."""
    _fresh(target)
    CLIPModel.from_pretrained(workspace.model("clip-a")).half().save_pretrained(target)
    CLIPTokenizer.from_pretrained(workspace.model("clip-a")).save_pretrained(target)
    _processor().save_pretrained(target)


def mini_clip_b(workspace: Workspace, target: Path) -> None:
    """open_clip folder, as its trainer left it: configuration, weights, tokenizer."""
    _fresh(target)
    for path in workspace.model("clip-b").iterdir():
        shutil.copy(path, target)


def mini_dino(workspace: Workspace, target: Path) -> None:
    """transformers Dinov2 folder."""
    _fresh(target)
    Dinov2Model.from_pretrained(workspace.model("dino")).half().save_pretrained(target)
    _processor().save_pretrained(target)


def mini_resnet(workspace: Workspace, target: Path) -> None:
    """transformers ResNet folder, its classes named."""
    _fresh(target)
    ResNetForImageClassification.from_pretrained(workspace.model("resnet")).half().save_pretrained(target)
    _processor().save_pretrained(target)


def _processor() -> CLIPImageProcessor:
    half = [0.5, 0.5, 0.5]
    return CLIPImageProcessor(
        size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}, image_mean=half, image_std=half
    )


def _fresh(target: Path) -> None:
    """An empty folder, but for a model card that is there."""
    if target.exists():
        for entry in target.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.suffix not in (".md", ".png", ".webp"):
                entry.unlink()
    target.mkdir(parents=True, exist_ok=True)
