"""Oracles: scikit-learn's Ridge, the hat matrix written out, scikit-learn's R², SciPy's cosine."""

import pickle

import numpy as np
import pytest
from scipy.spatial.distance import cosine
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from une_ray.errors import UneError
from une_ray.geometry.transfer import (
    PENALTIES,
    Fidelity,
    JointMoments,
    LinearMap,
    MapEvaluation,
    Probes,
    Ridge,
    accuracy_and_auc,
)


def spaces(rows: int = 300, noise: float = 0.3, seed: int = 0) -> dict[str, np.ndarray]:
    """Three linear views of one latent, with means far from zero."""
    random = np.random.default_rng(seed)
    hidden = random.standard_normal((rows, 5))

    def view(dim: int) -> np.ndarray:
        return hidden @ random.standard_normal((5, dim)) + noise * random.standard_normal((rows, dim)) + 3

    return {"a": view(8), "b": view(6), "c": view(4)}


def moments_of(rows: dict[str, np.ndarray], batch: int = 64, seed: int = 0) -> JointMoments:
    moments = JointMoments({space: z.shape[1] for space, z in rows.items()}, seed)
    for start in range(0, len(rows["a"]), batch):
        moments.add({space: z[start : start + batch].astype(np.float32) for space, z in rows.items()})
    return moments


def gcv_by_hat_matrix(x: np.ndarray, y: np.ndarray, penalty: float) -> float:
    n = len(x)
    x, centred = x - x.mean(0), y - y.mean(0)
    hat = x @ np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T) + 1 / n  # the intercept is the 1/n
    return n * ((centred - hat @ centred) ** 2).sum() / (n - np.trace(hat)) ** 2


@pytest.mark.parametrize(("source", "target"), [("a", "b"), ("b", "a"), ("c", "a")])
def test_a_map_is_scikit_learns_ridge_at_its_penalty(source, target):
    rows = {space: z.astype(np.float32).astype(float) for space, z in spaces().items()}
    linear = Ridge(moments_of(rows), source).fit(target)
    expected = SklearnRidge(alpha=linear.penalty).fit(rows[source], rows[target])
    assert np.allclose(linear.weight, expected.coef_.T, atol=1e-8) and np.allclose(
        linear.intercept, expected.intercept_, atol=1e-8
    )


@pytest.mark.parametrize("noise", [0.01, 1.0, 20.0])
def test_the_penalty_is_the_grids_best_by_the_hat_matrix(noise):
    rows = {space: z.astype(np.float32).astype(float) for space, z in spaces(60, noise).items()}
    moments = moments_of(rows)
    grid = PENALTIES * np.trace(moments.scatter("a", "a")) / 8
    scores = [gcv_by_hat_matrix(rows["a"], rows["b"], penalty) for penalty in grid]
    assert Ridge(moments, "a").fit("b").penalty == pytest.approx(grid[np.argmin(scores)])


def test_with_fewer_rows_than_dims_the_map_still_finds_what_is_there():
    random = np.random.default_rng(0)
    hidden, lift, view = (
        random.standard_normal((400, 4)),
        random.standard_normal((4, 200)),
        random.standard_normal((4, 3)),
    )
    rows = {"a": hidden @ lift + 0.1 * random.standard_normal((400, 200)), "b": hidden @ view}
    linear = Ridge(moments_of({space: z[:100] for space, z in rows.items()}, batch=100), "a").fit("b")
    assert r2_score(rows["b"][100:], linear(rows["a"][100:])) > 0.99


def test_batches_do_not_matter():
    rows = spaces()
    whole, pieces = moments_of(rows, batch=300), moments_of(rows, batch=7)
    assert np.allclose(whole.scatter("a", "c"), pieces.scatter("a", "c")) and np.allclose(
        whole.mean("b"), pieces.mean("b")
    )


def test_the_shuffled_pairing_finds_nothing_in_spaces_that_determine_each_other():
    train, test = spaces(4000, 0.01), spaces(4000, 0.01)
    ridge = Ridge(moments_of(train, batch=500), "a")
    assert r2_score(test["b"], ridge.fit("b")(test["a"])) > 0.99
    assert abs(r2_score(test["b"], ridge.fit("b", shuffled=True)(test["a"]))) < 0.02


def test_nobody_is_paired_with_itself_in_the_shuffled_pairing():
    """Of one-hot rows a fixed point would show on the product's diagonal."""
    moments = JointMoments({"a": 50})
    moments.add({"a": np.eye(50)})
    means = np.full((50, 50), 50 * 0.02**2)  # what the products have less than those about zero
    pairs = moments.scatter("a", "a", shuffled=True) + means
    assert np.trace(pairs) == pytest.approx(0, abs=1e-12)
    assert pairs.sum(0) == pytest.approx(np.ones(50)) and pairs.sum(1) == pytest.approx(np.ones(50))
    assert np.isin(pairs.round(12), (0, 1)).all()


def test_the_mean_control_ignores_the_source():
    rows = spaces()
    linear = Ridge(moments_of(rows), "a").mean("b")
    assert np.allclose(linear(rows["a"]), rows["b"].mean(0), atol=1e-5) and linear.penalty is None


