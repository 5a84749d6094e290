"""Small models of the real classes with random weights, built offline."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import CLIPTextModel


@pytest.fixture(scope="session")
def zoo(tmp_path_factory) -> Path:
    """Folders `sd`, `clip` and `dino`: untrained models of the mini zoo's architectures, as the trainer leaves them."""
    from une_ray.corpora import avatars
    from une_ray.training import autoencoder, clip, dino, package, tokenizer, unet
    from une_ray.training.zoo import Work

    torch.manual_seed(0)
    work = Work(tmp_path_factory.mktemp("zoo"))
    words = tokenizer.build([avatars.caption(0, i) for i in range(50)], work.folder / "tokenizer")
    words.save_pretrained(work.model("clip-a"))
    towers = clip.build(words, width=64, layers=1, text_width=32, text_layers=1)
    towers.save_pretrained(work.model("clip-a"))
    autoencoder.build((8, 8, 8)).save_pretrained(work.model("autoencoder"))
    unet.build(32, (16, 16)).save_pretrained(work.model("unet"))
    dino.build(64, 1).save_pretrained(work.model("dino"))
    tower = CLIPTextModel.from_pretrained(work.model("clip-a"))
    package.stable_diffusion(work.folder / "sd", work.model("autoencoder"), work.model("unet"), tower, words)
    package.mini_clip(work, work.folder / "mini-clip")
    package.mini_dino(work, work.folder / "mini-dino")
    return work.folder


@pytest.fixture(scope="session")
def tiny_spaces(zoo) -> list[str]:
    """A generator and two encoders, as `une build --spaces` names them."""
    return [f"sd=stable-diffusion:{zoo}/sd/ddim3", f"clip=clip:{zoo}/mini-clip", f"dino=dino:{zoo}/mini-dino"]


@pytest.fixture(scope="session")
def sscd(tmp_path_factory) -> str:
    """The name of a copy metric of random weights."""
    from safetensors.torch import save_file
    from torchvision.models import resnet50

    file = tmp_path_factory.mktemp("sscd") / "sscd.safetensors"
    save_file(
        {f"backbone.{name}": value for name, value in resnet50(num_classes=512).state_dict().items()}, file
    )
    return f"sscd:{file}"
