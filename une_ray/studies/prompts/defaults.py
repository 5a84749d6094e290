"""Which attribute does a generator take for granted of an unmarked concept?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.corpora import avatar_concepts
from une_ray.errors import UneError, unknown
from une_ray.geometry.prompt_likeness import agreement, is_first, likeness
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.lake.tables import InALine
from une_ray.studies.prompts.read import (
    INTERVAL,
    Prompts,
    computed,
    labelled,
    number,
    rows_of,
)

AVATARS, KEY = "avatars", "describes"


@dataclass(frozen=True, eq=False, repr=False)
class DefaultsResult(InALine):
    """`table`: rows of the view `prompt_defaults`, one per space, prompt and descriptor; `agreements`: of
    `prompt_default_agreements`, one per space, none without a truth."""

    table: pa.Table
    agreements: pa.Table


def defaults(
    lake: Lake,
    neutral: str,
    spaces: Sequence[str] | None = None,
    describes: str = KEY,
    truth: str | None = None,
    resamples: int = 1000,
) -> DefaultsResult:
    """The cosine of every prompt's direction to every descriptor's, both from `neutral`.

    Descriptors are the prompts whose metadata say under `describes` what they describe, as "an old person"
    age; of those that describe one thing the nearest is the prompt's default. `truth` is `avatars`. Raises
    UneError for a lake without descriptors, and an unknown neutral prompt or truth.
    """
    if truth not in (None, AVATARS):
        raise unknown("truth", str(truth), [AVATARS])
    groups = {text: group for text, group in labelled(lake, describes).items() if text != neutral}
    if not groups:
        raise UneError(f"the only descriptor of {lake.url} is the neutral prompt {neutral!r} itself")
    settings = {"neutral": neutral, "describes": describes, "truth": truth, "resamples": resamples} | INTERVAL
    if truth:
        settings["truth_sha256"] = avatar_concepts.digest()
    configs = computed(
        lake,
        "prompt_defaults",
        spaces,
        lambda space: settings,
        lambda config, prompts: _commit(lake, config, prompts, groups),
    )
    return DefaultsResult(
        *(rows_of(lake, name, configs) for name in ("prompt_defaults", "prompt_default_agreements"))
    )


def _commit(lake: Lake, config: Mapping[str, Any], prompts: Prompts, groups: Mapping[str, str]) -> None:
    neutral, descriptors = config["neutral"], list(groups)
    asked = [text for text in prompts.texts if text != neutral]
    of, others = (np.stack([prompts.of(text) for text in texts]) for texts in (asked, descriptors))
    found = likeness(of, prompts.of(neutral), others, list(groups.values()), config["resamples"])
    truth = _truth(asked, descriptors) if config["truth"] else np.full(found.cosines.shape, np.nan)
    stamp = {name: config[name] for name in ("space", "space_fingerprint", "neutral")}
    first = is_first(found.cosines, list(groups.values()))
    rows = [
        stamp
        | {"prompt": text, "describes": groups[descriptor], "descriptor": descriptor}
        | {
            "cosine": float(found.cosines[row, column]),
            "low": number(found.low[row, column]),
            "high": number(found.high[row, column]),
            "is_default": bool(first[row, column]),
            "support": number(found.firsts[row, column]),
            "random": float(found.random[column]),
            "truth": number(truth[row, column]),
        }
        for row, text in enumerate(asked)
        for column, descriptor in enumerate(descriptors)
        if groups.get(text) != groups[descriptor]
    ]
    if config["truth"]:
        foreign = np.array([[groups.get(text) != group for group in groups.values()] for text in asked])
        try:
            agreed = agreement(found.cosines, np.where(foreign, truth, np.nan), list(groups.values()))
        except ValueError as error:
            raise UneError(f"{config['truth']} is no truth of {lake.url}: {error}") from error
        numbers = {name: number(value) for name, value in asdict(agreed).items() if name != "prompts"}
        facts = {"truth": config["truth"], "seeds": of.shape[1], "prompts": agreed.prompts}
        results.commit(lake, "prompt_default_agreements", config, [stamp | facts | numbers])
    results.commit(lake, "prompt_defaults", config, rows)


def _truth(asked: Sequence[str], descriptors: Sequence[str]) -> np.ndarray:
    """(p, k): the share of avatars of a prompt with what a descriptor says; NaN where nobody knows."""
    known = set(avatar_concepts.known())
    texts = [text for text in dict.fromkeys([*asked, *descriptors]) if text in known]
    if not set(asked) & known or not set(descriptors) & known:
        raise UneError(
            f"nothing is known of these {len(asked)} prompts and {len(descriptors)} descriptors; avatars' are"
            f" those of prompts:avatar-concepts, as {next(iter(avatar_concepts.CONCEPTS))!r}"
        )
    shares, places = avatar_concepts.conditional(texts), {text: i for i, text in enumerate(texts)}
    found = np.full((len(asked), len(descriptors)), np.nan)
    for row, text in enumerate(asked):
        for column, descriptor in enumerate(descriptors):
            if text in places and descriptor in places:
                found[row, column] = shares[places[text], places[descriptor]]
    return found
