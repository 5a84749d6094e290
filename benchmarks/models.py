"""GFLOPs of a forward pass per image and millions of parameters of every model, from its real configuration.

    python benchmarks/models.py

Below them what a text costs, a generator's autoencoder, and its U-Net as far as the middle block.
Hub models are built on the meta device. Counted by torch.utils.flop_counter (2 FLOPs per multiply–add); of a
generator one U-Net call, and the parameters of U-Net, autoencoder and text tower together.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
    DINOv3ViTConfig,
    DINOv3ViTModel,
)

from une_ray.models.contrastive import load_text_tower
from une_ray.models.encoders import load_encoder
from une_ray.models.generators import load_generator
from une_ray.models.hspace import middle_of
from une_ray.models.spec import ModelSpec
from une_ray.models.table import MODELS

SD_UNET = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}
SD_VAE = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 4,
}
TEXT_B = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 8}
TEXT_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
TEXT_H = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16}
SD1 = SD_UNET | {"attention_head_dim": 8, "cross_attention_dim": 768}
SD2 = SD_UNET | {
    "attention_head_dim": (5, 10, 20, 20),
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
}
VIT_B = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
VIT_L = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
SHIPPED_SIZE = 64  # pixels of the mini zoo's pictures
Cost = tuple[float, float]


def parameters(*models: torch.nn.Module) -> float:
    """In millions."""
    return sum(p.numel() for model in models for p in model.parameters()) / 1e6


def gflops(call: Callable[..., object], *inputs: torch.Tensor) -> float:
    """Of one call; the backend is fixed, since the counter knows no fused attention operators."""
    with (
        FlopCounterMode(display=False) as counter,
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
        torch.no_grad(),
    ):
        call(*inputs)
    return counter.get_total_flops() / 1e9


def one_call(unet: UNet2DConditionModel) -> float:
    """GFLOPs of one step of one picture."""
    c = unet.config
    noise, text = (
        torch.empty(1, c.in_channels, c.sample_size, c.sample_size),
        torch.empty(1, 77, c.cross_attention_dim),
    )
    return gflops(unet.eval(), noise, torch.tensor(1), text)


def stable_diffusion(unet: dict[str, Any], text: dict[str, Any]) -> Cost:
    """Of a generator with these configurations of U-Net and text tower."""
    model = UNet2DConditionModel(**unet)
    return one_call(model), parameters(model, AutoencoderKL(**SD_VAE), CLIPTextModel(CLIPTextConfig(**text)))


def encoder(model: torch.nn.Module) -> Cost:
    """Of one picture of 224 × 224."""
    return gflops(model.eval(), torch.empty(1, 3, 224, 224)), parameters(model)


def hub() -> dict[str, Cost]:
    """The models of the hub, by name, built without weights."""
    with torch.device("meta"):
        base = encoder(
            CLIPVisionModelWithProjection(CLIPVisionConfig(**VIT_B, patch_size=16, projection_dim=512))
        )
        large = encoder(
            CLIPVisionModelWithProjection(CLIPVisionConfig(**VIT_L, patch_size=14, projection_dim=768))
        )
        shape = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
        return {
            "sd15": stable_diffusion(SD1, TEXT_L),
            "sd21-base": stable_diffusion(SD2, TEXT_H),
            "lcm-dreamshaper-v7": stable_diffusion(SD1 | {"time_cond_proj_dim": 256}, TEXT_L),
            "clip-b16": base,
            "openclip-b16-laion2b": base,
            "clip-l14": large,
            "openclip-l14-laion2b": large,
            "dinov2-l14": encoder(Dinov2Model(Dinov2Config(**shape, patch_size=14, image_size=518))),
            "dinov3-l16": encoder(DINOv3ViTModel(DINOv3ViTConfig(**shape, intermediate_size=4096))),
        }


def shipped(spec: ModelSpec) -> Cost:
    """Of a model whose weights are here."""
    if spec.is_generator:
        g = load_generator(spec)
        return one_call(g.unet), parameters(g.unet, g.vae, g.text_encoder)
    embed, size = load_encoder(spec), spec.preprocessing.size
    towers = [
        cell.cell_contents
        for cell in embed.__closure__ or ()
        if isinstance(cell.cell_contents, torch.nn.Module)
    ]
    towers = [getattr(tower, "visual", tower) for tower in towers]
    return gflops(embed, torch.zeros(1, 3, size, size)), parameters(*towers)


def as_far_as_the_middle(unet: UNet2DConditionModel) -> tuple[float, tuple[int, ...]]:
    """GFLOPs of a step that ends there, and the middle block's output (c, h, w)."""
    c, device = unet.config, unet.device
    noise = torch.empty(1, c.in_channels, c.sample_size, c.sample_size, device=device)
    text, shapes = torch.empty(1, 77, c.cross_attention_dim, device=device), []
    return gflops(lambda: shapes.append(middle_of(unet, noise, 1, text).shape[1:])), tuple(shapes[0])


