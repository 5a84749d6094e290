"""Command line of planted biases: generators whose share of men in each kind of clothes is known."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from une_ray.training import planted
from une_ray.training.workspace import Workspace

EXAMPLES = """example:
  python jobs/plant_bias.py --work .planted

One that was killed goes on from its checkpoints. At the end it prints the commands that measure the bias."""


def arguments() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(
        prog="plant_bias",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--work", type=Path, default=Path(".planted"), help="where they go (default .planted)"
    )
    parser.add_argument(
        "--avatars", type=int, default=200, help="in each kind of clothes, for each generator (default 200)"
    )
    parser.add_argument(
        "--steps", type=int, default=planted.SETTINGS.steps, help="of training each generator (default 200)"
    )
    parser.add_argument("--pictures", type=int, default=32, help="drawn of every prompt (default 32)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads for torch")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Train one generator per dose, look at what each draws, and write what is known of them."""
    args = arguments().parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    workspace = Workspace(folder=args.work.resolve(), steps=args.steps, device=args.device)
    plants = []
    for run in range(len(planted.DOSES)):
        folder = planted.train(workspace, run, args.avatars)
        for plant in planted.plants_of(folder, run, args.pictures):
            print(f"{plant.space}  {plant.prompt:28} planted {plant.frequency:.0%}, drawn {plant.drawn:.0%}")
            plants.append(plant)
    known = planted.write(workspace.folder, plants)
    spaces = ",".join(
        f"plant-{run}=stable-diffusion:{workspace.folder}/plant-{run}/generator/hspace8"
        for run in range(len(planted.DOSES))
    )
    print(f"\nune build --corpus '{planted.CORPUS}' --spaces {spaces} --lake {workspace.folder}/lake")
    print(f"une prompts dose --lake {workspace.folder}/lake --planted {known}")
