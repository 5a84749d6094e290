"""Command line of the mini zoo's training: every model from nothing, part by part, each resumed from its last checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from une_ray.models.resolve import PACKAGED
from une_ray.training import distributed
from une_ray.training.zoo import MODELS, PARTS, Work, parts_of

EXAMPLES = """examples:
  python jobs/train_mini_zoo.py                                   all of it
  python jobs/train_mini_zoo.py --only mini-clip-b --threads 1    one model and the parts it needs
  python jobs/train_mini_zoo.py --only mini-sd-b --num-workers 4  on four workers (GPUs where there are any), under Ray Train

Parts that are finished in --work are kept, one that was killed goes on from its checkpoint; begin anew in another --work."""


def main(argv: list[str] | None = None) -> None:
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
    args = parser.parse_args(argv)
    work = Work(args.work.resolve(), args.images, args.steps, args.device)
    chosen = args.only or list(MODELS)
    for part in dict.fromkeys(part for name in chosen for part in parts_of(name)):
        if work.finished(part):
            print(f"{part}: finished already in {work.folder / part}")
        elif args.num_workers > 1:
            distributed.train(part, work, args.num_workers)
        else:
            train(part, work, args.threads)
    for name in chosen:
        MODELS[name].write(work, args.out / name)
        print(f"{name} → {args.out / name}")


def train(part: str, work: Work, threads: int | None = None) -> None:
    """Train one part in this process; same seed, same initial weights."""
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(list(PARTS).index(part))
    PARTS[part].train(work, part)
