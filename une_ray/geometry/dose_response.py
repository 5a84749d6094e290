"""Does a response follow a dose that was planted? Slopes within subjects, whose own level is left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from une_ray.errors import UneError
from une_ray.geometry.intervals import jackknife_margin, mean_margin

TIED = 1e-9  # of the slope: doses in the order turned round give the same slope but for rounding
CHANCE = 95  # percentile that |slopes| of shuffled doses and of other subjects stay below


@dataclass(frozen=True, kw_only=True)
class DoseResponse:
    """`slopes` (s,) of each subject, their mean `slope` with its 95 % interval over the `unit`, subjects or
    runs, the share `p` of shuffled doses whose |mean slope| reaches it, and what |mean slopes| of as many
    subjects that had no dose reach, None where there are too few."""

    slopes: np.ndarray
    slope: float
    unit: str
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

    In a balanced design, such as a Latin square, every run has the same mean dose: what a run does to all
    subjects alike leaves the mean slope as it is, subjects count as independent ones, and shuffles are of
    each subject's doses among the runs. In any other a run's own level goes with its dose: the interval is
    the jackknife's over runs, and shuffles are of whole runs, so that few of them prove little.

    Raises UneError for numbers that are not finite, and for a subject whose dose does not vary, in an
    unbalanced design without any one of the runs.
    """
    for name, numbers in (("dose", doses), ("response", responses), ("response without a dose", others)):
        if numbers is not None and not np.isfinite(numbers).all():
            row = int(np.argmin(np.isfinite(numbers).all(1)))
            raise UneError(f"a {name} of subject {row} is not finite; leave the subject out")
    _refuse_still(doses)
    generator = np.random.default_rng(seed)
    balanced = bool(np.allclose(doses.mean(0), doses.mean(), atol=1e-6))
    each = slopes(doses, responses)
    mean = float(each.mean())
    half = (
        mean_margin(float(each.std(ddof=1)), len(each)) if balanced else _margin_over_runs(doses, responses)
    )
    shuffled = [slopes(_shuffled(doses, generator, balanced), responses).mean() for _ in range(resamples)]
    p = (1 + np.sum(np.abs(shuffled) >= (1 - TIED) * abs(mean))) / (1 + resamples)
    undosed = None
    if others is not None and len(others) >= len(doses):
        chosen = (generator.choice(len(others), len(doses), replace=False) for _ in range(resamples))
        lent = [slopes(doses, others[rows]).mean() for rows in chosen]
        undosed = float(np.percentile(np.abs(lent), CHANCE))
    return DoseResponse(
        slopes=each,
        slope=mean,
        unit="subjects" if balanced else "runs",
        low=mean - half,
        high=mean + half,
        p=float(p),
        undosed=undosed,
    )


def _refuse_still(doses: np.ndarray) -> None:
    if (still := np.ptp(doses, axis=1) == 0).any():
        raise UneError(f"the dose of subject {int(np.argmax(still))} does not vary; leave the subject out")


def _margin_over_runs(doses: np.ndarray, responses: np.ndarray) -> float:
    left_out = []
    for run in range(doses.shape[1]):
        rest = np.delete(doses, run, 1)
        _refuse_still(rest)
        left_out.append([slopes(rest, np.delete(responses, run, 1)).mean()])
    return float(jackknife_margin(np.array(left_out))[0])


def _shuffled(doses: np.ndarray, generator: np.random.Generator, balanced: bool) -> np.ndarray:
    """Each subject's doses among the runs, or those of whole runs."""
    return generator.permuted(doses, axis=1) if balanced else doses[:, generator.permutation(doses.shape[1])]


def slopes(doses: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """(s,) least-squares slopes of each row of responses (s, r) on its doses (s, r)."""
    centred = doses - doses.mean(1, keepdims=True)
    return (centred * responses).sum(1) / np.square(centred).sum(1)
