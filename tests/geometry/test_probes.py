"""Oracles: scikit-learn's estimators on the same rows, and planted Gaussian classes of known best probes."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from une_ray.errors import UneError
from une_ray.geometry.gram import NonFiniteLatents
from une_ray.geometry.linear import METHODS
from une_ray.geometry.probes import fit
from une_ray.geometry.scales import evening
from une_ray.geometry.train_rows import scatter_up_to

RNG = np.random.default_rng(0)
N, D = 1200, 30
Z = (RNG.normal(size=(N, D)) * np.geomspace(3, 0.3, D) + 2).astype(np.float32)
CLEAR, FAINT, MISSING, NOISE = range(4)
LABELS = (
    ((Z - 2) @ RNG.normal(size=(D, 4)) * [1, 0.1, 1, 0] + RNG.logistic(size=(N, 4))) > [0, 1, 0, 0]
).astype(np.float32)
LABELS[RNG.random(N) < 0.3, MISSING] = np.nan
TEST = RNG.random((N, 2)) < 0.25


def probes(method, labels=LABELS, test=TEST, z=Z, **settings):
    return fit(lambda: (z[i : i + 500] for i in range(0, len(z), 500)), labels, test, method, **settings)


def rows(split, column):
    """Train and test latents and labels of an attribute's labelled rows."""
    known = ~np.isnan(LABELS[:, column])
    train, test = known & ~TEST[:, split], known & TEST[:, split]
    return (
        Z[train].astype(np.float64),
        LABELS[train, column],
        Z[test].astype(np.float64),
        LABELS[test, column],
    )


def unit(z):
    """What penalties are counted in: the mean eigenvalue of the train rows' scatter."""
    return ((z - z.mean(0)) ** 2).sum() / z.shape[1]


CASES = [(split, column) for split in range(2) for column in (CLEAR, FAINT, MISSING)]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("split, column", CASES)
@pytest.mark.parametrize("method, penalty", [("ridge", 0.3), ("least-squares", 0.0)])
def test_regressions_are_scikit_learns_on_the_labelled_train_rows_of_each_split(
    method, penalty, split, column
):
    z, y, _, _ = rows(split, column)
    model = Ridge(penalty * unit(z)) if penalty else LinearRegression()
    probe, model = probes(method, penalties=[penalty])[split][column], model.fit(z, 2 * y - 1)
    assert np.linalg.norm(probe.w - model.coef_) < 1e-5 * np.linalg.norm(model.coef_)
    assert probe.b == pytest.approx(model.intercept_, abs=1e-5)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("split, column", CASES)
def test_every_attribute_gets_the_penalty_of_its_own_cross_validation(split, column):
    """The closed form against its definition: n ‖y − Hy‖² / (n − tr H)² with the hat matrix written out."""
    penalties = [0.001, 0.03, 1.0, 30.0]
    z, y, _, _ = rows(split, column)
    z, y, scores = z - z.mean(0), 2 * y - 1, []
    for penalty in penalties:
        hat = z @ np.linalg.solve(z.T @ z + penalty * unit(z) * np.eye(D), z.T) + 1 / len(z)
        scores.append(len(z) * np.sum((y - hat @ y) ** 2) / (len(z) - np.trace(hat)) ** 2)
    assert probes("ridge", penalties=penalties)[split][column].penalty == penalties[np.argmin(scores)]


@pytest.mark.parametrize("column", [CLEAR, FAINT])
def test_cross_validation_prefers_no_penalty_that_does_worse_on_test_rows_by_much(column):
    aucs = {p: probes("ridge", penalties=[p])[0][column].metrics["auc"] for p in (1e-4, 0.01, 1.0, 100.0)}
    assert probes("ridge")[0][column].metrics["auc"] > max(aucs.values()) - 0.01


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("split, column", CASES)
def test_lda_without_shrinkage_is_scikit_learns_with_its_log_odds(split, column):
    z, y, _, _ = rows(split, column)
    probe, model = (
        probes("lda", penalties=[0.0])[split][column],
        LinearDiscriminantAnalysis(solver="lsqr").fit(z, y),
    )
    assert np.linalg.norm(probe.w - model.coef_[0]) < 1e-4 * np.linalg.norm(model.coef_)
    assert probe.b == pytest.approx(model.intercept_[0], abs=1e-3)
    # The score is the log odds of the train rows; of others it is overconfident.
    assert 0.5 < probe.slope < 1 - 2 / len(z)


