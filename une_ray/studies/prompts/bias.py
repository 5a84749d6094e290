"""Which of two poles does a generator hear in a prompt, and does it hear what is true?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError
from une_ray.geometry.prompt_directions import agreement, biases, random_poles, rank_correlation
from une_ray.lake import results
from une_ray.lake.latents import spaces_of
from une_ray.lake.layout import Lake
from une_ray.lake.tables import InALine
from une_ray.run.progress import say
from une_ray.studies.prompts.read import (
    INTERVAL,
    Prompts,
    are_same,
    caption_spaces,
    computed,
    number,
    rows_of,
)
from une_ray.studies.prompts.truth import Truth, known_truth, too_few


@dataclass(frozen=True, eq=False, repr=False)
class BiasResult(InALine):
    """`table`: rows of the view `prompt_biases`; `agreements`: of `prompt_agreements`, one per space, none
    without a truth."""

    table: pa.Table
    agreements: pa.Table


def bias(
    lake: Lake,
    neutral: str,
    poles: Sequence[str],
    spaces: Sequence[str] | None = None,
    truth: str | None = None,
    resamples: int = 1000,
) -> BiasResult:
    """The bias of every prompt but the neutral one and the poles, in `spaces` (default: all of captions).

    `truth` is `avatars`, where the poles are an attribute's prompts and prompts are concepts of
    `avatar_concepts`; `vote:JUDGE`, what the judge's vote on pictures of the very space's generator was
    (see `vote`), or `vote:JUDGE@SPACE`, on those of another, as text towers want it where several were drawn
    by; or a CSV file with the columns prompt and frequency. A truth of too few prompts gives no agreement,
    which is said. Prompts that a model reads as the neutral one are left out, and said.

    Raises UneError for prompts that the lake has not, and poles that are the neutral prompt, or one another,
    as text or to the model.
    """
    first, second = two_poles(poles, neutral)
    asked = caption_spaces(lake) if spaces is None else spaces_of(lake, spaces)
    truths = {space: known_truth(lake, truth, (first, second), space) for space in asked}
    settings = {"neutral": neutral, "poles": [first, second], "resamples": resamples} | INTERVAL
    configs = computed(
        lake,
        "prompt_biases",
        asked,
        lambda space: settings | {"truth": truths[space].hash},
        lambda config, prompts: _commit(lake, config, prompts, truths[config["space"]]),
    )
    found = BiasResult(*(rows_of(lake, name, configs) for name in ("prompt_biases", "prompt_agreements")))
    for space, known in truths.items():
        prompts = [row["prompt"] for row in found.table.to_pylist() if row["space"] == space]
        reason = too_few(known, prompts) if known.shares else None
        if reason:
            say(f"{space} is held against no truth: {reason}")
    return found


def two_poles(poles: Sequence[str], neutral: str | None = None) -> tuple[str, str]:
    """The poles; UneError where they are not two different prompts, or the neutral one is among them."""
    if len(poles) != 2 or poles[0] == poles[1]:
        raise UneError(f"poles {list(poles)}: two different prompts, as in 'a man|a woman'")
    if neutral in poles:
        raise UneError(f"the neutral prompt {neutral!r} is a pole too: it has no direction from itself")
    return poles[0], poles[1]


def _commit(lake: Lake, config: Mapping[str, Any], prompts: Prompts, known: Truth) -> None:
    neutral, poles = config["neutral"], config["poles"]
    sides = np.stack([prompts.of(pole) for pole in poles])
    if are_same(*sides):
        raise UneError(f"{config['space']} reads {poles[0]!r} and {poles[1]!r} as one prompt: no two poles")
    asked = [text for text in prompts.texts if text not in (neutral, *poles)]
    if not asked:
        raise UneError(f"{lake.url} has no prompt beside the neutral one and the poles")
    h = np.stack([prompts.of(text) for text in asked])
    found = biases(h, prompts.of(neutral), sides)
    name = known.name if any(text in known.shares for text in asked) else None
    stamp = {
        "space": config["space"],
        "space_fingerprint": config["space_fingerprint"],
        "neutral": neutral,
        "pole_first": poles[0],
        "pole_second": poles[1],
    }
    columns = (found.values, found.low, found.high, found.even, found.odd)
    rows = [
        stamp
        | {"prompt": text, "truth": known.shares.get(text), "truth_of": name}
        | {name: number(values[row]) for name, values in zip(("bias", "low", "high", "even", "odd"), columns)}
        for row, text in enumerate(asked)
    ]
    if known.shares and not too_few(known, asked):
        row = (
            stamp
            | {"truth": known.name}
            | _agreement(asked, known, h, prompts.of(neutral), columns, config["resamples"])
        )
        results.commit(lake, "prompt_agreements", config, [row])
    results.commit(lake, "prompt_biases", config, rows)


def _agreement(
    asked: Sequence[str],
    known: Truth,
    h: np.ndarray,
    neutral: np.ndarray,
    columns: Sequence[np.ndarray],
    resamples: int,
) -> dict[str, Any]:
    places = [row for row, text in enumerate(asked) if text in known.shares]
    truth, seeds = np.array([known.shares[asked[row]] for row in places]), h.shape[1]
    ranked = agreement(columns[0][places], truth, resamples)
    by_chance = random_poles(h[places].mean(1), neutral.mean(0), truth)
    halves = rank_correlation(columns[3][places], columns[4][places]) if seeds > 1 else float("nan")
    numbers = {"rho": ranked.rho, "low": ranked.low, "high": ranked.high, "p": ranked.p}
    numbers |= {"random_poles": by_chance, "halves": halves}
    return {"prompts": len(places), "seeds": seeds} | {name: number(x) for name, x in numbers.items()}
