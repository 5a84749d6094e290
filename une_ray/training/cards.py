"""Model cards of the mini zoo: training, curves, pictures, and quality beside the others'."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from une_ray.models.resolve import PACKAGED
from une_ray.training import evaluate, strips
from une_ray.training.data import HELD_OUT_SEED, TRAINING_SEED, pictures
from une_ray.training.zoo import MODELS, PARTS, parts_of

TRAINING = "## Training"
BOUNDS = (": from", ": to", ": ±")  # figures that stand beside another, of whose name theirs begins
# Settings that a reader does not need, or reads elsewhere.
QUIET = ("checkpoint_seconds", "machine", "seconds", "workers")


def main(argv: list[str] | None = None) -> None:
    """Print every figure of the cards, and rewrite the cards where told to."""
    parser = argparse.ArgumentParser(
        prog="evaluate_mini_zoo", description="Measure every figure of the mini zoo's model cards."
    )
    parser.add_argument(
        "--work", type=Path, default=Path(".zoo"), help="rendered pictures, training curves and settings"
    )
    parser.add_argument(
        "--write-cards",
        action="store_true",
        help="also rewrite the cards and their pictures (after a training)",
    )
    parser.add_argument(
        "--write-figures",
        action="store_true",
        help="also rewrite what the cards say, but for training and pictures (after a figure's criterion "
        "has changed)",
    )
    parser.add_argument(
        "--again", action="store_true", help="measure also the weights whose figures are in --work already"
    )
    args = parser.parse_args(argv)
    figures = evaluate.evaluate(args.work, args.again)
    for name in MODELS if args.write_cards or args.write_figures else ():
        write_card(name, figures, args.work, is_trained=args.write_cards)


def write_card(name: str, figures: dict[str, dict[str, float]], work: Path, is_trained: bool) -> None:
    """README.md in the model's folder; of one that was trained anew curve.png as well, and for generators
    samples.webp and inversions.webp."""
    card = PACKAGED / name / "README.md"
    if is_trained:
        draw(name, card.parent, work)
        training = _training(name, work)
    else:
        training = [TRAINING, card.read_text().partition(f"{TRAINING}\n")[2]]
    card.write_text("\n".join([*measured(name, figures), *training]))


def draw(name: str, target: Path, work: Path) -> None:
    """The card's pictures."""
    plot_curves(work, parts_of(name), target / "curve.png")
    if name in evaluate.JUDGES:
        data = pictures(evaluate.IMAGES, HELD_OUT_SEED, work)
        strips.samples(name, data).save(target / "samples.webp", quality=90, method=6)
        strips.inversions(name, data).save(target / "inversions.webp", quality=90, method=6)


def measured(name: str, figures: dict[str, dict[str, float]]) -> list[str]:
    """A card's lines above its training: what the model is, shows and measures, beside its kin."""
    generator = name in evaluate.JUDGES
    kin = {other: values for other, values in figures.items() if (other in evaluate.JUDGES) == generator}
    lines = [f"# {name}", "", MODELS[name].about, "", *(_shown(name) if generator else [])]
    lines += ["## Measured on held-out avatars", "", "`make floors` measures these again.", ""]
    return lines + table(name, kin)


def table(name: str, figures: dict[str, dict[str, float]]) -> list[str]:
    """Markdown: one row per figure, one column per model, the card's own first and in bold."""
    models = [name, *(other for other in figures if other != name)]
    rows = dict.fromkeys(key for model in models for key in figures[model])
    lines = [
        "| | " + " | ".join(f"**{model}**" if model == name else model for model in models) + " |",
        "|---" * (len(models) + 1) + "|",
    ]
    for key in (row for row in rows if not row.endswith(BOUNDS)):
        values = [_cell(figures[model], key) for model in models]
        values[0] = f"**{values[0]}**" if values[0] else ""
        lines.append(f"| {key} | " + " | ".join(values) + " |")
    return [*lines, ""]


def _cell(figures: dict[str, float], key: str) -> str:
    """A figure with its interval, where it has one."""
    if key not in figures:
        return ""
    low, high, half = (figures.get(f"{key}{bound}") for bound in BOUNDS)
    between = "" if low is None else f" ({low:.2g} to {high:.2g})"
    return f"{figures[key]:.4g}" + between + ("" if half is None else f" ± {half:.2g}")


def _shown(name: str) -> list[str]:
    return [
        "Samples for held-out captions, guidance 3, 50 DDIM steps, not selected:",
        "",
        "![samples](samples.webp)",
        "",
        "Held-out pictures; below each what the autoencoder alone, then inversion to noise and back (DDIM, "
        "50 steps) gives back. Last rows: on the great circle between the noises of two pictures.",
        "",
        "![inversions](inversions.webp)",
        "",
        f"Samples are matched with captions by {evaluate.JUDGES[name]}, which shares neither pictures nor "
        "text tower with this model; the kernel distance (KID) is in mini-dino's space, n = 400, and real "
        "pictures' from other real ones stands beside it; ± is half a 95 % interval over pictures, "
        "brackets are exact ones over titles.",
        "",
    ]


def _training(name: str, work: Path) -> list[str]:
    lines = [
        TRAINING,
        "",
        f"Avatars of seed {TRAINING_SEED}, 40,000 in all; held out: seed {HELD_OUT_SEED}. AdamW (β .9, .99), "
        f"cosine decay, bf16 autocast, EMA weights. `python jobs/train_mini_zoo.py --only {name}`",
        "",
    ]
    for part in parts_of(name):
        settings = json.loads((work / part / "settings.json").read_text())
        recipe = ", ".join(
            f"{key.replace('_', ' ')} {value}" for key, value in settings.items() if key not in QUIET
        )
        duration = f"{settings['seconds'] / 60:.0f} minutes on {settings['machine']}"
        lines += [f"- **{part}**, on {PARTS[part].data}: {recipe}; {duration}."]
    lines += ["", "![curves](curve.png)", ""]
    lines += ["Weights: fp16 safetensors. Licence: Apache-2.0 (drawings: python-avatars, MIT).", ""]
    return lines


def plot_curves(work: Path, parts: list[str], path: Path) -> None:
    """Loss by step of every part, as it was and smoothed."""
    figure = Figure(figsize=(4.5 * len(parts), 2.8), layout="constrained")
    for axis, part in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts):
        rows = [json.loads(line) for line in (work / part / "curve.jsonl").read_text().splitlines()]
        steps, losses = np.array([row["step"] for row in rows]), np.array([row["loss"] for row in rows])
        width = max(1, len(losses) // 50)
        axis.plot(steps, losses, color="#c8d4e6", linewidth=0.8)
        axis.plot(steps[width - 1 :], np.convolve(losses, np.ones(width) / width, "valid"), color="#3b6fb6")
        axis.set(title=part, xlabel="step", ylabel="loss", yscale="log")
    figure.savefig(path, dpi=72)
