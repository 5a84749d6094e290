"""Probabilities of scores, from scores of rows that were not fitted on.

Scores of the rows that a probe was fitted on lie further apart than those of others, the more the more dims
there are: probabilities from them are overconfident. Ridge, discriminant analysis and the difference of means
have leave-one-out scores in closed form, taken as two Gaussian classes of one variance; logistic regressions
score inner folds, whose logistic curve is fitted (Platt 1999).
"""

from __future__ import annotations

import torch

from une_ray.geometry.gram import in_panels

NEWTON_STEPS = 25


class Classes:
    """Counts, sums and sums of squares of the scores of both classes, for k attributes."""

    def __init__(self, attributes: int, device: str | torch.device = "cpu") -> None:
        self.moments = torch.zeros(2, 3, attributes, dtype=torch.float64, device=device)

    def add(self, scores: torch.Tensor, labels: torch.Tensor) -> None:
        """Scores (b, k) of rows that were not fitted on, and their labels, above zero where positive."""
        for side, members in enumerate((labels <= 0, labels > 0)):
            of_class = in_panels(torch.where(members, scores, 0.0))
            sums = [in_panels(members.double()).sum(0), of_class.sum(0), of_class.square().sum(0)]
            self.moments[side] += torch.stack(sums)[:, : scores.shape[1]].to(self.moments)

    def __add__(self, other: Classes) -> Classes:
        """Of the rows of both."""
        both = Classes(self.moments.shape[2], self.moments.device)
        both.moments = self.moments + other.moments
        return both

    def calibration(self) -> tuple[torch.Tensor, torch.Tensor]:
        """slope and offset (k,) of log odds slope · score + offset; the classes' log odds alone where the
        positives' scores are no higher than the negatives'."""
        (n0, sum0, square0), (n1, sum1, square1) = self.moments
        mean0, mean1 = sum0 / n0, sum1 / n1
        within = (square0 - n0 * mean0**2 + square1 - n1 * mean1**2) / (n0 + n1 - 2)
        gap, log_odds = mean1 - mean0, (n1 / n0).log()
        slope = gap.clamp_min(0) / torch.maximum(within, 1e-12 * gap**2).clamp_min(1e-300)
        return slope, log_odds - slope * (mean1 + mean0) / 2


def platt(scores: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Slope and offset (k,) of the logistic curves of `labels` (n, k), 0 or 1, on `scores` (n, k), by Newton.

    The slope is at least 0; a standardised slope costs ½ slope², so that classes apart have a finite one.
    """
    attributes, scores = scores.shape[1], in_panels(scores)
    labels = torch.nn.functional.pad(labels, (0, scores.shape[1] - attributes), value=0.5)
    mean, scale = scores.mean(0), scores.std(0).clamp_min(1e-12)
    x = (scores - mean) / scale
    slope, offset = torch.zeros_like(mean), torch.logit(labels.mean(0))
    for _ in range(NEWTON_STEPS):
        p = torch.sigmoid(slope * x + offset)
        error, weight = p - labels, (p * (1 - p)).clamp_min(1e-9)
        g0, g1 = error.sum(0), (error * x).sum(0) + slope
        h00, h01, h11 = weight.sum(0), (weight * x).sum(0), (weight * x.square()).sum(0) + 1
        determinant = h00 * h11 - h01.square()
        step0, step1 = (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant
        offset, slope = offset - step0.clamp(-2, 2), slope - step1.clamp(-2, 2)
    slope = slope.clamp_min(0) / scale
    return slope[:attributes], (offset - slope * mean)[:attributes]
