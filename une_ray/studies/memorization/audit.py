"""Which of somebody's prompts a generator may have memorised: ranked by a detector, beside ordinary prompts that went the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.studies.memorization.detectors import check
from une_ray.studies.memorization.prompts import Prompt
from une_ray.studies.memorization.study import over

SCORES = (
    "SELECT prompt, kind, avg(detectors[?]) FROM memorization WHERE method = 'none' GROUP BY prompt, kind"
)


@dataclass(frozen=True)
class Suspect:
    """A prompt that was asked about: its detector's mean over seeds, and the chance that an ordinary prompt scores as high."""

    prompt: str
    score: float
    p_value: float


@dataclass(frozen=True)
class Audit:
    """`suspects`, the highest score first, and the highest score of `ordinary` prompts: a threshold and its false-positive rate."""

    suspects: list[Suspect]
    threshold: float
    ordinary: int

    @property
    def false_positive_rate(self) -> float:
        """The chance that one more ordinary prompt scores above the threshold: 1 / (n + 1), any of them being the highest as likely."""
        return 1 / (self.ordinary + 1)

    @property
    def highest_rate(self) -> float:
        """What that rate may be at most, with 95 % confidence: 1 − .05^(1/n), where none of n did (Clopper & Pearson 1934)."""
        return 1 - 0.05 ** (1 / self.ordinary)


def audit(lake: Lake, configs: Sequence[str], detector: str) -> Audit:
    """The given prompts of these configs against the held-out ones.

    The p-value is the share of ordinary prompts, this one counted, that score as high: exact where the given prompt is as
    ordinary as they are. Raises UneError for an unknown detector, and where there are no ordinary prompts.
    """
    check(detector)
    scores = over(lake, configs).execute(SCORES, [detector]).fetchall()
    ordinary = [score for _, kind, score in scores if kind == "held-out"]
    if not ordinary:
        raise UneError("no ordinary prompts to compare with; ask for some with --ordinary")
    ranked = sorted(
        ((prompt, score) for prompt, kind, score in scores if kind == "given"), key=lambda pair: -pair[1]
    )
    suspects = [
        Suspect(prompt, score, (1 + sum(value >= score for value in ordinary)) / (1 + len(ordinary)))
        for prompt, score in ranked
    ]
    return Audit(suspects, max(ordinary), len(ordinary))


def beside(given: Sequence[Prompt], ordinary: Sequence[Prompt]) -> list[Prompt]:
    """Both, the given ones last, so that a longer file leaves what was done as it was; an ordinary one that was also given counts as given."""
    texts = {prompt.text for prompt in given}
    return [*(prompt for prompt in ordinary if prompt.text not in texts), *given]
