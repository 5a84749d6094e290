"""mini-sd-a's UNet2DConditionModel: ε-prediction on latents with Stable Diffusion's noise schedule (Ho et al. 2020)."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from une_ray.training import autoencoder
from une_ray.training.data import Pictures
from une_ray.training.loop import Losses, Settings, draw, fit

SETTINGS = Settings(steps=4500, batch_size=64, learning_rate=1e-3, weight_decay=0.01, warmup_steps=200, ema_decay=0.9995)
CAPTION_VARIANTS = 2
EMPTY_CAPTIONS = 0.1


def scheduler() -> DDIMScheduler:
    """Stable Diffusion 1.x' schedule; `clip_sample` off, or inversion does not come back."""
    return DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )  # fmt: skip


def build(cross_attention_dim: int = 128, widths: tuple[int, ...] = (64, 112, 112)) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=widths,
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * (len(widths) - 1)),
        up_block_types=(*("CrossAttnUpBlock2D",) * (len(widths) - 1), "UpBlock2D"),
        cross_attention_dim=cross_attention_dim,
        attention_head_dim=4,
        norm_num_groups=16,
    ).to(memory_format=torch.channels_last)


@torch.no_grad()
def text_states(tower: CLIPTextModel, tokenizer: CLIPTokenizer, captions: list[str], device: str, size: int = 256) -> torch.Tensor:
    """(n, 77, width) bfloat16: the tower's last hidden state, padding included, as `encode_prompt` gives it."""
    ids = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
    with torch.autocast(device.split(":")[0], torch.bfloat16):
        return torch.cat([tower(part.to(device)).last_hidden_state.bfloat16().cpu() for part in ids.split(size)])


def train(
    pictures: Pictures,
    vae: AutoencoderKL,
    tower: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    folder: Path,
    settings: Settings = SETTINGS,
    device: str = "cpu",
) -> UNet2DConditionModel:
    """Fit on (latent, caption) of `pictures`; a tenth of the captions is empty, for classifier-free guidance."""
    vae, tower = vae.to(device).eval(), tower.to(device).eval()
    rows = range(len(pictures.images))
    latents = (autoencoder.encode(vae, pictures, rows, device) * vae.config.scaling_factor).half()
    states = torch.stack([text_states(tower, tokenizer, pictures.captions(v), device) for v in range(CAPTION_VARIANTS)], 1)
    empty = text_states(tower, tokenizer, [""], device)
    alphas_cumprod = scheduler().alphas_cumprod.to(device)

    def losses(model: UNet2DConditionModel, generator: torch.Generator, step: int) -> Losses:
        chosen = draw(len(latents), settings.batch_size, generator)
        z0 = latents[chosen].float().to(device)
        text = states[chosen, draw(CAPTION_VARIANTS, len(chosen), generator)]
        text = torch.where((torch.rand(len(chosen), generator=generator) < EMPTY_CAPTIONS)[:, None, None], empty, text).to(device)
        t = draw(1000, len(chosen), generator).to(device)
        noise = torch.randn(z0.shape, generator=generator).to(device)
        a = alphas_cumprod[t][:, None, None, None]
        noisy = (a.sqrt() * z0 + (1 - a).sqrt() * noise).contiguous(memory_format=torch.channels_last)
        predicted = model(noisy, t, encoder_hidden_states=text).sample
        return {"loss": functional.mse_loss(predicted.float(), noise)}

    return fit(build(tower.config.hidden_size), losses, settings, folder, device, "mini-sd-a")
