"""Command line of the mini zoo's training: every model from nothing, part by part, resumable."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from une_ray.models.resolve import PACKAGED
from une_ray.training import distributed, zoo
from une_ray.training.workspace import Workspace
from une_ray.training.zoo import MODELS, parts_of

EXAMPLES = """examples:
  python jobs/train_mini_zoo.py                                   all of it
  python jobs/train_mini_zoo.py --only mini-clip-b --threads 1    one model and the parts it needs
  python jobs/train_mini_zoo.py --only mini-sd-b --num-workers 4  on four workers under Ray Train, GPUs if any

Parts that are finished in --work are kept, one that was killed goes on from its checkpoint; begin anew in
another --work."""


def arguments() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(
        prog="train_mini_zoo",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        choices=MODELS,
        action="append",
        metavar="NAME",
        help=f"train this model; may be repeated: {', '.join(MODELS)}",
    )
    parser.add_argument(
        "--images",
        type=int,
        default=40_000,
        help="training avatars, half of them per generator (default 40,000)",
    )
    parser.add_argument("--steps", type=int, help="override every recipe's number of steps")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(".zoo"),
        help="checkpoints, curves and rendered pictures (default .zoo)",
    )
    parser.add_argument(
        "--out", type=Path, default=PACKAGED, help="where finished models go; default: into the package"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads for torch")
    parser.add_argument(
        "--num-workers",
        type=int,
        default=1,
        help="train on so many workers under Ray Train; --work must be a folder they share",
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Train what is asked for and not finished, and write the models' folders."""
    args = arguments().parse_args(argv)
    workspace = Workspace(
        folder=args.work.resolve(), images=args.images, steps=args.steps, device=args.device
    )
    names = args.only or list(MODELS)
    for part in dict.fromkeys(part for name in names for part in parts_of(name)):
        if workspace.finished(part):
            print(f"{part}: finished already in {workspace.folder / part}")
        elif args.num_workers > 1:
            distributed.train(part, workspace, args.num_workers)
        else:
            zoo.train(part, workspace, args.threads)
    for name in names:
        MODELS[name].write(workspace, args.out / name)
        print(f"{name} → {args.out / name}")