@pytest.mark.usefixtures("either_way")
def test_lda_shrinks_as_scikit_learn_does():
    """(1 − s) W/n + s μ I with μ = tr W/(nd) is (1 − s)(W + λI)/n where λ = s tr W / (d (1 − s))."""
    shrinkage = 0.2
    z, y, _, _ = rows(0, CLEAR)
    within = sum(((z[y == side] - z[y == side].mean(0)) ** 2).sum() for side in (0, 1))
    probe = probes("lda", penalties=[shrinkage * within / (D * (1 - shrinkage)) / unit(z)])[0][CLEAR]
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(z, y)
    assert np.linalg.norm(probe.w / (1 - shrinkage) - model.coef_[0]) < 1e-4 * np.linalg.norm(model.coef_)


def test_mean_difference_is_the_difference_of_means_with_zero_halfway():
    z, y, _, _ = rows(1, MISSING)
    one, zero = z[y == 1].mean(0), z[y == 0].mean(0)
    probe = probes("mean-difference")[1][MISSING]
    assert np.allclose(probe.w, one - zero, atol=1e-5) and probe.penalty is None
    assert (one + zero) / 2 @ probe.w + probe.b == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("column", [CLEAR, FAINT, MISSING])
@pytest.mark.parametrize("method, steps", [("logistic", ()), ("pca-logistic", (PCA(9, svd_solver="full"),))])
def test_logistic_probes_are_scikit_learns_in_scores(method, steps, column):
    z, y, z_test, y_test = rows(1, column)
    model = make_pipeline(*steps, StandardScaler(), LogisticRegression(C=0.5, tol=1e-10, max_iter=1000)).fit(
        z, y
    )
    probe = probes(method, penalties=[2.0], rank=9)[1][column]
    expected = model.decision_function(z_test)
    assert np.abs(z_test @ probe.w + probe.b - expected).max() < 1e-3 * expected.std()
    assert probe.metrics["auc"] == pytest.approx(roc_auc_score(y_test, expected), abs=1e-4)
    assert probe.metrics["accuracy"] == pytest.approx(np.mean((expected > 0) == y_test), abs=2e-3)
    assert probe.metrics["brier"] < np.mean((model.predict_proba(z_test)[:, 1] - y_test) ** 2) + 4e-3
    assert probe.rank == (9 if steps else None)


def test_probabilities_of_gaussian_classes_are_true():
    rng = np.random.default_rng(1)
    labels = (rng.random((40_000, 1)) < 0.2).astype(np.float32)
    z = (rng.normal(size=(40_000, 5)) + labels * [1, 0.5, 0, 0, 0]).astype(np.float32)
    for method in ("ridge", "lda", "mean-difference"):
        probe = probes(method, labels, rng.random((40_000, 1)) < 0.5, z)[0][0]
        assert probe.metrics["calibration_error"] < 0.01, method
        direction = probe.slope * probe.w
        assert np.allclose(direction, [1, 0.5, 0, 0, 0], atol=0.07), (
            method
        )  # Σ⁻¹Δ, the log odds' own direction


@pytest.mark.parametrize(("coordinates", "size"), [(4, 30.0), (20, 1e6)])
def test_a_few_huge_coordinates_take_nothing_from_the_chain(coordinates, size):
    """Twenty at 10⁶ were all that was left, and every probe at chance."""
    random = np.random.default_rng(0)
    factors = random.normal(size=(500, 20))  # which scaling each coordinate leaves the leading components
    z = random.normal(size=(500, 700)) + factors @ random.normal(size=(20, 700))
    z[:, -coordinates:] *= size
    labels = (factors @ random.normal(size=(20, 3)) + 2 * random.normal(size=(500, 3)) > 0).astype(np.float32)
    test = np.arange(500)[:, None] % 3 == 0
    found = fit(lambda: iter([z.astype(np.float32)]), labels, test, "pca-logistic", rank=100)
    train = ~test[:, 0]
    scaled = z / z[train].std(0) if size > 100 else z
    for probe, y in zip(found[0], labels.T):
        chain = make_pipeline(
            PCA(100, svd_solver="full"), StandardScaler(), LogisticRegression(max_iter=1000)
        )
        expected = roc_auc_score(
            y[~train], chain.fit(scaled[train], y[train]).decision_function(scaled[~train])
        )
        assert probe.metrics["auc"] == pytest.approx(expected, abs=0.02) and expected > 0.6


