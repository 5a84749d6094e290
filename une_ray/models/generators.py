"""Latent diffusion models in diffusers' folder layout: Stable Diffusion 1.x and 2.x, their LCM distillations, mini-sd."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from une_ray.diffusion.ddim import Denoiser
from une_ray.models.quiet import quiet
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec


@dataclass
class Generator:
    """The parts of a latent diffusion model, on one device. Pixels are (b, 3, h, w) in [-1, 1]; latents have unit scale."""

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    alphas_cumprod: torch.Tensor
    prediction_type: str

    @property
    def device(self) -> torch.device:
        return self.unet.device

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        return self.unet.config.in_channels, self.unet.config.sample_size, self.unet.config.sample_size

    @torch.no_grad()
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Latents (b, c, h', w') float32: the posterior's mode × scaling factor. The autoencoder always runs in float32."""
        posterior = self.vae.encode(pixels.to(self.vae.device, self.vae.dtype)).latent_dist
        return posterior.mode().float() * self.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pixels (b, 3, h, w) float32 in [-1, 1]."""
        return self.vae.decode(latents.to(self.vae.dtype) / self.vae.config.scaling_factor).sample.float().clamp(-1, 1)

    @torch.no_grad()
    def prompt_states(self, prompts: list[str]) -> torch.Tensor:
        """(n, 77, width): the text tower's last hidden state, padding included, as `StableDiffusionPipeline.encode_prompt`."""
        ids = self.tokenizer(
            prompts, padding="max_length", max_length=self.tokenizer.model_max_length, truncation=True, return_tensors="pt"
        ).input_ids  # fmt: skip
        return self.text_encoder(ids.to(self.device)).last_hidden_state.to(self.unet.dtype)

    def denoiser(self, states: torch.Tensor) -> Denoiser:
        """The U-Net conditioned on `states` (1 or b, 77, width), as a function of state and timestep; guidance 1, one call.

        LCM's extra guidance embedding is left out, as in paper 1, which runs it as an ordinary DDIM model.
        """

        @torch.no_grad()
        def denoise(x: torch.Tensor, timestep: int) -> torch.Tensor:
            conditioning = states.expand(len(x), -1, -1)
            x = x.to(self.unet.dtype, memory_format=torch.channels_last)
            return self.unet(x, timestep, encoder_hidden_states=conditioning, return_dict=False)[0]

        return denoise


def load_generator(spec: ModelSpec, device: str = "cpu") -> Generator:
    """The model's parts from a folder or the hub: U-Net in the spec's dtype, autoencoder and text tower in float32."""
    quiet()
    at, options = location(spec), {"revision": spec.revision}
    parts = {
        "vae": AutoencoderKL.from_pretrained(at, subfolder="vae", **options),
        "unet": UNet2DConditionModel.from_pretrained(at, subfolder="unet", torch_dtype=getattr(torch, spec.dtype), **options),
        "text_encoder": CLIPTextModel.from_pretrained(at, subfolder="text_encoder", **options),
    }
    for part in ("vae", "text_encoder"):
        parts[part] = parts[part].float()
    for name, part in parts.items():
        part.eval().requires_grad_(False).to(device)
        if name != "text_encoder":
            part.to(memory_format=torch.channels_last)
    scheduler = DDIMScheduler.from_pretrained(at, subfolder="scheduler", **options)
    tokenizer = CLIPTokenizer.from_pretrained(at, subfolder="tokenizer", **options)
    return Generator(
        **parts, tokenizer=tokenizer, alphas_cumprod=scheduler.alphas_cumprod.to(device), prediction_type=scheduler.config.prediction_type
    )  # fmt: skip
