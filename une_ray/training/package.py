"""From trained parts to shipped folders: fp16 safetensors in the layouts of diffusers and transformers."""

from __future__ import annotations

import shutil
from pathlib import Path

from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPImageProcessor, CLIPModel, CLIPTextModel, CLIPTokenizer, Dinov2Model

from une_ray.training import unet


def mini_sd(work: Path, target: Path) -> None:
    """`StableDiffusionPipeline` folder of the trained autoencoder, U-Net and text tower."""
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(work / "autoencoder" / "model").half(),
        unet=UNet2DConditionModel.from_pretrained(work / "unet" / "model").half(),
        text_encoder=CLIPTextModel.from_pretrained(work / "clip" / "model").half(),
        tokenizer=CLIPTokenizer.from_pretrained(work / "clip" / "model"),
        scheduler=unet.scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    _fresh(target)
    pipeline.save_pretrained(target)


def mini_clip(work: Path, target: Path) -> None:
    """transformers CLIP folder: both towers, tokenizer, image processor."""
    _fresh(target)
    CLIPModel.from_pretrained(work / "clip" / "model").half().save_pretrained(target)
    CLIPTokenizer.from_pretrained(work / "clip" / "model").save_pretrained(target)
    _processor().save_pretrained(target)


def mini_dino(work: Path, target: Path) -> None:
    """transformers Dinov2 folder."""
    _fresh(target)
    Dinov2Model.from_pretrained(work / "dino" / "model").half().save_pretrained(target)
    _processor().save_pretrained(target)


def _processor() -> CLIPImageProcessor:
    half = [0.5, 0.5, 0.5]
    return CLIPImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}, image_mean=half, image_std=half)


def _fresh(target: Path) -> None:
    """An empty folder, but for a model card that is there."""
    if target.exists():
        for entry in target.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.suffix not in (".md", ".png"):
                entry.unlink()
    target.mkdir(parents=True, exist_ok=True)