@pytest.mark.parametrize("size", [2e3, 1e4, 1e6])
@pytest.mark.parametrize("method", ["ridge", "lda", "pca-logistic"])
def test_more_huge_coordinates_than_others_take_nothing_from_a_probe(method, size):
    """Of 30 coordinates 17 are huge, and the label is of the others: every probe was at chance."""
    random = np.random.default_rng(0)
    z = random.normal(size=(1000, D))
    labels = (z[:, 17:] @ random.normal(size=(13, 2)) + random.normal(size=(1000, 2)) > 0).astype(np.float32)
    huge, test = z * np.where(np.arange(D) < 17, size, 1), np.arange(1000)[:, None] % 3 == 0
    even, found = (
        fit(lambda rows=rows: iter([rows.astype(np.float32)]), labels, test, method)[0] for rows in (z, huge)
    )
    for probe, plain in zip(found, even, strict=True):
        assert (
            probe.metrics["auc"] == pytest.approx(plain.metrics["auc"], abs=0.01)
            and plain.metrics["auc"] > 0.8
        )


@pytest.mark.usefixtures("either_way")
def test_ridge_of_scales_that_differ_by_orders_is_scikit_learns_of_standardised_coordinates():
    """With groups and without, whose probabilities are then those of the standardised rows."""
    scale, group = np.where(np.arange(D) < 17, 3e4, 1.0).astype(np.float32), np.arange(N) // 4
    z, y, _, _ = rows(0, CLEAR)
    model = make_pipeline(StandardScaler(), Ridge(0.3 * len(z))).fit(z * scale, 2 * y - 1)
    probe = probes("ridge", z=Z * scale, penalties=[0.3])[0][CLEAR]
    expected = model[-1].coef_ / model[0].scale_
    assert np.abs((probe.w - expected) * model[0].scale_).max() < 1e-4 * np.abs(model[-1].coef_).max()
    standard = (Z - z.mean(0)) / z.std(0)
    for groups in (None, group):
        one, other = (
            probes("ridge", z=latents, penalties=[0.3], groups=groups)[0][CLEAR]
            for latents in (Z * scale, standard.astype(np.float32))
        )
        assert (one.slope, one.offset) == pytest.approx((other.slope, other.offset), rel=1e-3)


@pytest.mark.parametrize("mean", [0.0, 50.0])
def test_features_that_never_fire_are_no_other_scale(mean):
    """More than half are constant, but for rounding too, and two of a hundred fire at random."""
    random = np.random.default_rng(0)
    z = random.normal(size=(1000, 100)) + mean
    z[:, :80] = mean * (1 + 1e-7 * random.normal(size=(1000, 80)))
    z[:, :10] = mean
    z[:, 80:82] = 1e-4 * (random.random((1000, 2)) < 0.01)
    z = torch.as_tensor(z.astype(np.float32)).double()
    assert evening(z.var(0, correction=0), z.mean(0)) is None


@pytest.mark.parametrize("method", METHODS)
def test_counts_and_metrics_are_of_the_labelled_rows(method):
    for split in range(2):
        for column in (CLEAR, MISSING):
            probe, (_, y, z_test, y_test) = probes(method, rank=20)[split][column], rows(split, column)
            assert (probe.train, probe.train_positive, probe.test, probe.test_positive) == (
                len(y),
                y.sum(),
                len(y_test),
                y_test.sum(),
            )
            assert probe.metrics["auc"] == pytest.approx(
                roc_auc_score(y_test, z_test @ probe.w + probe.b), abs=1e-9
            )


