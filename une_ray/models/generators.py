"""Latent diffusion models in diffusers' folder layout: their parts, loaded together or each alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from une_ray.diffusion.ddim import Denoiser
from une_ray.models.configuration import only_fp16
from une_ray.models.fresh import fresh
from une_ray.models.loading import memory_format, pretrained, quiet, ready
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec


@dataclass
class Autoencoder:
    """Between pixels (b, 3, h, w) in [-1, 1] and latents (b, c, h', w') of unit scale, on one device, both
    float32 whatever the network runs in."""

    vae: AutoencoderKL

    @property
    def factor(self) -> int:
        """How many pixels one latent spans along each side."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @torch.no_grad()
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Latents (b, c, h', w') float32: the posterior's mode × scaling factor."""
        pixels = pixels.to(self.vae.device, self.vae.dtype, memory_format=memory_format(self.vae.device))
        posterior = self.vae.encode(pixels).latent_dist
        return posterior.mode().float() * self.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pixels (b, 3, h, w) float32 in [-1, 1]."""
        latents = latents.to(self.vae.dtype, memory_format=memory_format(self.vae.device))
        return self.vae.decode(latents / self.vae.config.scaling_factor).sample.float().clamp(-1, 1)


@dataclass
class Generator(Autoencoder):
    """The parts of a latent diffusion model, on one device."""

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
    def prompt_states(self, prompts: list[str]) -> torch.Tensor:
        """(n, 77, width): the text tower's last hidden state, padding included, as
        `StableDiffusionPipeline.encode_prompt` gives it."""
        ids = self.tokenizer(
            prompts,
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        return self.text_encoder(ids.to(self.device)).last_hidden_state.to(self.unet.dtype)

    def denoiser(self, states: torch.Tensor, compiled: Any = None) -> Denoiser:
        """The U-Net, or what torch.compile made of it, conditioned on `states` (1 or b, 77, width), as a
        function of state and timestep; guidance 1, one call.

        LCM's extra guidance embedding is left out, as in paper 1, which runs it as an ordinary DDIM model.
        """
        unet: Any = self.unet if compiled is None else compiled

        @torch.no_grad()
        def denoise(x: torch.Tensor, timestep: int) -> torch.Tensor:
            conditioning = states.expand(len(x), -1, -1)
            x = x.to(self.unet.dtype, memory_format=memory_format(x.device))
            # Filled where it is used: a Python number would be copied there, and the GPU's queue waited for.
            at = torch.full((), timestep, dtype=torch.long, device=x.device)
            return unet(x, at, encoder_hidden_states=conditioning, return_dict=False)[0]

        return denoise


def load_generator(spec: ModelSpec, device: str = "cpu") -> Generator:
    """The model's parts from a folder or the hub: U-Net in the spec's dtype, autoencoder in its
    `vae_dtype` and text tower in float32."""
    scheduler = load_scheduler(spec)
    text_encoder = _part(spec, CLIPTextModel, "text_encoder", "model", dtype=torch.float32)
    return Generator(
        vae=load_autoencoder(spec, device).vae,
        unet=ready(_unet(spec), device).to(memory_format=memory_format(device)),
        text_encoder=ready(text_encoder.float(), device),
        tokenizer=load_tokenizer(spec),
        alphas_cumprod=scheduler.alphas_cumprod.to(device),
        prediction_type=scheduler.config.prediction_type,
    )


def load_autoencoder(spec: ModelSpec, device: str = "cpu") -> Autoencoder:
    """A generator's autoencoder alone."""
    quiet(diffusers)
    quiet(transformers)
    vae = _part(spec, AutoencoderKL, "vae")
    vae = vae.to(getattr(torch, spec.vae_dtype))
    return Autoencoder(ready(vae, device).to(memory_format=memory_format(device)))


def load_tokenizer(spec: ModelSpec) -> CLIPTokenizer:
    """What a generator's text tower reads by."""
    return CLIPTokenizer.from_pretrained(location(spec), subfolder="tokenizer", revision=spec.revision)


def load_scheduler(spec: ModelSpec) -> DDIMScheduler:
    """A generator's noise schedule (`alphas_cumprod`) and prediction type."""
    return DDIMScheduler.from_pretrained(location(spec), subfolder="scheduler", revision=spec.revision)


def _unet(spec: ModelSpec) -> UNet2DConditionModel:
    if spec.init_seed is None:
        return _part(spec, UNet2DConditionModel, "unet", torch_dtype=getattr(torch, spec.dtype))
    config = UNet2DConditionModel.load_config(location(spec), subfolder="unet", revision=spec.revision)
    return fresh(spec, lambda: UNet2DConditionModel.from_config(config))


def _part(
    spec: ModelSpec, network: Any, folder: str, stem: str = "diffusion_pytorch_model", **options: Any
) -> Any:
    """One network of the model; its half-precision variant where that was chosen, or there is no other."""
    chosen = folder in (spec.fp16_parts or ())
    variant = "fp16" if chosen or only_fp16(spec, folder, stem) else None
    return pretrained(spec, network, subfolder=folder, variant=variant, **options)
