"""Directions to edit along (paper 1, Editing): a probe's reading, the step it makes, and the baselines that
it must beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from une_ray.errors import UneError
from une_ray.geometry.orthogonal import SPANNED, Eraser, orthogonalized
from une_ray.studies.edits.probe_row import ProbeRow
from une_ray.studies.edits.random_steps import KnownSteps, RandomSteps, Steps


@dataclass(frozen=True, eq=False)
class Direction:
    """A reading of one attribute, and the step that an edit takes: z′ = z + α · step.

    The score of a latent is z·w + b, above 0 where the probe sees the attribute; `scores` (n,) are those of
    the train rows, `std` is their standard deviation, the unit of α. `step` (d,) raises it by one `std`,
    whatever is kept: α means the same for the plain and the orthogonalised edit, which then differ in what
    else they change, and in length by 1 / `remaining_norm`. Controls step as far without raising the score,
    and every image by its own of the `draws`. `learnt_from` are other spaces that it was made with, which
    therefore can't judge it."""

    space: str
    attribute: str
    method: str
    w: np.ndarray
    b: float
    scores: np.ndarray
    std: float
    step: np.ndarray
    nuisances: tuple[str, ...] = ()
    inner_product: str = "plain"
    remaining_norm: float = 1.0
    draws: Steps | None = None
    learnt_from: tuple[str, ...] = ()

    @classmethod
    def fitted(
        cls, space: str, attribute: str, method: str, w: np.ndarray, b: float, train: np.ndarray
    ) -> Direction:
        """From any reading w (d,), b, such as one vector of a SQL query; `train` (n, d) are latents that
        its score is scaled by.

        Raises UneError where the score is the same for all of them.
        """
        w = np.asarray(w, np.float64)
        scores = train @ w + b
        if scores.std() == 0:
            raise UneError(
                f"{method} direction of {attribute} in {space}: all {len(train)} train rows score "
                f"{scores.mean():.3g}; fit it anew"
            )
        step = scores.std() * orthogonalized(w, {}).move
        return Direction(space, attribute, method, w, float(b), scores, float(scores.std()), step)

    @classmethod
    def from_probe(cls, row: ProbeRow, train: np.ndarray) -> Direction:
        """Of a probe; `train` as in `fitted`. Raises UneError where it has no weights, with the reason that
        its row gives."""
        if row.w is None:
            raise UneError(
                f"{row.attribute} has no {row.method} probe in {row.space}: {row.error}; "
                "choose an attribute whose status is ok"
            )
        return cls.fitted(row.space, row.attribute, row.method, row.w, row.b, train)

    def keeping(self, nuisances: Mapping[str, np.ndarray], covariance: np.ndarray | None = None) -> Direction:
        """The same reading, stepping so that the nuisances' scores stay: see `orthogonalized`, which also
        says what it raises.

        With `covariance` (d, d) the step is a pattern, z's mean change with the score among images that the
        nuisances score alike."""
        left = orthogonalized(self.w, nuisances, covariance)
        return replace(
            self,
            step=self.std * left.move,
            nuisances=tuple(nuisances),
            remaining_norm=left.remaining_norm,
            inner_product=inner_product_name(covariance),
        )

    def erased(self, eraser: Eraser, nuisances: Sequence[str]) -> Direction:
        """The same reading, its step put through an eraser of the nuisances' labels and made long enough
        again.

        `remaining_norm` is the share of the step's length that the eraser leaves. Raises UneError where
        that no longer raises the score."""
        left = self.step - eraser.left @ (eraser.right @ self.step)
        gain = self.w @ left / self.std
        if gain < SPANNED:
            raise UneError(
                f"erasing {', '.join(nuisances)} leaves a step along {self.attribute} that raises its score "
                f"by {gain:.1e} standard deviations, not 1; keep fewer attributes"
            )
        share = float(np.linalg.norm(left) / np.linalg.norm(self.step))
        return replace(self, step=left / gain, nuisances=tuple(nuisances), remaining_norm=share)

    def random(self, seed: int, covariance: np.ndarray | None = None) -> Direction:
        """The baseline: steps drawn uniformly among those as long as this one; the reading stays, to see what
        they do to it.

        Length and uniform are those of the inner product: with `covariance` M (d, d) length is √(vᵀM⁻¹v), and
        steps lie where latents vary, as M w does. Raises numpy's LinAlgError where M is singular.
        """
        root, length = None, np.linalg.norm(self.step)
        if covariance is not None:
            root = np.linalg.cholesky(covariance)
            length = np.linalg.norm(linalg.solve_triangular(root, self.step, lower=True))
        draws = RandomSteps(
            seed=f"edits/random/{seed}",
            dim=len(self.step),
            length=float(length),
            shape=None if root is None else root.T,
        )
        return replace(
            self, method="random", step=draws([""])[0], nuisances=(), remaining_norm=1.0, draws=draws
        )

    def drawn(self, image_ids: Sequence[str]) -> np.ndarray:
        """(b, d): each image's own step, or this one for all."""
        if self.draws is None:
            return np.broadcast_to(self.step, (len(image_ids), len(self.step)))
        return self.draws(image_ids)

    def of_images(self, image_ids: Sequence[str]) -> Direction:
        """With the steps of these alone, drawn and done with."""
        return self if self.draws is None else replace(self, draws=KnownSteps.of(self.draws, image_ids))


def inner_product_name(covariance: np.ndarray | None) -> str:
    return "plain" if covariance is None else "covariance"


def mean_difference(z: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """(w, b) of the nearest-mean classifier: w from the mean of those without to the mean of those with,
    the boundary half way.

    `z` (n, d), `labels` (n,) bool. Raises UneError where one side is empty.
    """
    if labels.all() or not labels.any():
        raise UneError(
            f"all {len(labels)} labels are {bool(labels.all())}: a mean difference needs images of both sides"
        )
    positive, negative = z[labels].mean(0, dtype=np.float64), z[~labels].mean(0, dtype=np.float64)
    w = positive - negative
    return w, float(-w @ (positive + negative) / 2)
