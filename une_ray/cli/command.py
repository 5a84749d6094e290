"""What a study's `command.py` hands to the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import typer


@dataclass(frozen=True)
class Command:
    """`une NAME`: a function that typer reads, or an app of several. `jobs` are the words after `une` that `une submit` may send away."""

    name: str
    run: Callable[..., None] | typer.Typer
    epilog: str = ""
    jobs: tuple[str, ...] = ()
