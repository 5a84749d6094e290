"""The mini zoo as a table: which parts there are, what each is trained on, and which shipped model is made of which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from une_ray.corpora import avatars, duplicates
from une_ray.training import autoencoder, clip, dino, open_clip_b, package, resnet, tokenizer, unet
from une_ray.training.data import TRAINING_SEED, Pictures, pictures, pixels
from une_ray.training.loop import Settings, workers


@dataclass(frozen=True)
class Work:
    """Where a training happens and how big it is. `steps` overrides every recipe's own number."""

    folder: Path
    images: int = 40_000
    steps: int | None = None
    device: str = "cpu"

    def model(self, part: str) -> Path:
        """The finished weights of a part, in its library's own layout."""
        return self.folder / part / "model"

    def finished(self, part: str) -> bool:
        """`settings.json` is written last of all."""
        return (self.folder / part / "settings.json").exists() and any(self.model(part).glob("*.safetensors"))

    def pictures(self, half: str) -> Pictures:
        return pictures(self.images, TRAINING_SEED, self.folder).half(half)

    def settings(self, recipe: Settings, **changes) -> Settings:
        """The recipe's settings for one worker."""
        changes |= {"steps": self.steps} if self.steps else {}
        return replace(recipe, batch_size=max(1, recipe.batch_size // workers()), **changes)


@dataclass(frozen=True)
class Part:
    """`train(work, name)` leaves `work.model(name)`; `data` is what its card says of the pictures it saw."""

    train: Callable[[Work, str], None]
    data: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """A shipped model: its last part, and how its folder is put together."""

    part: str
    write: Callable[[Work, Path], None]
    about: str


def autoencoder_a(work: Work, name: str) -> None:
    settings = work.settings(autoencoder.SETTINGS)
    autoencoder.train(work.pictures("a"), work.folder / name, settings, work.device).save_pretrained(
        work.model(name)
    )


def autoencoder_b(work: Work, name: str) -> None:
    """Other widths, other half, and a tenth of the KL weight: mini-sd-a's pulls two of four channels down to little."""
    settings = work.settings(autoencoder.SETTINGS, seed=1)
    model = autoencoder.train(
        work.pictures("b"), work.folder / name, settings, work.device, widths=(24, 48, 48), kl_weight=1e-6
    )
    model.save_pretrained(work.model(name))


def clip_a(work: Work, name: str) -> None:
    data = work.pictures("a")
    words = tokenizer.build(data.captions(), work.folder / name / "tokenizer")
    words.save_pretrained(work.model(name))
    clip.train(data, words, work.folder / name, work.settings(clip.SETTINGS), work.device).save_pretrained(
        work.model(name)
    )


def clip_b(work: Work, name: str) -> None:
    data = work.pictures("b")
    words = tokenizer.build(
        data.captions(), work.folder / name / "tokenizer", open_clip_b.MERGES, pad_token="!"
    )
    open_clip_b.train(data, words, work.folder / name, work.settings(open_clip_b.SETTINGS), work.device)


def dino_all(work: Work, name: str) -> None:
    dino.train(
        work.pictures("all"), work.folder / name, work.settings(dino.SETTINGS), work.device
    ).save_pretrained(work.model(name))


def resnet_b(work: Work, name: str) -> None:
    resnet.train(
        work.pictures("b"), work.folder / name, work.settings(resnet.SETTINGS), work.device
    ).save_pretrained(work.model(name))


def unet_a(work: Work, name: str) -> None:
    _unet(work, name, work.pictures("a"), unet.build(_tower_a(work)[0].config.hidden_size))


def unet_z(work: Work, name: str) -> None:
    """mini-sd-a's twin under v-prediction and zero terminal SNR."""
    model = unet.build(_tower_a(work)[0].config.hidden_size)
    _unet(work, name, work.pictures("a"), model, prediction_type="v_prediction", steps=3000)


def unet_b(work: Work, name: str) -> None:
    """The other half, a narrower network, mini-clip-b's text tower and its "!" padding."""
    vae, (tower, words) = AutoencoderKL.from_pretrained(work.model("autoencoder-b")), tower_b(work)
    data = work.pictures("b")
    seen = unet.examples(
        data, [data.captions(v) for v in range(unet.CAPTION_VARIANTS)], vae, tower, words, work.device
    )
    settings = work.settings(unet.SETTINGS, steps=3000, seed=1)
    model = unet.build(tower.config.hidden_size, (48, 72, 72), norm_num_groups=8)
    unet.train(seen, model, work.folder / name, settings, work.device, name).save_pretrained(work.model(name))


BASE_OF_DUP = (
    10_000  # pictures of half a that mini-sd-dup goes on seeing, once each, beside the duplicated ones
)


def unet_dup(work: Work, name: str) -> None:
    """mini-sd-a's U-Net, trained on with forty titled pictures among the others, up to a thousand copies of one."""
    base = work.pictures("a")
    base = Pictures(base.images[:BASE_OF_DUP], base.indices[:BASE_OF_DUP], base.seed)
    count = len(duplicates.TITLES)
    extra = np.stack([pixels(avatars.picture(duplicates.SEED, i)) for i in range(count)])
    both = Pictures(
        np.concatenate([base.images, extra]), np.concatenate([base.indices, np.arange(count)]), base.seed
    )
    captions = [[*base.captions(v), *duplicates.TITLES] for v in range(unet.CAPTION_VARIANTS)]
    copies = [1] * len(base.images) + [duplicates.copies(i) for i in range(count)]
    model = UNet2DConditionModel.from_pretrained(work.model("unet-a")).to(memory_format=torch.channels_last)
    _unet(work, name, both, model, captions, copies, steps=2400)


def _unet(
    work: Work,
    name: str,
    data: Pictures,
    model,
    captions=None,
    copies=None,
    prediction_type="epsilon",
    **changes,
) -> None:
    """A U-Net over mini-sd-a's autoencoder and text tower."""
    vae, (tower, words) = AutoencoderKL.from_pretrained(work.model("autoencoder-a")), _tower_a(work)
    captions = captions or [data.captions(v) for v in range(unet.CAPTION_VARIANTS)]
    seen = unet.examples(data, captions, vae, tower, words, work.device, copies)
    settings = work.settings(unet.SETTINGS, **changes)
    unet.train(seen, model, work.folder / name, settings, work.device, name, prediction_type).save_pretrained(
        work.model(name)
    )


def _tower_a(work: Work) -> tuple[CLIPTextModel, CLIPTokenizer]:
    at = work.model("clip-a")
    return CLIPTextModel.from_pretrained(at), CLIPTokenizer.from_pretrained(at)


def tower_b(work: Work) -> tuple[CLIPTextModel, CLIPTokenizer]:
    """mini-clip-b's text tower in transformers' classes, with the tokenizer that pads with "!"."""
    return open_clip_b.text_tower(work.model("clip-b")), CLIPTokenizer.from_pretrained(work.model("clip-b"))


PARTS = {
    "autoencoder-a": Part(autoencoder_a, "the even-numbered half"),
    "clip-a": Part(clip_a, "the even-numbered half, four captions a picture"),
    "dino": Part(dino_all, "all pictures, no captions"),
    "unet-a": Part(
        unet_a,
        "the even-numbered half, two captions a picture, one in ten empty",
        ("autoencoder-a", "clip-a"),
    ),
    "clip-b": Part(clip_b, "the odd-numbered half, four captions a picture"),
    "autoencoder-b": Part(autoencoder_b, "the odd-numbered half"),
    "unet-b": Part(
        unet_b, "the odd-numbered half, two captions a picture, one in ten empty", ("autoencoder-b", "clip-b")
    ),
    "unet-z": Part(
        unet_z,
        "the even-numbered half, two captions a picture, one in ten empty",
        ("autoencoder-a", "clip-a"),
    ),
    "unet-dup": Part(
        unet_dup,
        f"{BASE_OF_DUP:,} of the even-numbered half and the forty of `duplicates:all` in their copies; starts from unet-a",
        ("autoencoder-a", "clip-a", "unet-a"),
    ),
    "resnet": Part(resnet_b, "the odd-numbered half and its attributes"),
}

MODELS = {
    "mini-sd-a": Model(
        "unet-a",
        lambda work, target: package.stable_diffusion(
            target, work.model("autoencoder-a"), work.model("unet-a"), *_tower_a(work)
        ),
        "A latent diffusion model of 64 × 64 avatars: AutoencoderKL (f = 4), UNet2DConditionModel with cross-attention, and mini-clip-a's "
        "text tower, as a `StableDiffusionPipeline` folder. ε-prediction on Stable Diffusion 1.x' noise schedule. It stands for SD 1.5.",
    ),
    "mini-sd-b": Model(
        "unet-b",
        lambda work, target: package.stable_diffusion(
            target, work.model("autoencoder-b"), work.model("unet-b"), *tower_b(work)
        ),
        "A second generator that shares nothing with mini-sd-a: the other half of the pictures, its own autoencoder, narrower networks, "
        "another seed. Its text tower is mini-clip-b's, brought from open_clip into transformers' `CLIPTextModel` and padded with \"!\", "
        "as Stable Diffusion 2.x did with OpenCLIP's: so both padding conventions are in the zoo. It stands for SD 2.1.",
    ),
    "mini-sd-dup": Model(
        "unet-dup",
        lambda work, target: package.stable_diffusion(
            target, work.model("autoencoder-a"), work.model("unet-dup"), *_tower_a(work)
        ),
        "mini-sd-a after a training set in which forty titled pictures stood 1, 10, 50, 250 or 1,000 times (corpus `duplicates:all`): "
        "a test bed for memorisation whose truth is known. mini-sd-a, which never saw them, is its control.",
    ),
    "mini-sd-z": Model(
        "unet-z",
        lambda work, target: package.stable_diffusion(
            target,
            work.model("autoencoder-a"),
            work.model("unet-z"),
            *_tower_a(work),
            prediction_type="v_prediction",
        ),
        "mini-sd-a's twin under v-prediction and zero terminal SNR (Lin et al. 2024): at its last timestep nothing of the picture is left, "
        "so what a probe reads there is no leak of the schedule.",
    ),
    "mini-clip-a": Model(
        "clip-a",
        package.mini_clip,
        "A contrastive image–text model (transformers' `CLIPModel`): ViT 6 × 128, patch 8; causal text tower 4 × 128 with CLIP's padding "
        "semantics; InfoNCE.",
    ),
    "mini-clip-b": Model(
        "clip-b",
        package.mini_clip_b,
        "A contrastive image–text model of open_clip's own classes: a residual network and a causal text tower 3 × 96, sigmoid loss "
        '(Zhai et al. 2023), "!" padding. It shares no weights, no pictures, no loss and no code path with mini-clip-a.',
    ),
    "mini-dino": Model(
        "dino",
        package.mini_dino,
        "A self-distilled vision transformer (transformers' `Dinov2Model`): ViT 6 × 128, patch 8; the student's embedding of a crop regresses "
        "its slow teacher's whitened embedding of the whole picture. It saw neither labels nor text.",
    ),
    "mini-resnet": Model(
        "resnet",
        package.mini_resnet,
        "A supervised classifier of the 26 attributes (transformers' `ResNetForImageClassification`), whose space is its logits: the judge "
        "of what an edit changed. It saw none of mini-sd-a's pictures and no text.",
    ),
}


def parts_of(model: str) -> list[str]:
    """The parts that a model is made of, in the order of their training."""
    last = MODELS[model].part
    return [*PARTS[last].needs, last]
