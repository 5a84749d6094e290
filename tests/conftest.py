"""Small models of the real classes with random weights, built offline."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def zoo(tmp_path_factory) -> Path:
    """Folders `sd`, `clip` and `dino`: untrained models of the mini zoo's architectures, as the trainer leaves them."""
    from une_ray.corpora import avatars
    from une_ray.training import autoencoder, clip, dino, package, tokenizer, unet

    torch.manual_seed(0)
    work = tmp_path_factory.mktemp("zoo")
    words = tokenizer.build([avatars.caption(0, i) for i in range(50)], work / "tokenizer")
    words.save_pretrained(work / "clip" / "model")
    clip.build(words, width=64, layers=1, text_width=32, text_layers=1).save_pretrained(work / "clip" / "model")
    autoencoder.build((8, 8, 8)).save_pretrained(work / "autoencoder" / "model")
    unet.build(32, (16, 16)).save_pretrained(work / "unet" / "model")
    dino.build(64, 1).save_pretrained(work / "dino" / "model")
    package.mini_sd(work, work / "sd")
    package.mini_clip(work, work / "mini-clip")
    package.mini_dino(work, work / "mini-dino")
    return work


@pytest.fixture(scope="session")
def tiny_spaces(zoo) -> list[str]:
    """A generator and two encoders, as `une build --spaces` names them."""
    return [f"sd=stable-diffusion:{zoo}/sd/ddim3", f"clip=clip:{zoo}/mini-clip", f"dino=dino:{zoo}/mini-dino"]
