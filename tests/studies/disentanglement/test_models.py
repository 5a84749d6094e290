"""Every model's terms by closed forms and limit cases, and that its phases move what they should."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from une_ray.models.convolutional import Architecture
from une_ray.registry import DISENTANGLERS
from une_ray.studies.disentanglement.models.beta_tcvae import total_correlation
from une_ray.studies.disentanglement.models.did.difference_encoder import LEAST, apart, changed, contrast
from une_ray.studies.disentanglement.models.did.generator import Adversarial, gradient_penalty
from une_ray.studies.disentanglement.models.dip_vae_ii import aggregate_covariance
from une_ray.studies.disentanglement.models.factor_vae import permute
from une_ray.studies.disentanglement.models.infogan_cr import pairs
from une_ray.studies.disentanglement.models.model import Batch, Build, Disentangler
from une_ray.studies.disentanglement.models.vae import Posterior, divergence, reconstruction_loss

BUILD = Build(
    architecture=Architecture(channels=1, size=8, latents=4, hidden=16, layers=((8, 2, 2), (8, 2, 2))),
    critic_steps=2,
    discriminator=(16, 2),
)
NAMES = {
    *("vae", "beta-vae", "factor-vae", "beta-tcvae", "dip-vae-ii"),
    *("infogan-cr", "disco", "did", "untrained"),
}


def batch(seed: int = 0, size: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(size=size, rows=lambda: torch.rand(size, 1, 8, 8, generator=generator), generator=generator)


def model(name: str, **settings):
    torch.manual_seed(0)
    return DISENTANGLERS.find(name)(BUILD, **settings)


def posterior(means: torch.Tensor, log_variances: torch.Tensor, z: torch.Tensor | None = None) -> Posterior:
    return Posterior(means=means, log_variances=log_variances, z=means if z is None else z)


def test_the_models_are_those_of_the_paper_and_its_rivals():
    assert set(DISENTANGLERS.names()) >= NAMES and all(DISENTANGLERS.about(name) for name in NAMES)


@pytest.mark.parametrize(("base", "left"), [(Disentangler, "decode.*groups.*phases"), (Adversarial, "loss")])
def test_a_model_that_lacks_a_part_is_refused_when_it_is_made(base, left):
    with pytest.raises(TypeError, match=f"abstract method.*{left}"):
        type("Unfinished", (base,), {})(BUILD)


@pytest.mark.parametrize("name", sorted(NAMES - {"untrained"}))
def test_every_phase_gives_its_own_networks_a_gradient(name):
    built = model(name)
    groups = built.groups()
    seen = [id(p) for group in groups.values() for network in group.networks for p in network.parameters()]
    assert len(seen) == len(set(seen))
    for phase in [*built.phases(0.0), *built.phases(1.0)]:
        built.zero_grad()
        phase.loss(batch())["loss"].backward()
        for network in groups[phase.group].networks:
            assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    pictures = built.decode(built.bases(torch.rand(3, 1, 8, 8)))
    assert pictures.shape == (3, 1, 8, 8) and 0 <= pictures.min() <= pictures.max() <= 1


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("beta-vae", {"beta": 1.0}),
        ("beta-tcvae", {"beta": 1.0}),
        ("factor-vae", {"gamma": 0.0}),
        ("dip-vae-ii", {"off_diagonal": 0.0, "diagonal": 0.0}),
    ],
)
def test_without_its_own_term_a_vae_is_a_vae(name, settings):
    plain, other = model("vae"), model(name, **settings)
    other.load_state_dict(plain.state_dict(), strict=False)
    assert other.loss(batch())["loss"].item() == pytest.approx(plain.loss(batch())["loss"].item(), rel=1e-6)


def test_the_kl_is_that_of_torch():
    means, log_variances = torch.randn(5, 4), torch.randn(5, 4)
    q = torch.distributions.Normal(means, (log_variances / 2).exp())
    expected = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(divergence(posterior(means, log_variances)), expected, atol=1e-5)


def test_the_reconstruction_is_a_sum_over_the_pixels_of_64_by_64():
    for size in (8, 64):
        loss = reconstruction_loss(torch.zeros(2, 3, size, size), torch.rand(2, 3, size, size))
        assert loss.item() == pytest.approx(3 * 64 * 64 * math.log(2), rel=1e-5)


def test_the_total_correlation_of_two_far_clusters_is_one_bit():
    """Codes at (a, a) and (−a, −a): either coordinate says all, so TC = log 2; equal posteriors have none."""
    signs = torch.tensor([1.0, -1.0]).repeat(8)[:, None].expand(-1, 2)
    assert total_correlation(posterior(10 * signs, torch.zeros(16, 2))).item() == pytest.approx(math.log(2))
    same = posterior(torch.zeros(16, 2), torch.zeros(16, 2), torch.randn(16, 2))
    assert total_correlation(same).item() == pytest.approx(0, abs=1e-5)


def test_the_aggregate_covariance_is_that_of_samples():
    means, log_variances = torch.randn(6, 3), torch.randn(6, 3)
    noise = torch.randn(20_000, 6, 3, generator=torch.Generator().manual_seed(1))
    samples = (means + noise * (log_variances / 2).exp()).reshape(-1, 3).numpy()
    covariance = aggregate_covariance(posterior(means, log_variances)).numpy()
    assert np.allclose(covariance, np.cov(samples.T), atol=0.05 * np.abs(covariance).max())


def test_permuted_codes_keep_every_coordinate_s_values():
    codes = torch.randn(32, 4)
    permuted = permute(codes, batch())
    assert torch.equal(permuted.sort(0).values, codes.sort(0).values)
    assert not torch.equal(permuted, codes) and not torch.equal(
        permuted[:, 0].argsort(), permuted[:, 1].argsort()
    )


def test_the_penalty_of_a_linear_critic_is_that_of_its_weights():
    critic = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 1))
    pictures, made, mixed = torch.rand(5, 1, 8, 8), torch.rand(5, 1, 8, 8), torch.rand(5, 1, 1, 1)
    expected = (critic[1].weight.norm() - 1) ** 2
    penalty = gradient_penalty(lambda x: critic(x)[:, 0], pictures, made, mixed)
    assert penalty.item() == pytest.approx(expected.item(), rel=1e-4)
    penalty.backward()
    assert critic[1].weight.grad is not None


class TestDifferences:
    def test_a_change_is_of_one_latent_and_uniform_beyond_the_least(self):
        latents = 2 * batch(size=4000).uniform(4000, 4) - 1
        latents[:, 1] = 0.2
        dimensions = torch.arange(4000) % 4
        after = changed(latents, dimensions, batch(1))
        moved = after != latents
        assert torch.equal(moved.sum(1), torch.ones(4000, dtype=torch.long))
        assert torch.equal(moved.int().argmax(1), dimensions)
        assert (after - latents)[moved].abs().min() >= LEAST - 1e-6 and after.abs().max() <= 1
        new = after[dimensions == 1, 1].numpy()  # uniform on [−1, −.2] and [.6, 1]
        folded = np.where(new < 0.2, new + 1, new - 0.6 + 0.8)
        assert stats.kstest(folded, stats.uniform(0, 1.2).cdf).pvalue > 0.001

    def test_opposite_unit_vectors_are_as_far_apart_as_can_be(self):
        unit = torch.nn.functional.normalize(torch.randn(8, 4), dim=1)
        assert apart(unit, -unit).item() == pytest.approx(-4) and apart(unit, unit).item() == 0

    def test_the_contrast_of_perfect_differences_has_a_closed_form(self):
        """One positive of similarity 1 and six others of similarity 0."""
        dimensions = torch.arange(8) % 4
        perfect = torch.eye(4)[dimensions]
        expected = math.log(math.exp(1 / 0.5) + 6) - 1 / 0.5
        assert contrast(perfect, dimensions, 0.5).item() == pytest.approx(expected, rel=1e-5)

    def test_the_contrast_is_the_mean_over_positives_of_every_anchor(self):
        vectors = torch.nn.functional.normalize(torch.randn(9, 4), dim=1)
        dimensions = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 3])  # the last has no positive
        losses = []
        for i in range(8):
            others = [j for j in range(9) if j != i]
            total = math.log(sum(math.exp(vectors[i] @ vectors[j] / 0.3) for j in others))
            positives = [j for j in others if dimensions[j] == dimensions[i]]
            losses.append(np.mean([total - float(vectors[i] @ vectors[j] / 0.3) for j in positives]))
        assert contrast(vectors, dimensions, 0.3).item() == pytest.approx(np.mean(losses), rel=1e-5)

    def test_a_batch_without_positives_costs_nothing(self):
        vectors = torch.eye(3, 4).requires_grad_(True)
        contrast(vectors, torch.arange(3), 0.2).backward()
        assert vectors.grad is not None and torch.isfinite(vectors.grad).all()


class TestAblations:
    def test_without_samples_the_generator_is_not_told_what_the_encoder_reads(self):
        gradients = {}
        for weight in (1.0, 100.0):
            built = model("did", samples=False, differences=False, encoding_weight=weight)
            built.loss(batch())["loss"].backward()
            gradients[weight] = [p.grad.clone() for p in built.generator.parameters()]
            assert built.encoder[0].weight.grad.abs().sum() > 0
        assert all(torch.allclose(a, b) for a, b in zip(*gradients.values()))

    def test_without_differences_the_difference_encoder_is_left_alone(self):
        built = model("did", differences=False)
        losses = built.loss(batch())
        assert "differences" not in losses
        assert built.difference_encoder not in built.groups()["generator"].networks

    def test_without_contrast_the_loss_is_the_paper_s_and_bounded(self):
        losses = model("did", contrast=False).loss(batch())
        assert -4 <= losses["differences"].item() <= 0


def test_pairs_share_one_latent_and_differ_in_the_others_by_the_gap():
    shared = torch.arange(4000) % 4
    for gap in (0.0, 1.0, 1.9):
        first, second = pairs(shared, 4, gap, batch(2))
        is_shared = torch.nn.functional.one_hot(shared, 4).bool()
        assert torch.equal(first[is_shared], second[is_shared])
        assert (first - second)[~is_shared].abs().min() >= gap - 1e-6 and first.abs().max() <= 1 + 1e-6
    first, second = (values[shared != 0, 0].numpy() for values in pairs(shared, 4, 0.0, batch(3)))
    for values in (first, second):
        assert stats.kstest(values, stats.uniform(-1, 2).cdf).pvalue > 0.001
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.08
