"""What do the pictures of a prompt show? An encoder's vote between two poles, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError, unknown
from une_ray.geometry.intervals import clopper_pearson
from une_ray.geometry.prompt_directions import agreement, rank_correlation
from une_ray.lake import results
from une_ray.lake.latents import matrix
from une_ray.lake.layout import Lake
from une_ray.lake.tables import InALine
from une_ray.run import tasks
from une_ray.run.cluster import DEFAULT, Cluster
from une_ray.studies.prompts.bias import two_poles
from une_ray.studies.prompts.judge import Judge
from une_ray.studies.prompts.pictures import DrawPrompts
from une_ray.studies.prompts.pictures import tasks as picture_tasks
from une_ray.studies.prompts.read import number, prompts_of, rows_of
from une_ray.studies.prompts.truth import Truth, known_truth, too_few

EMBEDDED = "SELECT prompt, z FROM prompt_pictures WHERE config IN (SELECT unnest(?)) ORDER BY prompt, seed"


@dataclass(frozen=True, eq=False, repr=False)
class VoteResult(InALine):
    """`table`: rows of the view `prompt_votes`, one per prompt; `agreements`: of `prompt_vote_agreements`,
    one row, or none without a truth."""

    table: pa.Table
    agreements: pa.Table


def vote(
    lake: Lake,
    space: str,
    judge: str,
    poles: Sequence[str],
    *,
    pictures: int = 16,
    steps: int = 25,
    guidance: float = 1.0,
    truth: str | None = None,
    cluster: Cluster = DEFAULT,
) -> VoteResult:
    """Draw so many `pictures` of every prompt of the lake by the generator of `space`, an h-space of prompts,
    and count those that `judge` gives to the first pole.

    The pictures begin with the noise of the h-space's seeds; guidance 1 draws what the generator holds
    likely. What was drawn is not drawn again. `truth` is one of `bias`. Raises UneError for what can't be,
    before any work.
    """
    first, second = two_poles(poles)
    voter = Judge.parse(judge)
    if space not in lake.fingerprints():
        raise unknown("space", space, lake.fingerprints())
    if voter.attribute is not None:
        voter.probe()
    known, prompts = known_truth(lake, truth, (first, second), space), prompts_of(lake, space)
    reason = too_few(known, prompts) if known.shares else None
    if reason:
        raise UneError(reason)
    todo = picture_tasks(lake, space, voter, prompts, pictures, steps, guidance)
    made = [results.config_hash(task.to_row()) for task in todo]
    config = {
        "space": space,  # its removal takes the votes along
        "pictures": sorted(made),
        "judge": judge,
        "poles": [first, second],
        "probe": None if voter.attribute is None else results.config_hash(_numbers(voter)),
        "truth": known.hash,
    }
    if not results.is_done(lake, "prompt_votes", config):
        options = (space, voter)
        list(
            tasks.run(
                lake, "prompt_pictures", todo, DrawPrompts, options, "drawing", cluster, unit="pictures"
            )
        )
        facts = {
            "space": space,
            "space_fingerprint": todo[0].space_fingerprint,
            "judge": judge,
            "pole_first": first,
            "pole_second": second,
            "steps": steps,
            "guidance_scale": guidance,
        }
        _commit(lake, config, facts, _votes(lake, made, voter, (first, second)), known)
    tables, configs = ("prompt_votes", "prompt_vote_agreements"), [results.config_hash(config)]
    return VoteResult(*(rows_of(lake, name, configs) for name in tables))


def _numbers(voter: Judge) -> list[float]:
    w, b = voter.probe()
    return [*w.tolist(), b]


def _votes(lake: Lake, made: Sequence[str], judge: Judge, poles: Sequence[str]) -> dict[str, np.ndarray]:
    """Prompt → (S,) bool, seed by seed."""
    table = lake.session.sql(EMBEDDED, params=[list(made)]).to_arrow_table()
    votes = judge.vote(matrix(table["z"], np.float64), poles)
    texts = np.array(table["prompt"].to_pylist(), object)
    return {text: votes[texts == text] for text in dict.fromkeys(texts)}


def _commit(
    lake: Lake,
    config: Mapping[str, Any],
    facts: Mapping[str, Any],
    votes: Mapping[str, np.ndarray],
    known: Truth,
) -> None:
    rows = []
    for text, of_prompt in votes.items():
        low, high = clopper_pearson(int(of_prompt.sum()), len(of_prompt))
        numbers = {"vote": float(of_prompt.mean()), "low": low, "high": high, "truth": known.shares.get(text)}
        rows.append(dict(facts) | {"prompt": text, "pictures": len(of_prompt)} | numbers)
    asked = [text for text in votes if text in known.shares]
    if asked:
        shares = np.array([votes[text].mean() for text in asked])
        true = np.array([known.shares[text] for text in asked])
        ranked = agreement(shares, true)
        found = {"rho": ranked.rho, "low": ranked.low, "high": ranked.high, "p": ranked.p}
        found |= {"halves": _halves([votes[text] for text in asked])}
        found |= {"difference": float(np.abs(shares - true).mean())}
        row = dict(facts) | {"truth": known.name, "prompts": len(asked), "pictures": len(votes[asked[0]])}
        row |= {name: number(value) for name, value in found.items()}
        results.commit(lake, "prompt_vote_agreements", config, [row])
    results.commit(lake, "prompt_votes", config, rows)


def _halves(votes: Sequence[np.ndarray]) -> float:
    """ρ of prompts' votes by even and by odd seeds; NaN for a single seed."""
    if len(votes[0]) < 2:
        return float("nan")
    even, odd = (np.array([of_prompt[side::2].mean() for of_prompt in votes]) for side in (0, 1))
    return rank_correlation(even, odd)