def test_shuffled_labels_tell_noise_from_signal():
    noisy, again = (probes("ridge", permutations=40, seed=s)[0] for s in (3, 3))
    assert noisy[CLEAR].p_value == 1 / 41 and noisy[MISSING].p_value == 1 / 41 and noisy[NOISE].p_value > 0.05
    assert abs(noisy[CLEAR].permuted_auc - 0.5) < 0.02 and noisy[CLEAR].permutations == 40
    assert [p.p_value for p in noisy] == [p.p_value for p in again]
    assert np.allclose(noisy[CLEAR].w, probes("ridge")[0][CLEAR].w, atol=1e-9)


def test_p_values_of_noise_are_uniform():
    rng = np.random.default_rng(5)
    labels = (rng.random((300, 200)) < 0.4).astype(np.float32)
    fitted = probes(
        "mean-difference",
        labels,
        rng.random((300, 1)) < 0.3,
        rng.normal(size=(300, 4)).astype(np.float32),
        permutations=19,
    )
    p = np.array([probe.p_value for probe in fitted[0]])
    assert abs((p <= 0.05).mean() - 0.05) < 0.04 and abs(p.mean() - 0.525) < 0.06


SIZES = {
    "equal": lambda random: np.full(50, 8),
    "lognormal": lambda random: np.ceil(random.lognormal(1.5, 1, 50)).astype(int),
    "all different": lambda random: np.arange(1, 41),
    "Poisson": lambda random: 1 + random.poisson(20, 40),
}


def in_groups(size, random):
    """Groups' numbers, latents that are alike within groups, and which rows are tested on."""
    group = np.repeat(np.arange(len(size)), size)
    z = random.normal(size=(len(size), 6))[group] + 0.4 * random.normal(size=(len(group), 6))
    return group, z.astype(np.float32), (random.random((len(size), 1)) < 0.4)[group]


