"""The generators' U-Net on Stable Diffusion's noise schedule (Ho et al. 2020, Rombach et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from une_ray.training import autoencoder
from une_ray.training.data import Pictures
from une_ray.training.loop import Losses, Settings, draw, fit

SETTINGS = Settings(
    steps=4500, batch_size=64, learning_rate=1e-3, weight_decay=0.01, warmup_steps=200, ema_decay=0.9995
)
CAPTION_VARIANTS = 2
EMPTY_CAPTIONS = 0.1


def scheduler(prediction_type: str = "epsilon") -> DDIMScheduler:
    """Stable Diffusion 1.x' schedule; `clip_sample` off, or inversion does not come back.

    With "v_prediction" (Salimans & Ho 2022) it is rescaled to zero terminal SNR (Lin et al. 2024): at the
    last timestep nothing of the picture is left, where Stable Diffusion's own keeps √ᾱ = .068 of it.
    """
    zero_terminal_snr = prediction_type == "v_prediction"
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction_type,
        rescale_betas_zero_snr=zero_terminal_snr,
        timestep_spacing="trailing" if zero_terminal_snr else "leading",
    )


def build(
    cross_attention_dim: int = 128, widths: tuple[int, ...] = (64, 112, 112), norm_num_groups: int = 16
) -> UNet2DConditionModel:
    """Untrained, for latents of 4 × 16 × 16."""
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
        norm_num_groups=norm_num_groups,
    ).to(memory_format=torch.channels_last)


@torch.no_grad()
def text_states(
    tower: CLIPTextModel, tokenizer: CLIPTokenizer, captions: Sequence[str], device: str, size: int = 256
) -> torch.Tensor:
    """(n, 77, width) bfloat16: last hidden states, pads included, as `encode_prompt` gives them."""
    ids = tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt").input_ids
    with torch.autocast(device.split(":")[0], torch.bfloat16):
        return torch.cat(
            [tower(part.to(device)).last_hidden_state.bfloat16().cpu() for part in ids.split(size)]
        )


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What a U-Net is fitted on.

    Rows of `order` are drawn alike: a picture that stands in it k times is seen k times as often.
    """

    latents: torch.Tensor  # (n, 4, h, w) float16, unit variance
    states: torch.Tensor  # (n, variants, 77, width) bfloat16
    empty: torch.Tensor  # (1, 77, width) bfloat16
    order: torch.Tensor  # (rows,) int64 into the n pictures


def examples(
    pictures: Pictures,
    captions: Sequence[Sequence[str]],
    vae: AutoencoderKL,
    tower: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    device: str = "cpu",
    copies: Sequence[int] | None = None,
) -> Examples:
    """Latents and text states of `pictures`.

    `captions[v][i]` is variant v of picture i; `copies[i]` says how often the picture is in the set.
    """
    vae.to(device).eval()
    tower.eval().to(device)
    count = len(pictures.images)
    latents = (autoencoder.encode(vae, pictures, range(count), device) * vae.config.scaling_factor).half()
    states = torch.stack([text_states(tower, tokenizer, variant, device) for variant in captions], 1)
    order = torch.arange(count).repeat_interleave(torch.as_tensor(list(copies or [1] * count)))
    empty = text_states(tower, tokenizer, [""], device)
    return Examples(latents=latents, states=states, empty=empty, order=order)


def train(
    examples: Examples,
    model: UNet2DConditionModel,
    folder: Path,
    settings: Settings = SETTINGS,
    device: str = "cpu",
    label: str = "U-Net",
    prediction_type: str = "epsilon",
) -> UNet2DConditionModel:
    """Fit `model` on (latent, caption); a tenth of the captions is empty, for classifier-free guidance."""
    alphas_cumprod = scheduler(prediction_type).alphas_cumprod.to(device)

    def losses(model: UNet2DConditionModel, generator: torch.Generator, step: int) -> Losses:
        rows = examples.order[draw(len(examples.order), settings.batch_size, generator)]
        z0 = examples.latents[rows].float().to(device)
        text = examples.states[rows, draw(examples.states.shape[1], len(rows), generator)]
        dropped = torch.rand(len(rows), generator=generator) < EMPTY_CAPTIONS
        text = torch.where(dropped[:, None, None], examples.empty, text).to(device)
        t = draw(1000, len(rows), generator).to(device)
        noise = torch.randn(z0.shape, generator=generator).to(device)
        a = alphas_cumprod[t][:, None, None, None]
        noisy = (a.sqrt() * z0 + (1 - a).sqrt() * noise).contiguous(memory_format=torch.channels_last)
        target = noise if prediction_type == "epsilon" else a.sqrt() * noise - (1 - a).sqrt() * z0
        predicted = model(noisy, t, encoder_hidden_states=text).sample
        return {"loss": functional.mse_loss(predicted.float(), target)}

    return fit(model, losses, settings, folder, device, label)
