"""Model cards of the mini zoo: what each was trained on and how, its curve, its samples, its measured quality."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from une_ray.models.resolve import PACKAGED
from une_ray.training import evaluate
from une_ray.training.data import HELD_OUT_SEED, TRAINING_SEED, pictures

ABOUT = {
    "mini-sd-a": (
        "A latent diffusion model of 64 × 64 avatars: AutoencoderKL (f = 4), UNet2DConditionModel with cross-attention, and mini-clip-a's "
        "text tower, as a `StableDiffusionPipeline` folder. ε-prediction on Stable Diffusion 1.x' noise schedule. It stands for SD 1.5.",
        "the even-numbered half",
        ("autoencoder", "unet"),
    ),
    "mini-clip-a": (
        "A contrastive image–text model (transformers' `CLIPModel`): ViT 6 × 128, patch 8; causal text tower 4 × 128 with CLIP's padding "
        "semantics; InfoNCE.",
        "the even-numbered half, four captions a picture",
        ("clip",),
    ),
    "mini-dino": (
        "A self-distilled vision transformer (transformers' `Dinov2Model`): ViT 6 × 128, patch 8; the student's embedding of a crop regresses "
        "its slow teacher's whitened embedding of the whole picture. It saw neither labels nor text.",
        "all pictures, no captions",
        ("dino",),
    ),
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="evaluate_mini_zoo", description="Measure every figure of the mini zoo's model cards.")
    parser.add_argument("--work", type=Path, default=Path(".zoo"), help="rendered pictures, training curves and settings")
    parser.add_argument("--write-cards", action="store_true", help="also rewrite the cards and their pictures (after a training)")
    args = parser.parse_args(argv)
    figures = evaluate.evaluate(args.work)
    if args.write_cards:
        for name in ABOUT:
            write_card(name, figures, args.work)


def write_card(name: str, figures: dict[str, dict[str, float]], work: Path) -> None:
    """README.md, curve.png and, for generators, samples.png in the model's folder."""
    about, data, parts = ABOUT[name]
    target = PACKAGED / name
    plot_curves(work, parts, target / "curve.png")
    lines = [f"# {name}", "", about, ""]
    if name.startswith("mini-sd"):
        lines += ["Samples for held-out captions, guidance 3, 50 DDIM steps, not selected:", "", "![samples](samples.png)", ""]
        save_samples(name, work, target / "samples.png")
    lines += ["## Measured on held-out avatars", "", "`make floors` measures these again.", "", "| figure | value |", "|---|---|"]
    lines += [f"| {key} | {value:.4g} |" for key, value in figures[name].items()]
    if name == "mini-dino":
        lines += [f"| the same probes on 16 × 16 pixels: mean AUC | {figures['pixels, 16 × 16']['linear-probe mean AUC']:.4g} |"]
    lines += [
        "",
        "## Training",
        "",
        f"Data: avatars of seed {TRAINING_SEED}, {data} of 40,000; held out: seed {HELD_OUT_SEED}. AdamW, cosine decay, bf16 autocast, EMA weights.",
    ]
    for part in parts:
        settings = json.loads((work / part / "settings.json").read_text())
        said = ", ".join(
            f"{key.replace('_', ' ')} {value}" for key, value in settings.items() if key not in ("checkpoint_seconds", "machine", "seconds")
        )
        lines += [
            "",
            f"**{part}**: {said}; {settings['seconds'] / 60:.0f} minutes on {settings['machine']}.",
            f"`python jobs/train_mini_zoo.py --only {part}`",
        ]
    lines += ["", "![curve](curve.png)", "", "Weights: fp16 safetensors. Licence: Apache-2.0 (drawings: python-avatars, MIT).", ""]
    (target / "README.md").write_text("\n".join(lines))


def plot_curves(work: Path, parts: tuple[str, ...], path: Path) -> None:
    figure = Figure(figsize=(4.5 * len(parts), 2.8), layout="constrained")
    for axis, part in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts):
        rows = [json.loads(line) for line in (work / part / "curve.jsonl").read_text().splitlines()]
        steps, losses = np.array([row["step"] for row in rows]), np.array([row["loss"] for row in rows])
        width = max(1, len(losses) // 50)
        axis.plot(steps, losses, color="#c8d4e6", linewidth=0.8)
        axis.plot(steps[width - 1 :], np.convolve(losses, np.ones(width) / width, "valid"), color="#3b6fb6")
        axis.set(title=part, xlabel="step", ylabel="loss", yscale="log")
    figure.savefig(path, dpi=80)


def save_samples(name: str, work: Path, path: Path, columns: int = 12, rows: int = 4) -> None:
    captions = pictures(evaluate.IMAGES, HELD_OUT_SEED, work).captions()[: columns * rows]
    made = evaluate.generate(name, captions)
    grid = made.view(rows, columns, 3, 64, 64).permute(0, 3, 1, 4, 2).reshape(rows * 64, columns * 64, 3)
    Image.fromarray(((grid + 1) * 127.5).round().to(torch.uint8).numpy()).save(path, optimize=True)
