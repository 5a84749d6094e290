"""Command line of the mini zoo's training: parts in order, each resumed from its last checkpoint."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel, CLIPTokenizer

from une_ray.models.resolve import PACKAGED
from une_ray.training import autoencoder, clip, dino, package, tokenizer, unet
from une_ray.training.data import TRAINING_SEED, pictures

PARTS = ("autoencoder", "clip", "dino", "unet")
# Which shipped folder is made of which parts; it is written when the last of them is there.
MODELS = {"mini-sd-a": ("autoencoder", "clip", "unet"), "mini-clip-a": ("clip",), "mini-dino": ("dino",)}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="train_mini_zoo", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="train this part; may be given more than once")
    parser.add_argument("--images", type=int, default=40_000, help="training avatars (half of them per generator)")
    parser.add_argument("--steps", type=int, help="override the recipe's number of steps")
    parser.add_argument("--work", type=Path, default=Path(".zoo"), help="checkpoints, curves and rendered pictures")
    parser.add_argument("--out", type=Path, default=PACKAGED, help="where finished models go; default: into the package")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads for torch")
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    for part in args.only or PARTS:
        train(part, args)
    for name, write in (("mini-sd-a", package.mini_sd), ("mini-clip-a", package.mini_clip), ("mini-dino", package.mini_dino)):
        if all((args.work / part / "model").is_dir() for part in MODELS[name]):
            write(args.work, args.out / name)
            print(f"{name} → {args.out / name}")


def train(part: str, args: argparse.Namespace) -> None:
    """Train one part and leave its weights in its library's own folder format under the work folder."""
    data = pictures(args.images, TRAINING_SEED, args.work)
    folder = args.work / part

    def settings(recipe):
        return replace(recipe.SETTINGS, steps=args.steps) if args.steps else recipe.SETTINGS

    if part == "autoencoder":
        autoencoder.train(data.half("a"), folder, settings(autoencoder), args.device).save_pretrained(folder / "model")
    elif part == "clip":
        words = tokenizer.build(data.half("a").captions(), args.work / "tokenizer")
        words.save_pretrained(folder / "model")
        clip.train(data.half("a"), words, folder, settings(clip), args.device).save_pretrained(folder / "model")
    elif part == "dino":
        dino.train(data, folder, settings(dino), args.device).save_pretrained(folder / "model")
    elif part == "unet":
        vae = AutoencoderKL.from_pretrained(args.work / "autoencoder" / "model")
        tower = CLIPTextModel.from_pretrained(args.work / "clip" / "model")
        words = CLIPTokenizer.from_pretrained(args.work / "clip" / "model")
        unet.train(data.half("a"), vae, tower, words, folder, settings(unet), args.device).save_pretrained(folder / "model")
