"""Which of somebody's prompts a generator may have memorised: ranked by a detector, beside ordinary prompts
that went the same way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.models.generators import load_tokenizer
from une_ray.registry import DETECTORS
from une_ray.run.cluster import DEFAULT, Cluster
from une_ray.studies.memorization import bench
from une_ray.studies.memorization import prompts as asking
from une_ray.studies.memorization.prompts import Prompt
from une_ray.studies.memorization.study import create_where_missing, over, run

SCORES = (
    "SELECT prompt, kind, avg(detectors[$detector]), bool_and(map_contains(detectors, $detector))"
    " FROM memorization WHERE method = 'none' GROUP BY prompt, kind"
)
COLUMNS = pa.schema(
    [
        ("prompt", pa.string()),
        ("score", pa.float64()),
        ("p_value", pa.float64()),
        ("above_threshold", pa.bool_()),
    ]
)

Prompts = str | Path | Sequence[str]
"""A file of prompts, or the prompts themselves."""


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A prompt that was asked about: its detector's mean over seeds, and the chance that an ordinary prompt
    scores as high."""

    prompt: str
    score: float
    p_value: float


@dataclass(frozen=True, kw_only=True)
class Audit:
    """`suspects`, the highest score first, and the highest score of `ordinary` prompts: a threshold and its
    false-positive rate.

    `left_out` says of every prompt that is too long for the text tower by how much, and which the detector
    gives no number.
    """

    detector: str
    suspects: tuple[Suspect, ...]
    threshold: float
    ordinary: int
    left_out: tuple[str, ...] = ()

    @property
    def above(self) -> tuple[Suspect, ...]:
        """Those that score above the threshold."""
        return tuple(suspect for suspect in self.suspects if suspect.score > self.threshold)

    @property
    def table(self) -> pa.Table:
        """A row per suspect: prompt, score, p_value, above_threshold."""
        above = set(self.above)
        rows = [asdict(suspect) | {"above_threshold": suspect in above} for suspect in self.suspects]
        return pa.Table.from_pylist(rows, schema=COLUMNS)

    @property
    def false_positive_rate(self) -> float:
        """The chance that one more ordinary prompt scores above the threshold: 1 / (n + 1), any of them being
        the highest as likely."""
        return 1 / (self.ordinary + 1)

    @property
    def highest_rate(self) -> float:
        """What that rate may be at most, with 95 % confidence: 1 − .05^(1/n), where none of n did (Clopper &
        Pearson 1934)."""
        return 1 - 0.05 ** (1 / self.ordinary)


def audit(
    lake: Lake,
    *,
    model: str,
    prompts: Prompts,
    detector: str = "wen-10",
    ordinary: int | Prompts = 40,
    seeds: int = 4,
    steps: int = 50,
    guidance: float = 7.5,
    cluster: Cluster = DEFAULT,
) -> Audit:
    """Rank prompts by how much a detector takes them for memorised, with the false-positive rate of the
    threshold.

    `ordinary` are what to compare with: so many captions that no model has seen, a file, or texts. The lake
    keeps every score: what was done is not done again. Where there is none, one is made. Raises UneError for
    what can't be, before any work.
    """
    DETECTORS.module_name(detector)
    spec, _ = bench.generator(model)
    tokenizer = load_tokenizer(spec)
    fitting: list[list[Prompt]] = []
    left_out: dict[str, str] = {}
    for what, texts in ((prompts, asking.given(prompts)), (ordinary, asking.ordinary(ordinary))):
        short, long = asking.fitting(texts, tokenizer)
        if not short:
            raise UneError(
                f"none of the {len(long)} prompts of {what} can be audited: {next(iter(long.values()))}"
            )
        fitting.append(short)
        left_out |= long
    todo = bench.tasks(model, [bench.PLAIN_CHOICE], beside(*fitting), seeds, steps, guidance)
    configs = run(create_where_missing(lake), todo, cluster)
    return rank(lake, configs, detector, tuple(left_out.values()))


def rank(lake: Lake, configs: Sequence[str], detector: str, left_out: tuple[str, ...] = ()) -> Audit:
    """The given prompts of these configs against the held-out ones.

    The p-value is the share of ordinary prompts, this one counted, that score as high: exact where the given
    prompt is as ordinary as they are. Prompts whose score is not a number are left out. Raises UneError for
    an unknown detector or one that the rows lack, and where there are no ordinary prompts.
    """
    DETECTORS.module_name(detector)
    found = over(lake, configs).execute(SCORES, {"detector": detector}).fetchall()
    if not all(has_it for *_, has_it in found):
        raise UneError(
            f"{lake.url} holds pictures of these prompts that were made without the detector {detector}; "
            "name another lake"
        )
    scores = [(prompt, kind, score) for prompt, kind, score, _ in found if _is_number(score)]
    left_out += tuple(
        f"{prompt!r}: {detector} gives no number" for prompt, _, score, _ in found if not _is_number(score)
    )
    ordinary = [score for _, kind, score in scores if kind == "held-out"]
    if not ordinary:
        raise UneError("no ordinary prompts to compare with; ask for some with --ordinary")
    ranked = sorted(((prompt, score) for prompt, kind, score in scores if kind == "given"), key=_by_score)
    suspects = tuple(
        Suspect(prompt=prompt, score=score, p_value=_share_as_high(score, ordinary))
        for prompt, score in ranked
    )
    return Audit(
        detector=detector,
        suspects=suspects,
        threshold=max(ordinary),
        ordinary=len(ordinary),
        left_out=left_out,
    )


def beside(given: Sequence[Prompt], ordinary: Sequence[Prompt]) -> list[Prompt]:
    """Both, the given ones last, so that a longer file leaves what was done as it was; an ordinary one that
    was also given counts as given."""
    texts = {prompt.text for prompt in given}
    return [*(prompt for prompt in ordinary if prompt.text not in texts), *given]


def _is_number(score: float | None) -> bool:
    return score is not None and math.isfinite(score)


def _by_score(pair: tuple[str, float]) -> float:
    return -pair[1]


def _share_as_high(score: float, ordinary: Sequence[float]) -> float:
    return (1 + sum(value >= score for value in ordinary)) / (1 + len(ordinary))