@pytest.mark.parametrize("draw", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("is_mixed", [False, True])
def test_p_values_of_labels_that_go_by_groups_are_uniform_whatever_the_sizes(draw, is_mixed):
    """Labels are the groups' own, or coins of the groups' own; their latents have nothing to do with them."""
    found = []
    for seed in range(12):
        random = np.random.default_rng(seed)
        group, z, test = in_groups(draw(random), random)
        share = (
            random.beta(0.5, 0.5, (group[-1] + 1, 60))
            if is_mixed
            else random.random((group[-1] + 1, 60)) < 0.5
        )
        labels = (random.random((len(group), 60)) < share[group]).astype(np.float32)
        fitted = probes("mean-difference", labels, test, z, permutations=19, seed=seed, groups=group)[0]
        found += [probe.p_value for probe in fitted if probe.p_value is not None]
    p = np.array(found)
    assert len(p) > 600 and abs((p <= 0.05).mean() - 0.05) < 0.03 and abs(p.mean() - 0.525) < 0.05


@pytest.mark.parametrize("draw", SIZES.values(), ids=SIZES)
def test_shuffled_labels_of_groups_of_any_size_are_at_chance_where_there_is_a_signal(draw):
    """Groups changed places with those of their size alone: where no two are alike, with none."""
    aucs, shuffled = [], []
    for seed in range(12):
        random = np.random.default_rng(seed)
        group, z, test = in_groups(draw(random), random)
        labels = (z[np.searchsorted(group, group), :1] > 0).astype(np.float32)  # of the group's first row
        ((probe,),) = probes("ridge", labels, test, z, permutations=19, groups=group)
        if probe.error is None:
            aucs.append(probe.metrics["auc"])
            shuffled.append(probe.permuted_auc)
    assert len(aucs) > 8 and np.mean(aucs) > 0.8 and abs(np.mean(shuffled) - 0.5) < 0.05


def test_shuffles_that_leave_a_class_without_rows_count_for_nothing():
    """The one positive of the test rows is one of a group of six, of which a group of one may get another."""
    random = np.random.default_rng(0)
    group = np.concatenate([np.arange(100), np.full(6, 100), np.arange(101, 107)])
    labels = (random.random((len(group), 1)) < 0.5).astype(np.float32)
    labels[100:] = np.arange(100, 112)[:, None] == 103
    test, z = np.arange(len(group))[:, None] >= 100, random.normal(size=(len(group), 3)).astype(np.float32)
    for method in METHODS:
        ((probe,),) = probes(method, labels, test, z, permutations=40, groups=group, rank=3)
        assert probe.status == "ok" and 0 < probe.permuted_auc < 1 and 1 / 41 < probe.p_value <= 1


def test_attributes_that_no_probe_can_read_say_why_and_cost_the_others_nothing():
    bad = np.zeros((N, 5), dtype=np.float32)
    bad[np.flatnonzero(~TEST.any(1))[:3], 1] = 1  # three positives, all in train
    bad[np.flatnonzero(TEST.all(1))[:3], 1] = 1  # and three in test
    bad[:, 2] = np.nan
    bad[~TEST.any(1), 3] = RNG.random((~TEST.any(1)).sum()) < 0.5  # no positive in test
    bad[:, 4] = 1
    for method in METHODS:
        fitted = probes(method, np.concatenate([LABELS, bad], axis=1), rank=10)[0]
        count = (~TEST[:, 0]).sum()
        assert [p.error for p in fitted[4:]] == [
            f"constant in train: all {count} rows are negative",
            f"only 3 positives among {count} train rows, fewer than 5",
            "no train row has this label",
            f"constant in test: all {N - count} rows are negative",
            f"constant in train: all {count} rows are positive",
        ]
        assert all(p.status == "refused" and p.w is None and p.metrics is None for p in fitted[4:])
        assert [p.status for p in fitted[:4]] == ["ok"] * 4
        assert np.allclose(fitted[CLEAR].w, probes(method, rank=10)[0][CLEAR].w, rtol=1e-6)


def assert_are(fitted, expected):
    """The same weights, but for the rounding of products of other shapes in float32."""
    for one, other in zip(fitted, expected, strict=True):
        assert np.abs(one.w - other.w).max() < 1e-4 * np.abs(other.w).max() and one.metrics[
            "auc"
        ] == pytest.approx(other.metrics["auc"])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("held_out", [0, 1])
def test_a_split_without_train_or_test_rows_costs_the_others_nothing(method, held_out):
    """As a corpus of one partition has it in the split of its own."""
    bare, alone = (
        probes(method, test=np.column_stack([*first, TEST[:, 1]]), rank=10)
        for first in ([np.full(N, held_out)], [])
    )
    assert {p.error for p in bare[0]} == {f"no {('test', 'train')[held_out]} row has this label"}
    assert_are(bare[1], alone[0])


@pytest.mark.parametrize("method", METHODS)
def test_a_label_that_one_split_can_not_tell_is_fitted_on_the_other_and_spoils_neither(method):
    label = np.where(TEST[:, :1], LABELS[:, [CLEAR]], 0)  # constant in the first split's train rows
    fitted = probes(method, np.concatenate([LABELS, label], axis=1), rank=10, permutations=2)
    assert [split[4].status for split in fitted] == ["refused", "ok"]
    for split, expected in zip(fitted, probes(method, rank=10, permutations=2)):
        assert_are(split[:4], expected)


def test_nothing_to_fit_is_rows_of_reasons():
    assert [p.status for p in probes("ridge", np.ones((N, 3)))[1]] == ["refused"] * 3


def test_least_squares_with_fewer_rows_than_dims_names_the_remedy_that_works():
    few, z = slice(200), RNG.normal(size=(200, 250)).astype(np.float32)
    with pytest.raises(
        UneError, match="needs more train rows than the 250 dims, but there are .*; give ridge a λ > 0"
    ):
        probes("least-squares", LABELS[few], TEST[few], z)
    assert probes("ridge", LABELS[few], TEST[few], z)[0][CLEAR].status == "ok"


@pytest.mark.usefixtures("either_way")
def test_dependent_coordinates_are_refused_without_penalty():
    z = np.concatenate([Z, np.ones((N, 1), dtype=np.float32)], axis=1)
    with pytest.raises(UneError, match="singular"):
        probes("least-squares", z=z)


@pytest.mark.parametrize("rank", [12, D])
def test_the_papers_chain_of_wide_latents_is_that_of_narrow_ones(monkeypatch, rank):
    narrow = probes("pca-logistic", rank=rank, permutations=3)
    monkeypatch.setattr("une_ray.geometry.train_rows.scatter_up_to", lambda *_: D - 1)
    for splits in zip(narrow, probes("pca-logistic", rank=rank, permutations=3)):
        for one, other in zip(*splits):
            assert (one.train, one.test, one.rank, one.p_value) == (
                other.train,
                other.test,
                other.rank,
                other.p_value,
            )
            assert one.metrics == pytest.approx(other.metrics, abs=1e-3) and np.allclose(
                one.w, other.w, atol=1e-3 * np.abs(one.w).max()
            )


def test_the_papers_chain_of_wide_latents_reads_as_well_after_some_passes(monkeypatch):
    random = np.random.default_rng(1)
    z = (random.normal(size=(N, 420)) * np.arange(1, 421) ** -0.25 + 2).astype(np.float16)
    labels = (
        (z[:, :30].astype(np.float32) - 2) @ random.normal(size=(30, 3)) + random.logistic(size=(N, 3)) > 0
    ).astype(np.float32)
    labels[::3, 1] = np.nan
    narrow = probes("pca-logistic", labels, z=z, rank=40, permutations=2)
    monkeypatch.setattr("une_ray.geometry.train_rows.scatter_up_to", lambda *_: 419)
    for splits in zip(narrow, probes("pca-logistic", labels, z=z, rank=40, permutations=2)):
        for one, other in zip(*splits):
            assert one.metrics["auc"] == pytest.approx(other.metrics["auc"], abs=0.005)
            assert np.corrcoef(one.w, other.w)[0, 1] > 0.99


@pytest.mark.parametrize("limit", [0, np.inf])
def test_the_papers_chain_fits_fewer_directions_than_components(monkeypatch, limit):
    monkeypatch.setattr("une_ray.geometry.train_rows.scatter_up_to", lambda *_: limit)
    z = np.random.default_rng(2).normal(size=(100, 600)).astype(np.float32)[np.arange(N) % 100]
    labels = np.repeat((z[:, :1] > 0).astype(np.float32), 2, axis=1)
    assert all(probe.metrics["auc"] > 0.99 for probe in probes("pca-logistic", labels, z=z, rank=500)[0])


def test_which_methods_do_without_the_scatter_of_wide_latents():
    assert scatter_up_to("pca-logistic", "cpu") < 4 * 64 * 64 == scatter_up_to("pca-logistic", "cuda")
    assert not scatter_up_to("mean-difference", "cpu")
    others = set(METHODS) - {"pca-logistic", "mean-difference"}
    assert {scatter_up_to(method, "cpu") for method in others} == {float("inf")}


def test_the_papers_chain_leaves_out_directions_in_which_nothing_differs():
    twice = np.concatenate([Z, Z], axis=1)
    once, again = (probes("pca-logistic", z=z, rank=rank)[0][CLEAR] for z, rank in ((Z, D), (twice, 2 * D)))
    assert np.allclose(once.w, again.w[:D] * 2, atol=1e-3 * np.abs(once.w).max())


def test_latents_that_are_all_the_same_are_refused():
    for method in METHODS:
        with pytest.raises(UneError, match="have the same latent"):
            probes(method, z=np.ones((N, D), dtype=np.float32))


def test_latents_that_are_not_finite_are_named_by_row():
    z = Z.copy()
    z[[7, 8], 3] = np.nan
    with pytest.raises(NonFiniteLatents) as caught:
        probes("ridge", z=z)
    assert caught.value.rows == [7, 8]


def test_unknown_methods_and_penalties_that_make_no_sense_are_refused():
    with pytest.raises(UneError, match="unknown probe method 'rigde'; known, nearest first: ridge"):
        probes("rigde")
    with pytest.raises(UneError, match="one penalty 1/C > 0"):
        probes("logistic", penalties=[1.0, 2.0])
    for penalty in (0.0, np.nan, np.inf):
        with pytest.raises(UneError, match="one penalty 1/C > 0"):
            probes("pca-logistic", penalties=[penalty])
    for penalty in (-0.3, np.nan, np.inf):
        with pytest.raises(UneError, match="every λ must be a finite number, at least 0"):
            probes("ridge", penalties=[1.0, penalty])
