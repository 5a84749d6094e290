"""GFLOPs of one forward pass per image of every model in the table, from its real configuration on the meta device.

    python benchmarks/flops.py

Counted by torch.utils.flop_counter (2 FLOPs per multiply–add); for a generator one U-Net call.
"""

from __future__ import annotations

import torch
from diffusers import UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, Dinov2Config, Dinov2Model, DINOv3ViTConfig, DINOv3ViTModel

from une_ray.models.registry import MODELS
from une_ray.models.resolve import location

SD_UNET = {
    "sample_size": 64, "in_channels": 4, "out_channels": 4, "layers_per_block": 2, "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",), "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}  # fmt: skip
VIT_B16 = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "patch_size": 16,
    "projection_dim": 512,
}
VIT_L14 = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
    "projection_dim": 768,
}


def unet(**config) -> float:
    model = UNet2DConditionModel(**config)
    c = model.config
    return count(
        model, torch.empty(1, c.in_channels, c.sample_size, c.sample_size), torch.tensor(1), torch.empty(1, 77, c.cross_attention_dim)
    )


def count(model: torch.nn.Module, *inputs: torch.Tensor) -> float:
    """GFLOPs; the counter knows the plain attention operator, not the fused ones, so the backend is fixed."""
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH), torch.no_grad():
        model.eval()(*inputs)
    return counter.get_total_flops() / 1e9


def encoder(model: torch.nn.Module, size: int) -> float:
    return count(model, torch.empty(1, 3, size, size))


def main() -> None:
    from transformers import AutoModel

    with torch.device("meta"):
        large = encoder(CLIPVisionModelWithProjection(CLIPVisionConfig(**VIT_L14)), 224)
        base = encoder(CLIPVisionModelWithProjection(CLIPVisionConfig(**VIT_B16)), 224)
        found = {
            "sd15": unet(**SD_UNET, attention_head_dim=8, cross_attention_dim=768),
            "sd21-base": unet(**SD_UNET, attention_head_dim=(5, 10, 20, 20), cross_attention_dim=1024, use_linear_projection=True),
            "lcm-dreamshaper-v7": unet(**SD_UNET, attention_head_dim=8, cross_attention_dim=768, time_cond_proj_dim=256),
            "clip-b16": base, "openclip-b16-laion2b": base, "clip-l14": large, "openclip-l14-laion2b": large,
            "dinov2-l14": encoder(Dinov2Model(Dinov2Config(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, patch_size=14, image_size=518)), 224),
            "dinov3-l16": encoder(DINOv3ViTModel(DINOv3ViTConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16)), 224),
        }  # fmt: skip
    mini = {
        "mini-sd-a": lambda at: unet(**{k: v for k, v in UNet2DConditionModel.load_config(at, subfolder="unet").items() if k[0] != "_"}),
        "mini-clip-a": lambda at: encoder(CLIPVisionModelWithProjection.from_pretrained(at), 64),
        "mini-dino": lambda at: encoder(AutoModel.from_pretrained(at), 64),
    }
    for name in mini:
        found[name] = mini[name](location(MODELS[name]))
    for name, spec in MODELS.items():
        print(f"{name:22} {found[name]:8.4g} GFLOPs, the table says {spec.gflops}")


if __name__ == "__main__":
    main()
