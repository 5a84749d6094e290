"""Every hub model of the table through its real class and configuration at cut-down widths, weights random.

Only the download is not tested. What is cut is named here; everything else is the published configuration.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import (
    AutoModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    DINOv3ViTConfig,
)

from une_ray.corpora import avatars
from une_ray.models.table import MODELS
from une_ray.spaces.space import Space
from une_ray.training import tokenizer as small_tokenizer

HUB = [spec.id for spec in MODELS.values() if spec.source.startswith("hub:")]

SD_UNET = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "act_fn": "silu",
    "norm_num_groups": 32,
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "block_out_channels": (32, 32, 32, 32),  # 320, 640, 1280, 1280
}
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "set_alpha_to_one": False,
}
GENERATORS = {
    # cross_attention_dim is 768, 1024 and 768; the text towers have 12, 23 and 12 layers
    "sd15": (
        StableDiffusionPipeline,
        SD_UNET | {"attention_head_dim": 8, "cross_attention_dim": 32},
        PNDMScheduler(**SCHEDULE, skip_prk_steps=True),
        "quick_gelu",
    ),
    "sd21-base": (
        StableDiffusionPipeline,
        SD_UNET
        | {"attention_head_dim": (1, 2, 4, 4), "cross_attention_dim": 32, "use_linear_projection": True},
        PNDMScheduler(**SCHEDULE, skip_prk_steps=True),
        "gelu",
    ),
    "lcm-dreamshaper-v7": (
        LatentConsistencyModelPipeline,
        SD_UNET | {"attention_head_dim": 8, "cross_attention_dim": 32, "time_cond_proj_dim": 256},
        LCMScheduler(**SCHEDULE),
        "quick_gelu",
    ),
}


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return small_tokenizer.build([avatars.caption(0, i) for i in range(20)], tmp_path_factory.mktemp("words"))


def save_generator(name, folder, words):
    pipeline_class, unet, scheduler, activation = GENERATORS[name]
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        hidden_act=activation,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        norm_num_groups=4,
        layers_per_block=1,
        latent_channels=4,
        sample_size=512,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    pipeline_class(
        vae=vae,
        unet=UNet2DConditionModel(**unet),
        text_encoder=CLIPTextModel(text),
        tokenizer=words,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def save_clip(name, folder):
    patch, projection = (16, 512) if name == "clip-b16" else (14, 768)
    config = CLIPVisionConfig(
        image_size=224,
        patch_size=patch,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=projection,
    )
    CLIPVisionModelWithProjection(config).save_pretrained(folder)


def save_open_clip(name, folder):
    import open_clip
    from safetensors.torch import save_file

    base = open_clip.get_model_config("ViT-B-16" if name == "openclip-b16-laion2b" else "ViT-L-14")
    base["vision_cfg"] |= {"width": 64, "layers": 2}
    base["text_cfg"] |= {"width": 32, "layers": 1, "heads": 2}
    mean = list(MODELS[name].preprocessing.mean)
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(
        json.dumps(
            {"model_cfg": base, "preprocess_cfg": {"mean": mean, "std": list(MODELS[name].preprocessing.std)}}
        )
    )
    model = open_clip.CLIP(**{key: base[key] for key in ("embed_dim", "vision_cfg", "text_cfg")})
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")


def save_dino(name, folder):
    small = {"num_hidden_layers": 2, "hidden_size": 1024, "num_attention_heads": 16}  # 24 layers
    if name == "dinov2-l14":
        config = Dinov2Config(image_size=518, patch_size=14, mlp_ratio=1, **small)
    else:
        config = DINOv3ViTConfig(
            image_size=224, patch_size=16, intermediate_size=64, num_register_tokens=4, **small
        )
    AutoModel.from_config(config).save_pretrained(folder)


@pytest.mark.parametrize("name", HUB)
def test_a_hub_model_loads_through_its_class_and_fills_its_space(name, tmp_path, words):
    torch.manual_seed(0)
    spec, folder = MODELS[name], tmp_path / name
    if spec.is_generator:
        save_generator(name, folder, words)
    else:
        {"clip": save_clip, "open-clip": save_open_clip, "dino": save_dino}[spec.kind](name, folder)
    model = replace(spec, source=str(folder), dtype="float32")
    space = Space(name, model, *(("ddim", 3, "leading") if spec.is_generator else ()))
    pinned, fingerprint = space.pinned()
    pictures = np.random.default_rng(0).integers(
        0, 256, (2, spec.preprocessing.size, spec.preprocessing.size, 3), np.uint8
    )
    z = pinned.load()(pictures, ["a", "b"])["z"]
    assert z.shape == (2, spec.dim) and np.isfinite(z).all() and not np.allclose(z[0], z[1])
    assert fingerprint["weights"].startswith("sha256:")
