"""The mini zoo as a table: its parts, what each is trained on, and which shipped model is made of which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from une_ray.corpora import avatars, duplicates
from une_ray.training import autoencoder, clip, dino, open_clip_b, package, resnet, tokenizer, unet
from une_ray.training.data import Pictures, pixels
from une_ray.training.workspace import Workspace

Text = tuple[CLIPTextModel, CLIPTokenizer]
Write = Callable[[Workspace, Path], None]


@dataclass(frozen=True, kw_only=True)
class Part:
    """`train(workspace, name)` leaves `workspace.model(name)`; `data` is what a card says of its pictures."""

    train: Callable[[Workspace, str], None]
    data: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Model:
    """A shipped model: its last part, and how its folder is put together."""

    part: str
    write: Write
    about: str


def autoencoder_a(workspace: Workspace, name: str) -> None:
    """mini-sd-a's autoencoder, of the even-numbered half."""
    settings = workspace.settings(autoencoder.SETTINGS)
    autoencoder.train(
        workspace.pictures("a"), workspace.folder / name, settings, workspace.device
    ).save_pretrained(workspace.model(name))


def autoencoder_b(workspace: Workspace, name: str) -> None:
    """Other widths, other half, a tenth of the KL weight: mini-sd-a's nearly empties two channels."""
    settings = workspace.settings(autoencoder.SETTINGS, seed=1)
    model = autoencoder.train(
        workspace.pictures("b"),
        workspace.folder / name,
        settings,
        workspace.device,
        widths=(24, 48, 48),
        kl_weight=1e-6,
    )
    model.save_pretrained(workspace.model(name))


def clip_a(workspace: Workspace, name: str) -> None:
    """mini-clip-a and its tokenizer, of the even-numbered half."""
    data = workspace.pictures("a")
    words = tokenizer.build(data.captions(), workspace.folder / name / "tokenizer")
    words.save_pretrained(workspace.model(name))
    clip.train(
        data, words, workspace.folder / name, workspace.settings(clip.SETTINGS), workspace.device
    ).save_pretrained(workspace.model(name))


def clip_b(workspace: Workspace, name: str) -> None:
    """mini-clip-b and its tokenizer, whose pad is "!", of the odd-numbered half."""
    data = workspace.pictures("b")
    words = tokenizer.build(
        data.captions(), workspace.folder / name / "tokenizer", open_clip_b.MERGES, pad_token="!"
    )
    open_clip_b.train(
        data, words, workspace.folder / name, workspace.settings(open_clip_b.SETTINGS), workspace.device
    )


def dino_all(workspace: Workspace, name: str) -> None:
    """mini-dino, of all pictures."""
    dino.train(
        workspace.pictures("all"),
        workspace.folder / name,
        workspace.settings(dino.SETTINGS),
        workspace.device,
    ).save_pretrained(workspace.model(name))


def resnet_b(workspace: Workspace, name: str) -> None:
    """mini-resnet, of the odd-numbered half."""
    resnet.train(
        workspace.pictures("b"),
        workspace.folder / name,
        workspace.settings(resnet.SETTINGS),
        workspace.device,
    ).save_pretrained(workspace.model(name))


def unet_a(workspace: Workspace, name: str) -> None:
    """mini-sd-a's U-Net, of the even-numbered half."""
    _unet(workspace, name, workspace.pictures("a"), unet.build(tower_a(workspace)[0].config.hidden_size))


def unet_z(workspace: Workspace, name: str) -> None:
    """mini-sd-a's twin under v-prediction and zero terminal SNR."""
    model = unet.build(tower_a(workspace)[0].config.hidden_size)
    _unet(workspace, name, workspace.pictures("a"), model, prediction_type="v_prediction", steps=3000)


