"""Stable Diffusion 1.x and 2.x, their LCM distillations and mini-sd, in diffusers' folder layout."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from une_ray.errors import UneError
from une_ray.models.adhoc import text_towers
from une_ray.models.configuration import has_weights, read_json
from une_ray.models.kind import ModelKind
from une_ray.models.spec import HALF, ModelSpec, Preprocessing

WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
# Whose files give a schedule ᾱ of the same options as DDIM's, by the same formula.
SCHEDULERS = (
    *("DDIM", "DDIMInverse", "DDPM", "PNDM", "LCM", "TCD", "LMSDiscrete", "EulerDiscrete", "HeunDiscrete"),
    *("EulerAncestralDiscrete", "KDPM2Discrete", "KDPM2AncestralDiscrete", "DPMSolverMultistep"),
    *("DPMSolverMultistepInverse", "DPMSolverSinglestep", "DPMSolverSDE", "UniPCMultistep", "DEISMultistep"),
)
# Of these, the schedulers whose betas are not DDIM's where their file says none.
OWN_BETAS = ("LCM", "TCD", "HeunDiscrete", "KDPM2Discrete", "KDPM2AncestralDiscrete", "DPMSolverSDE")
BETAS = ("beta_start", "beta_end", "beta_schedule")
BETA_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
PREDICTIONS = ("epsilon", "v_prediction")


def complete(spec: ModelSpec) -> ModelSpec:
    """The latent's length, and the size of the pictures that the autoencoder makes of it.

    Raises UneError for a diffusion model of another build: its numbers would be other ones, in silence.
    """
    unet, vae = read_json(spec, "unet/config.json"), read_json(spec, "vae/config.json")
    _refuse_other_builds(spec, unet, vae, read_json(spec, "scheduler/scheduler_config.json"))
    side = unet["sample_size"]
    size = side * 2 ** (len(vae["block_out_channels"]) - 1)
    preprocessing = replace(spec.preprocessing, size=size)
    return replace(spec, dim=unet["in_channels"] * side * side, preprocessing=preprocessing)


def _refuse_other_builds(
    spec: ModelSpec, unet: dict[str, Any], vae: dict[str, Any], scheduler: dict[str, Any]
) -> None:
    def refuse(why: str) -> UneError:
        return UneError(
            f"{spec.source}: {why}; stable-diffusion: reads Stable Diffusion 1.x, 2.x and their kin"
        )

    if unet.get("_class_name", "UNet2DConditionModel") != "UNet2DConditionModel":
        raise refuse(f"its denoiser is a {unet['_class_name']}")
    channels = vae.get("latent_channels", 4)
    if unet["in_channels"] != channels:
        raise refuse(
            f"its U-Net reads {unet['in_channels']} channels and its autoencoder makes {channels}, as models"
            " for inpainting or depth do"
        )
    for key in ("class_embed_type", "addition_embed_type", "encoder_hid_dim_type", "num_class_embeds"):
        if unet.get(key) is not None:
            raise refuse(f"its U-Net wants more than a prompt ({key}={unet[key]!r})")
    for key in ("shift_factor", "latents_mean", "latents_std"):
        if vae.get(key):
            raise refuse(f"its autoencoder has {key}={vae[key]!r}")
    towers = text_towers(spec)
    if towers != {"text_encoder": "CLIPTextModel"}:
        found = ", ".join(f"{name} ({tower})" for name, tower in towers.items()) or "none"
        raise refuse(f"its text towers are {found}, not one CLIPTextModel")
    if fault := _fault_of_schedule(scheduler):
        raise refuse(fault)
    if (prediction := scheduler.get("prediction_type", "epsilon")) not in PREDICTIONS:
        raise refuse(f"its U-Net predicts {prediction!r}, not {' or '.join(PREDICTIONS)}")
    for folder, stem in WEIGHTS.items():
        drawn = folder == "unet" and spec.init_seed is not None
        if not drawn and not has_weights(spec, folder, stem):
            raise UneError(
                f"{spec.source}/{folder} has no {stem}.safetensors; pickled weights (.bin) may run code when"
                " they are read: load the model with diffusers and save_pretrained it, which writes"
                " safetensors"
            )


def _fault_of_schedule(scheduler: dict[str, Any]) -> str:
    """Why the noise schedule of that file is not the one that DDIM makes of it; empty where it is."""
    name = str(scheduler.get("_class_name") or "DDIMScheduler").removesuffix("Scheduler")
    if name not in SCHEDULERS or scheduler.get("use_flow_sigmas"):
        return f"its scheduler is a {name}Scheduler, whose noise schedule is not DDIM's"
    if scheduler.get("trained_betas"):
        return ""
    unsaid = [key for key in BETAS if key not in scheduler]
    if unsaid and name in OWN_BETAS:
        return f"its {name}Scheduler's file says no {', '.join(unsaid)}: let save_pretrained write it"
    betas = scheduler.get("beta_schedule", "linear")
    return (
        "" if betas in BETA_SCHEDULES else f"its scheduler has beta_schedule={betas!r}, which is not DDIM's"
    )


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(512, "crop", mean=HALF, std=HALF), batch_size=16, dtype="float16"
    ),
    complete=complete,
    library="diffusers",
    sign="model_index.json",
    recognises=lambda index: "unet" in index and "vae" in index,
    generates=True,
)
