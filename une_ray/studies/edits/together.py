"""One direction that moves several attributes at once, as `--attribute Smiling+Eyeglasses` asks for.

Of all steps v that raise every target's score by one of its own standard deviations, wᵢ·v = σᵢ, and no
nuisance's at all, it is the one of least vᵀM⁻¹v: the shortest where M is the identity, the likeliest in
N(μ, Σ) where M is the latents' covariance. With uᵢ the targets' readings less their parts in the nuisances'
span (`orthogonalized`), rows of U, it is

    v = M Uᵀ (U M Uᵀ)⁻¹ σ

since uᵢ·v = wᵢ·v for every v that leaves the nuisances, and M Uᵀ spans the steps that do. Of one target it
is that target's own step. A sum of the targets' steps would not do: where two probes lean towards one
another, each step raises the other's score as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from une_ray.errors import UneError
from une_ray.geometry.orthogonal import Eraser, orthogonalized
from une_ray.studies.edits.directions import Direction, inner_product_name


@dataclass(frozen=True, eq=False)
class JointDirection(Direction):
    """A direction that moves its `parts`, one per attribute, by one standard deviation each.

    Its own score, z·w + b, is the mean of theirs in units of their standard deviations, which a step raises
    by 1; that is its `std`."""

    parts: tuple[Direction, ...] = ()

    @classmethod
    def of(cls, attribute: str, parts: Sequence[Direction]) -> JointDirection:
        """Raises UneError where one of the parts' readings is a combination of the others'."""
        w = np.mean([part.w / part.std for part in parts], axis=0)
        b = float(np.mean([part.b / part.std for part in parts]))
        scores = np.mean([part.scores / part.std for part in parts], axis=0)
        plain = cls(
            space=parts[0].space,
            attribute=attribute,
            method=parts[0].method,
            w=w,
            b=b,
            scores=scores,
            std=1.0,
            step=w,
            parts=tuple(parts),
        )
        return plain.keeping({})

    def keeping(
        self, nuisances: Mapping[str, np.ndarray], covariance: np.ndarray | None = None
    ) -> JointDirection:
        """Raises UneError where a part's reading is spanned by the nuisances' and the other parts'."""
        step, length = self._step(nuisances, covariance)
        _, free = self._step({}, covariance)
        return replace(
            self,
            step=step,
            nuisances=tuple(nuisances),
            remaining_norm=free / length,
            inner_product=inner_product_name(covariance),
        )

    def erased(self, eraser: Eraser, nuisances: Sequence[str]) -> JointDirection:
        """An eraser of labels shortens each part's rise by its own share, so that no length of the step
        suits all: always a UneError."""
        raise UneError(
            f"leace moves one attribute at a time, not {self.attribute}; "
            "choose the erasure projection or iterative"
        )

    def _step(
        self, nuisances: Mapping[str, np.ndarray], covariance: np.ndarray | None
    ) -> tuple[np.ndarray, float]:
        """The step (d,), and its length √(vᵀM⁻¹v)."""
        for part in self.parts:
            others = {other.attribute: other.w for other in self.parts if other is not part}
            orthogonalized(part.w, {**nuisances, **others}, covariance)  # refuses what is spanned
        left = np.stack([orthogonalized(part.w, nuisances, covariance).w for part in self.parts])
        moves = left if covariance is None else left @ covariance
        rises = np.array([part.std for part in self.parts])
        weights = linalg.solve(moves @ left.T, rises, assume_a="pos")
        return weights @ moves, float(np.sqrt(rises @ weights))