def test_a_source_without_variance_maps_to_the_mean():
    rows = spaces()
    rows["a"][:] = 2.0
    linear = Ridge(moments_of(rows), "a").fit("b")
    assert np.allclose(linear(rows["a"]), rows["b"].mean(0), atol=1e-5)


def test_a_probe_pulled_back_gives_the_scores_of_mapped_rows():
    random = np.random.default_rng(0)
    linear, z = (
        LinearMap(random.standard_normal((8, 6)), random.standard_normal(6)),
        random.standard_normal((10, 8)),
    )
    probes = Probes(["x", "y", "z"], random.standard_normal((6, 3)), random.standard_normal(3))
    assert np.allclose(linear.pull_back(probes)(z), linear(z) @ probes.w + probes.b)


def test_fidelity_is_scipys_cosine_and_scikit_learns_r2():
    random = np.random.default_rng(1)
    true, centre = random.standard_normal((40, 5)) * [1, 2, 3, 4, 0.1] + 2, random.standard_normal(5)
    predicted = true + random.standard_normal((40, 5))
    fidelity = Fidelity(centre)
    for part in np.split(np.arange(40), [3, 25]):
        fidelity.add(predicted[part], true[part])
    assert fidelity.figures() == pytest.approx(
        {
            "cosine": np.mean([1 - cosine(p, t) for p, t in zip(predicted, true)]),
            "centred_cosine": np.mean([1 - cosine(p - centre, t - centre) for p, t in zip(predicted, true)]),
            "r2": r2_score(true, predicted, multioutput="variance_weighted"),
        }
    )


def test_predicting_the_mean_has_a_high_raw_cosine_and_nothing_else():
    true = np.random.default_rng(0).standard_normal((100, 5)) + 10
    fidelity = Fidelity(true.mean(0))
    fidelity.add(np.tile(true.mean(0), (100, 1)), true)
    assert fidelity.figures() == pytest.approx({"cosine": 0.995, "centred_cosine": 0, "r2": 0}, abs=2e-3)


def test_accuracy_and_auc_are_scikit_learns_where_the_label_is_known():
    random = np.random.default_rng(2)
    labels, scores = (
        random.integers(0, 2, 50).astype(float),
        random.integers(-3, 4, 50).astype(float),
    )  # with ties
    labels[[4, 9]] = np.nan
    known = ~np.isnan(labels)
    expected = accuracy_score(labels[known], scores[known] > 0), roc_auc_score(labels[known], scores[known])
    assert accuracy_and_auc(labels, scores) == pytest.approx(expected)


def test_labels_of_one_side_or_none_have_no_figure():
    scores = np.array([1.0, -1.0])
    assert accuracy_and_auc(np.array([1.0, 1.0]), scores) == (0.5, None) and accuracy_and_auc(
        np.full(2, np.nan), scores
    ) == (
        None,
        None,
    )


def test_maps_are_evaluated_as_scoring_the_mapped_rows_would():
    train, test = spaces(500), spaces(101)
    probes = Probes(["up"], np.eye(6)[:, :1], np.array([-3.0]))
    labels = {"up": (test["b"][:, 0] > 3).astype(float)}
    evaluation = MapEvaluation.begin(Ridge(moments_of(train), "a"), "b", probes)
    for part in np.array_split(np.arange(101), 4):
        evaluation.add(test["a"][part], test["b"][part])
    mapped = evaluation.maps["ridge"](test["a"])[:, 0]
    assert evaluation.accuracies_and_aucs("native", labels)["up"] == (1, 1)
    assert evaluation.accuracies_and_aucs("ridge", labels)["up"] == pytest.approx(
        (accuracy_score(labels["up"], mapped > 3), roc_auc_score(labels["up"], mapped))
    )
    assert (
        evaluation.accuracies_and_aucs("mean", labels)["up"][1] == 0.5
    )  # exactly: every row has the same score


def test_a_latent_that_is_not_finite_is_refused_by_its_space():
    rows = spaces(10)
    rows["b"][3, 2] = np.nan
    with pytest.raises(UneError, match="space 'b' has a latent that is not finite"):
        moments_of(rows)


def test_moments_of_parts_add_up_to_those_of_all_rows():
    z = spaces()
    others = {space: rows[::-1] for space, rows in z.items()}
    parts = []
    for rows in (slice(0, 90), slice(90, 300)):
        parts.append(JointMoments({space: each.shape[1] for space, each in z.items()}))
        parts[-1].add(*({space: each[rows] for space, each in of.items()} for of in (z, others)))
    whole = pickle.loads(pickle.dumps(parts[0])) + pickle.loads(pickle.dumps(parts[1]))
    assert whole.rows == 300 and parts[0].rows == 90 and np.allclose(whole.mean("b"), z["b"].mean(0))
    for shuffled, paired in ((False, z), (True, others)):
        cross = np.cov(z["a"].T, paired["c"].T)[:8, 8:] * 299
        assert np.allclose(whole.scatter("a", "c", shuffled), cross, rtol=1e-9, atol=1e-9)
