"""By quantiles: the score goes from its quantile q among the train scores to Φ(Φ⁻¹(q) + α)."""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from une_ray.errors import UneError
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.move import Dose, column, score, to_score
from une_ray.studies.edits.paths import Path

TAIL = 100  # standard deviations to which the empirical distribution is continued on either side


def to_quantile(z: torch.Tensor, direction: Direction, alpha: Dose) -> torch.Tensor:
    """A Gaussianised step: the score goes from its quantile q among the train scores to the quantile
    Φ(Φ⁻¹(q) + α).

    Steps of equal α pass equally many images wherever they begin, however skewed the scores; of Gaussian
    scores it is `move`. Between the train scores their normal quantiles are interpolated, and beyond them
    continued with the scores' own deviation, so that α = 0 changes nothing and −α undoes α. Raises UneError
    where all train scores are the same."""
    scores, normal = _normal_quantiles(direction.scores)
    now = np.interp(score(z, direction).cpu().numpy(), scores, normal)
    dose = column(alpha, z).flatten().cpu().numpy()
    return to_score(z, direction, torch.from_numpy(np.interp(now + dose, normal, scores)).to(z.device))


def _normal_quantiles(train_scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct train scores, ascending, and Φ⁻¹ of the mid-rank share below each; with one more point far
    out on either side."""
    scores, counts = np.unique(train_scores, return_counts=True)
    if len(scores) < 2:
        raise UneError(
            f"{len(train_scores)} train scores with {len(scores)} distinct values have no quantiles "
            "to move between"
        )
    normal = stats.norm.ppf((np.cumsum(counts) - counts / 2) / counts.sum())
    reach = TAIL * np.std(train_scores)
    return (
        np.r_[scores[0] - reach, scores, scores[-1] + reach],
        np.r_[normal[0] - TAIL, normal, normal[-1] + TAIL],
    )


PATH = Path(to_quantile, to_score=True)
