"""L2 logistic regression of many attributes at once: one pass over the rows serves them all.

The optimum is scikit-learn's with C = 1/penalty: Σ log-losses + ½ penalty ‖w‖², the intercept free. Each
attribute runs its own L-BFGS (Nocedal & Wright 2006, algorithms 7.4 and 7.5); all share the first guess of
the Hessian, Böhning and Lindsay's (1988) bound ¼ XᵀX + penalty · I. The first step is therefore towards a
ridge solution, and there is no other warm start.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from une_ray.geometry.components.leading import approximate_components_of_rows, leading_components
from une_ray.geometry.gram import Gram, Rows, column_sums, in_panels
from une_ray.geometry.scales import evening, rescaled, variances

MEMORY = 10  # pairs of steps and gradients that L-BFGS keeps
PASSES = 500
TOLERANCE = 1e-11  # of the loss per row, above its least; weights are then right to about 1e-5
# By how much components' variances fall short of the exact ones; scikit-learn's randomised PCA misses .05 of
# flat spectra.
MISSED = 1e-3  # by products with the scatter
MISSED_BY_PASSES = 2e-3

History = list[tuple[torch.Tensor, torch.Tensor]]
"""The last steps, and the changes of the gradient over them; both (d + 1, k)."""

Solution = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Weights (d, k) and intercepts (k,), float64, and which attributes (k,) converge within PASSES."""


def standardised(gram: Gram, rows: Rows, penalty: float) -> Solution:
    """Logistic regression of features of zero mean and unit variance, folded back to the raw ones.

    Reads `rows` once a step.
    """
    variance = gram.scatter().diagonal() / gram.count
    scale = torch.where(variance > 0, variance, 1.0).rsqrt()
    mean, small = gram.mean_z.float(), scale.float()
    scatter = gram.scatter() * scale * scale[:, None]
    w, b, converged = logistic(
        lambda: (((z - mean) * small, y) for z, y in rows()), scatter, gram.count, penalty
    )
    return _folded(gram, scale[:, None] * w, b, converged)


def reduced(gram: Gram, rows: Rows, penalty: float, rank: int) -> Solution:
    """The paper's chain: PCA → unit variance → L2 logistic, folded back.

    Where coordinates' variances differ by orders of magnitude (`scales`), which would leave nothing but the
    largest, they are standardised before the PCA too. The reduced rows (n, rank) float32 stay in memory.
    Reads `rows` once, or where `gram` has no scatter some fifteen times more.
    """
    scale = evening(variances(gram, rows), gram.mean_z)
    if scale is not None:
        w, b, converged = _reduced(*rescaled(gram, rows, scale), penalty, rank)
        return scale[:, None] * w, b, converged
    return _reduced(gram, rows, penalty, rank)


def _reduced(gram: Gram, rows: Rows, penalty: float, rank: int) -> Solution:
    if gram.has_scatter:
        components, variances = leading_components(gram, rank, MISSED)
    else:
        components, variances = approximate_components_of_rows(
            lambda: (z for z, _ in rows()), gram, rank, MISSED_BY_PASSES
        )
    # Directions in which the rows differ by no more than rounding are left out.
    basis = components * torch.where(variances > 1e-6 * variances[0], (gram.count / variances).sqrt(), 0.0)
    mean, small = gram.mean_z.float(), basis.float()
    features = [((z - mean) @ small, y) for z, y in rows()]
    scatter = gram.count * torch.eye(basis.shape[1], dtype=torch.float64, device=basis.device)
    w, b, converged = logistic(lambda: features, scatter, gram.count, penalty)
    return _folded(gram, (basis @ in_panels(w))[:, : len(b)], b, converged)


def _folded(gram: Gram, w: torch.Tensor, b: torch.Tensor, converged: torch.Tensor) -> Solution:
    return w, b - column_sums(gram.mean_z[:, None] * w), converged


def logistic(rows: Rows, scatter: torch.Tensor, count: int, penalty: float) -> Solution:
    """Logistic regression on centred features, whose `scatter` over the `count` rows is (d, d) float64.

    Attributes are solved in whole panels, so that none's last bits depend on how many stand beside it.
    """
    curvature = scatter / 4
    curvature.diagonal().add_(penalty)
    bound = torch.linalg.cholesky(curvature)

    def solve(gradient: torch.Tensor) -> torch.Tensor:
        """The inverse of the Hessian's bound times (d + 1, k); the intercept, last, is apart."""
        return torch.cat([torch.cholesky_solve(gradient[:-1], bound), gradient[-1:] * (4 / count)])

    labels = next(iter(rows()))[1].shape[1]
    theta = in_panels(torch.zeros(len(scatter) + 1, labels, dtype=torch.float64, device=scatter.device))
    loss, gradient = _loss(rows, theta, penalty)
    stride, direction = torch.ones_like(loss), -solve(gradient)
    history: History = []
    for _ in range(PASSES):
        converged = _dot(gradient, solve(gradient)) < TOLERANCE * count
        if converged.all():
            break
        step = stride * direction
        new_loss, new_gradient = _loss(rows, theta + step, penalty)
        rounding = 1e-7 * loss  # of float32 scores: a smaller decrease can't be seen
        accepted = (new_loss <= loss + 1e-4 * _dot(step, gradient) + rounding) & ~converged
        history = [*history, (step * accepted, (new_gradient - gradient) * accepted)][-MEMORY:]
        theta = theta + step * accepted
        loss, gradient = torch.where(accepted, new_loss, loss), torch.where(accepted, new_gradient, gradient)
        stride = torch.where(accepted, 1.0, stride / 2)
        direction = torch.where(accepted, -_two_loops(gradient, history, solve), direction)
    return theta[:-1, :labels], theta[-1, :labels], converged[:labels]


def _loss(rows: Rows, theta: torch.Tensor, penalty: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss (k,) and its gradient (d + 1, k), the intercept's last, of whole panels.

    Labels behind the attributes' own are one half, for which no weights are best.
    """
    w = theta[:-1].float()
    loss, gradient = penalty / 2 * theta[:-1].square().sum(0), penalty * theta
    gradient[-1] = 0
    for x, y in rows():
        y = torch.nn.functional.pad(y, (0, theta.shape[1] - y.shape[1]), value=0.5)
        scores = (x @ w).double() + theta[-1]
        error = scores.sigmoid() - y
        loss += (torch.nn.functional.softplus(scores) - y * scores).sum(0)
        gradient[:-1] += x.T @ error.float()
        gradient[-1] += error.sum(0)
    return loss, gradient


def _two_loops(
    gradient: torch.Tensor, history: History, solve: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """L-BFGS' inverse Hessian times the gradient, a column at a time.

    A pair that doesn't curve upwards counts for nothing.
    """
    curves = [_dot(step, change) for step, change in history]
    inverses = [torch.where(curve > 0, 1 / curve, 0.0) for curve in curves]
    shares = []
    for (step, change), inverse in zip(reversed(history), reversed(inverses)):
        shares.append(inverse * _dot(step, gradient))
        gradient = gradient - shares[-1] * change
    product = solve(gradient)
    for (step, change), inverse, share in zip(history, inverses, reversed(shares)):
        product = product + (share - inverse * _dot(change, product)) * step
    return product


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(0)