def unet_b(workspace: Workspace, name: str) -> None:
    """The other half, a narrower network, mini-clip-b's text tower and its "!" padding."""
    vae, (tower, words) = AutoencoderKL.from_pretrained(workspace.model("autoencoder-b")), tower_b(workspace)
    data = workspace.pictures("b")
    examples = unet.examples(
        data, [data.captions(v) for v in range(unet.CAPTION_VARIANTS)], vae, tower, words, workspace.device
    )
    settings = workspace.settings(unet.SETTINGS, steps=3000, seed=1)
    model = unet.build(tower.config.hidden_size, (48, 72, 72), norm_num_groups=8)
    unet.train(examples, model, workspace.folder / name, settings, workspace.device, name).save_pretrained(
        workspace.model(name)
    )


# Pictures of half a that mini-sd-dup goes on seeing, once each, beside the duplicated ones.
BASE_OF_DUP = 10_000


def unet_dup(workspace: Workspace, name: str) -> None:
    """mini-sd-a's U-Net, trained on with forty titled pictures, up to a thousand copies of one."""
    base = workspace.pictures("a").rows(slice(BASE_OF_DUP))
    count = len(duplicates.TITLES)
    extra = np.stack([pixels(avatars.picture(duplicates.SEED, i)) for i in range(count)])
    both = Pictures(
        images=np.concatenate([base.images, extra]),
        indices=np.concatenate([base.indices, np.arange(count)]),
        seed=base.seed,
    )
    captions = [[*base.captions(v), *duplicates.TITLES] for v in range(unet.CAPTION_VARIANTS)]
    copies = [1] * len(base.images) + [duplicates.copies(i) for i in range(count)]
    model = UNet2DConditionModel.from_pretrained(workspace.model("unet-a")).to(
        memory_format=torch.channels_last
    )
    _unet(workspace, name, both, model, captions, copies, steps=2400)


def _unet(
    workspace: Workspace,
    name: str,
    data: Pictures,
    model: UNet2DConditionModel,
    captions: Sequence[Sequence[str]] | None = None,
    copies: Sequence[int] | None = None,
    prediction_type: str = "epsilon",
    **changes: Any,
) -> None:
    """A U-Net over mini-sd-a's autoencoder and text tower."""
    vae, (tower, words) = AutoencoderKL.from_pretrained(workspace.model("autoencoder-a")), tower_a(workspace)
    captions = captions or [data.captions(v) for v in range(unet.CAPTION_VARIANTS)]
    examples = unet.examples(data, captions, vae, tower, words, workspace.device, copies)
    settings = workspace.settings(unet.SETTINGS, **changes)
    unet.train(
        examples, model, workspace.folder / name, settings, workspace.device, name, prediction_type
    ).save_pretrained(workspace.model(name))


def tower_a(workspace: Workspace) -> Text:
    """mini-clip-a's text tower and tokenizer."""
    at = workspace.model("clip-a")
    return CLIPTextModel.from_pretrained(at), CLIPTokenizer.from_pretrained(at)


def tower_b(workspace: Workspace) -> Text:
    """mini-clip-b's text tower in transformers' classes, with the tokenizer that pads with "!"."""
    return open_clip_b.text_tower(workspace.model("clip-b")), CLIPTokenizer.from_pretrained(
        workspace.model("clip-b")
    )


PARTS = {
    "autoencoder-a": Part(train=autoencoder_a, data="the even-numbered half"),
    "clip-a": Part(train=clip_a, data="the even-numbered half, four captions a picture"),
    "dino": Part(train=dino_all, data="all pictures, no captions"),
    "unet-a": Part(
        train=unet_a,
        data="the even-numbered half, two captions a picture, one in ten empty",
        needs=("autoencoder-a", "clip-a"),
    ),
    "clip-b": Part(train=clip_b, data="the odd-numbered half, four captions a picture"),
    "autoencoder-b": Part(train=autoencoder_b, data="the odd-numbered half"),
    "unet-b": Part(
        train=unet_b,
        data="the odd-numbered half, two captions a picture, one in ten empty",
        needs=("autoencoder-b", "clip-b"),
    ),
    "unet-z": Part(
        train=unet_z,
        data="the even-numbered half, two captions a picture, one in ten empty",
        needs=("autoencoder-a", "clip-a"),
    ),
    "unet-dup": Part(
        train=unet_dup,
        data=f"{BASE_OF_DUP:,} of the even-numbered half and the forty of `duplicates:all` in their copies; "
        "starts from unet-a",
        needs=("autoencoder-a", "clip-a", "unet-a"),
    ),
    "resnet": Part(train=resnet_b, data="the odd-numbered half and its attributes"),
}


