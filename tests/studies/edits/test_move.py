"""Where a move lands is known in closed form."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from une_ray.errors import UneError
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.move import move, rescaled, score, to_boundary, to_score
from une_ray.studies.edits.paths.boundary import from_boundary
from une_ray.studies.edits.paths.quantile import to_quantile
from une_ray.studies.edits.paths.shell import along_shell

DIM, ROWS = 32, 4000
RNG = np.random.default_rng(0)
TRAIN = RNG.standard_normal((ROWS, DIM)) * np.linspace(0.5, 2, DIM)
Z = torch.from_numpy(TRAIN[:50]).float()
PLAIN = Direction.fitted("gen/ddim50", "Smiling", "ridge", RNG.standard_normal(DIM) * 1e-2, 0.03, TRAIN)
KEPT = PLAIN.keeping({"Male": RNG.standard_normal(DIM)}, np.cov(TRAIN.T))
DIRECTIONS = pytest.mark.parametrize("direction", [PLAIN, KEPT], ids=["plain", "kept"])


@DIRECTIONS
def test_alpha_is_in_standard_deviations_of_the_score(direction):
    for alpha in (-3.0, 0.0, 2):
        rise = score(move(Z, direction, alpha), direction) - score(Z, direction)
        assert torch.allclose(rise, torch.full_like(rise, alpha * direction.std), atol=1e-5 * direction.std)


def test_every_image_may_have_its_own_alpha():
    alphas = torch.linspace(-3, 3, len(Z))
    assert torch.equal(move(Z, PLAIN, alphas)[7], move(Z[7:8], PLAIN, alphas[7].item())[0])
    assert move(Z, PLAIN, 1.0).dtype == torch.float32 and torch.equal(move(Z, PLAIN, 0.0), Z)


def test_the_boundary_is_reached_as_the_paper_says():
    alpha = -(Z.double() @ torch.from_numpy(PLAIN.w) + PLAIN.b) / (PLAIN.w @ PLAIN.w)
    assert torch.allclose(
        to_boundary(Z, PLAIN), (Z + alpha[:, None] * torch.from_numpy(PLAIN.w)).float(), atol=1e-6
    )


@DIRECTIONS
def test_on_the_boundary_the_probe_reads_zero_and_past_it_the_other_side(direction):
    before = score(Z, direction)
    assert torch.allclose(
        score(to_boundary(Z, direction), direction), torch.zeros_like(before), atol=1e-5 * direction.std
    )
    beyond = score(to_boundary(Z, direction, past=1.5), direction)
    assert torch.allclose(beyond, -1.5 * direction.std * before.sign(), atol=1e-5 * direction.std)


def test_past_the_boundary_every_image_reads_the_same_and_a_dose_of_nothing_leaves_it():
    alphas = torch.linspace(-3, 3, len(Z))
    alphas[::5] = 0
    found = from_boundary(Z, PLAIN, alphas)
    assert torch.equal(found[::5], Z[::5])
    moved = alphas != 0
    assert torch.allclose(
        score(found, PLAIN)[moved], (alphas * PLAIN.std).double()[moved], atol=1e-5 * PLAIN.std
    )


def test_a_random_step_moves_but_cannot_be_sent_to_a_score():
    assert (move(Z, PLAIN.random(0), 1.0) - Z).norm(dim=1).numpy() == pytest.approx(
        np.linalg.norm(PLAIN.step), rel=1e-5
    )
    with pytest.raises(UneError, match="random step along Smiling .* not 1"):
        to_score(Z, PLAIN.random(0), 0.0)


def test_quantile_steps_land_on_the_shifted_quantile():
    """The score is made log-normal, whose quantiles are known: Φ⁻¹(q) = log(score)."""
    skewed = np.exp(RNG.standard_normal(200_000))
    start = to_score(Z, PLAIN, torch.linspace(0.3, 3, len(Z)))
    landed = score(to_quantile(start, replace(PLAIN, scores=skewed), -0.5), PLAIN)
    assert landed.log().numpy() == pytest.approx(score(start, PLAIN).log().numpy() - 0.5, abs=0.02)


def test_of_gaussian_scores_a_quantile_step_is_an_ordinary_one():
    scores = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000, PLAIN.scores.mean(), PLAIN.std)
    for alpha in (-2.0, 1.0, 6.0):  # the last far beyond any train score
        assert torch.allclose(
            to_quantile(Z, replace(PLAIN, scores=scores), alpha), move(Z, PLAIN, alpha), atol=1e-3
        )


def test_quantile_steps_of_nothing_change_nothing_and_are_undone():
    uneven = replace(
        PLAIN, scores=RNG.exponential(size=300).round(1) * PLAIN.std
    )  # with ties, and images far outside
    assert torch.allclose(to_quantile(Z, uneven, 0.0), Z, atol=1e-5)
    alphas = torch.linspace(-4, 4, len(Z))
    assert torch.allclose(to_quantile(to_quantile(Z, uneven, alphas), uneven, -alphas), Z, atol=1e-4)
    with pytest.raises(UneError, match="1 distinct"):
        to_quantile(Z, replace(PLAIN, scores=np.ones(5)), 1.0)


@DIRECTIONS
def test_along_the_shell_norms_stay_and_small_steps_are_straight(direction):
    moved = along_shell(Z, direction, 2.0)
    assert torch.allclose(moved.norm(dim=1), Z.norm(dim=1), rtol=1e-6)
    small, z = 1e-5, Z.double()
    step = torch.from_numpy(direction.step)
    tangent = step - (z @ step)[:, None] / z.square().sum(1, keepdim=True) * z
    assert torch.allclose((along_shell(z, direction, small) - z) / small, tangent, atol=1e-4)


def test_along_the_shell_is_slerp():
    """Between z and the point of the circle a quarter further, as Shoemake's formula has it; angles add
    up."""
    z = Z.double()
    angle = 0.3
    radius = z.norm(dim=1, keepdim=True)
    step = torch.from_numpy(PLAIN.step)
    tangent = step - (z @ step)[:, None] / radius.square() * z
    pole = tangent / tangent.norm(dim=1, keepdim=True) * radius
    alphas = (angle * radius / tangent.norm(dim=1, keepdim=True)).flatten()
    expected = (np.sin(np.pi / 2 - angle) * z + np.sin(angle) * pole) / np.sin(np.pi / 2)
    assert torch.allclose(along_shell(z, PLAIN, alphas), expected)


def test_rescaled_latents_have_the_norm_asked_for():
    moved = move(Z, PLAIN, 3.0)
    assert torch.allclose(rescaled(moved, Z.norm(dim=1)).norm(dim=1), Z.norm(dim=1))
    assert torch.allclose(rescaled(moved, DIM**0.5).norm(dim=1), torch.tensor(DIM**0.5))
    assert torch.allclose(torch.cosine_similarity(rescaled(moved, 1.0), moved), torch.tensor(1.0))