def generator_parts(unet: Any, encode: Any, decode: Any, text: Callable[[], object]) -> str:
    """Text tower, autoencoder both ways, and U-Net to the middle, a line."""
    c = unet.config
    latent = torch.empty(1, c.in_channels, c.sample_size, c.sample_size, device=unet.device)
    size = SHIPPED_SIZE if unet.device.type == "cpu" else 512
    picture = torch.empty(1, 3, size, size, device=unet.device)
    to_middle, shape = as_far_as_the_middle(unet)
    costs = (gflops(text), gflops(encode, picture), gflops(decode, latent), to_middle)
    return " ".join(f"{cost:8.4g}" for cost in costs) + f"  {shape}"


def parts() -> dict[str, str]:
    """What `text_gflops` and `parts` of the table are, by model."""
    found = {}
    with torch.device("meta"):
        vae, ids = AutoencoderKL(**SD_VAE).eval(), torch.zeros(1, 77, dtype=torch.long)
        for name, unet, tower in (
            ("sd15", SD1, TEXT_L),
            ("sd21-base", SD2, TEXT_H),
            ("lcm-dreamshaper-v7", SD1 | {"time_cond_proj_dim": 256}, TEXT_L),
        ):
            text = CLIPTextModel(CLIPTextConfig(**tower)).eval()
            model = UNet2DConditionModel(**unet).eval()
            found[name] = generator_parts(model, vae.encode, vae.decode, partial(text, ids))
        for name, tower, width in (("clip-b16", TEXT_B, 512), ("clip-l14", TEXT_L, 768)):
            text = CLIPTextModelWithProjection(CLIPTextConfig(**tower, projection_dim=width)).eval()
            found[name] = f"{gflops(text, ids):8.4g}"
    for name, spec in MODELS.items():
        if spec.source.startswith("package:") and spec.is_generator:
            g = load_generator(spec)
            found[name] = generator_parts(g.unet, g.encode, g.decode, partial(g.prompt_states, ["a"]))
        elif spec.source.startswith("package:") and spec.text_gflops is not None:
            found[name] = f"{gflops(partial(load_text_tower(spec).embed, ['a'])):8.4g}"
    return found


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    known = hub()
    print(f"{'':22} {'GFLOPs':>8} {'table':>8} {'million':>8} {'table':>8}")
    for name, spec in MODELS.items():
        flops, size = known.get(name) or shipped(spec)
        print(f"{name:22} {flops:8.4g} {spec.gflops!s:>8} {size:8.4g} {spec.parameters!s:>8}")
    print(f"\n{'GFLOPs of':22} {'text':>8} {'encoder':>8} {'decoder':>8} {'middle':>8}")
    for name, line in parts().items():
        print(f"{name:22} {line}")


if __name__ == "__main__":
    main()