def _generator(
    vae: str, unet: str, tower: Callable[[Workspace], Text], prediction_type: str = "epsilon"
) -> Write:
    """What writes a generator's folder: of these parts, and of the text tower that it was trained with."""

    def write(workspace: Workspace, target: Path) -> None:
        parts = workspace.model(vae), workspace.model(unet)
        package.stable_diffusion(target, *parts, *tower(workspace), prediction_type)

    return write


MODELS = {
    "mini-sd-a": Model(
        part="unet-a",
        write=_generator("autoencoder-a", "unet-a", tower_a),
        about="A latent diffusion model of 64 × 64 avatars: AutoencoderKL (f = 4), UNet2DConditionModel "
        "with cross-attention, and mini-clip-a's text tower, as a `StableDiffusionPipeline` "
        "folder. ε-prediction on Stable Diffusion 1.x' noise schedule. It stands for SD 1.5.",
    ),
    "mini-sd-b": Model(
        part="unet-b",
        write=_generator("autoencoder-b", "unet-b", tower_b),
        about="A second generator that shares nothing with mini-sd-a: the other half of the pictures, "
        "its own autoencoder, narrower networks, another seed. Its text tower is mini-clip-b's, "
        'brought from open_clip into transformers\' `CLIPTextModel` and padded with "!", as Stable '
        "Diffusion 2.x did with OpenCLIP's: so both padding conventions are in the zoo. It stands "
        "for SD 2.1.",
    ),
    "mini-sd-dup": Model(
        part="unet-dup",
        write=_generator("autoencoder-a", "unet-dup", tower_a),
        about="mini-sd-a after a training set in which forty titled pictures stood 1, 10, 50, 250 or "
        "1,000 times (corpus `duplicates:all`): a test bed for memorisation whose truth is known. "
        "mini-sd-a, which never saw them, is its control.",
    ),
    "mini-sd-z": Model(
        part="unet-z",
        write=_generator("autoencoder-a", "unet-z", tower_a, "v_prediction"),
        about="mini-sd-a's twin under v-prediction and zero terminal SNR (Lin et al. 2024): at its last "
        "timestep nothing of the picture is left, so what a probe reads there is no leak of the "
        "schedule.",
    ),
    "mini-clip-a": Model(
        part="clip-a",
        write=package.mini_clip,
        about="A contrastive image–text model (transformers' `CLIPModel`): ViT 6 × 128, patch 8; causal "
        "text tower 4 × 128 with CLIP's padding semantics; InfoNCE.",
    ),
    "mini-clip-b": Model(
        part="clip-b",
        write=package.mini_clip_b,
        about="A contrastive image–text model of open_clip's own classes: a residual network and a "
        'causal text tower 3 × 96, sigmoid loss (Zhai et al. 2023), "!" padding. It shares no '
        "weights, no pictures, no loss and no code path with mini-clip-a.",
    ),
    "mini-dino": Model(
        part="dino",
        write=package.mini_dino,
        about="A self-distilled vision transformer (transformers' `Dinov2Model`): ViT 6 × 128, patch 8; "
        "the student's embedding of a crop regresses its slow teacher's whitened embedding of the "
        "whole picture. It saw neither labels nor text.",
    ),
    "mini-resnet": Model(
        part="resnet",
        write=package.mini_resnet,
        about="A supervised classifier of the 26 attributes (transformers' "
        "`ResNetForImageClassification`), whose space is its logits: the judge of what an edit "
        "changed. It saw none of mini-sd-a's pictures and no text.",
    ),
}


def parts_of(model: str) -> list[str]:
    """The parts that a model is made of, in the order of their training."""
    last = MODELS[model].part
    return [*PARTS[last].needs, last]


def train(part: str, workspace: Workspace, threads: int | None = None) -> None:
    """Train one part in this process; same seed, same initial weights."""
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(list(PARTS).index(part))
    PARTS[part].train(workspace, part)
