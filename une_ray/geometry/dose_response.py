"""Does a response follow a dose that was planted? Slopes within subjects, whose own level is left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from une_ray.errors import UneError

CHANCE = 95  # percentile that |slopes| of shuffled doses and of other subjects stay below


@dataclass(frozen=True, kw_only=True)
class DoseResponse:
    """`slopes` (s,) of each subject, their mean `slope` with its 95 % interval over subjects (Student's t),
    the share `p` of shuffled doses whose |mean slope| reaches it, and what |mean slopes| of as many subjects
    that had no dose reach, None where there are too few."""

    slopes: np.ndarray
    slope: float
    low: float
    high: float
    p: float
    undosed: float | None


def dose_response(
    doses: np.ndarray,
    responses: np.ndarray,
    others: np.ndarray | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> DoseResponse:
    """Of `responses` (s, r) of s subjects in r runs to `doses` (s, r); `others` (q, r) are responses of
    subjects without a dose, which are lent those of the s.

    Shuffles are of each subject's doses among the runs. Interval and p are of subjects as independent ones.
    Raises UneError for numbers that are not finite, and for a subject whose dose does not vary.
    """
    for name, numbers in (("dose", doses), ("response", responses), ("response without a dose", others)):
        if numbers is not None and not np.isfinite(numbers).all():
            row = int(np.argmin(np.isfinite(numbers).all(1)))
            raise UneError(f"a {name} of subject {row} is not finite; leave the subject out")
    if (still := np.ptp(doses, axis=1) == 0).any():
        raise UneError(f"the dose of subject {int(np.argmax(still))} does not vary; leave the subject out")
    generator = np.random.default_rng(seed)
    each = slopes(doses, responses)
    mean = float(each.mean())
    half = stats.t.ppf(0.975, len(each) - 1) * stats.sem(each)
    shuffled = [slopes(generator.permuted(doses, axis=1), responses).mean() for _ in range(resamples)]
    p = (1 + np.sum(np.abs(shuffled) >= abs(mean))) / (1 + resamples)
    undosed = None
    if others is not None and len(others) >= len(doses):
        lent = [
            slopes(doses, others[generator.choice(len(others), len(doses), replace=False)]).mean()
            for _ in range(resamples)
        ]
        undosed = float(np.percentile(np.abs(lent), CHANCE))
    return DoseResponse(
        slopes=each, slope=mean, low=mean - half, high=mean + half, p=float(p), undosed=undosed
    )


def slopes(doses: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """(s,) least-squares slopes of each row of responses (s, r) on its doses (s, r)."""
    centred = doses - doses.mean(1, keepdims=True)
    return (centred * responses).sum(1) / np.square(centred).sum(1)
