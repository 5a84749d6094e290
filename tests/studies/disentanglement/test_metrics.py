"""Metrics of disentanglement on codes of which the scores are known: perfect, permuted, rotated, constant,
duplicated."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from une_ray.errors import UneError
from une_ray.studies.disentanglement import metrics
from une_ray.studies.disentanglement.metrics import dci, factor_vae, sample

# Every combination of two values of two factors equally often, in random order.
BINARY = np.random.default_rng(0).permutation(np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (600, 1)))
MANY = np.random.default_rng(1).integers([3, 5, 10], size=(3000, 3))
SIGNS = 2.0 * BINARY - 1


def scores(codes, factors=BINARY, **settings):
    found = {}
    for name in metrics.names():
        found |= metrics.find(name)(codes, factors, **{"seed": 0, "fast": True, **settings})
    return found


def test_there_are_seven():
    assert set(metrics.names()) == {
        "beta-vae", "dci", "explicitness", "factor-vae", "mig", "modularity", "sap"
    }  # fmt: skip
    with pytest.raises(UneError, match="unknown metric of disentanglement 'mgi'; known, nearest first: mig"):
        metrics.find("mgi")


def test_perfect_codes_have_the_best_score_of_each():
    perfect = scores(SIGNS)
    assert perfect.pop("factor_vae_active") == 2
    assert perfect.pop("sap") == pytest.approx(1 - 0.5, abs=0.06), "the second code is right by chance"
    assert perfect.pop("modularity") == pytest.approx(1, abs=1e-3)
    assert perfect == pytest.approx(dict.fromkeys(perfect, 1.0), abs=0.01)


def test_order_sign_and_scale_of_codes_change_nothing():
    """But for the trees' and the machines' ties."""
    codes = SIGNS + 0.6 * np.random.default_rng(2).standard_normal(SIGNS.shape)
    again = scores(codes[:, ::-1] * [-1, 2.5])
    for name, score in scores(codes).items():
        slack = 0.02 if name.startswith("dci") or name in ("sap", "beta_vae", "mig", "modularity") else 0.002
        assert again[name] == pytest.approx(score, abs=slack), name


def test_a_turn_by_45_degrees_leaves_both_factors_in_both_codes():
    turned = SIGNS @ np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    rows = sample.sample(turned, BINARY, 0, False).train
    information = sample.mutual_information(sample.binned(rows.codes), rows.factors)
    assert information == pytest.approx(np.full((2, 2), np.log(2) / 2), abs=0.01)
    mixed = scores(turned, fast=False)
    assert mixed["mig"] == pytest.approx(0, abs=0.02) and mixed["modularity"] == pytest.approx(0, abs=0.05)
    assert mixed["sap"] < 0.05 and mixed["explicitness"] == 1, "all is there, in no code alone"
    assert mixed["dci_disentanglement"] < 0.35 and mixed["dci_informativeness"] == 1


def test_constant_codes_say_nothing():
    dead = scores(np.ones((len(BINARY), 3)))
    chance = {"dci_informativeness": 0.5, "beta_vae": 0.5, "explicitness": 0.5}
    for name, score in dead.items():
        assert score == pytest.approx(chance.get(name, 0), abs=0.1), name


@pytest.mark.parametrize("value", [0.0, 0.1, 3.3])
def test_a_constant_code_says_exactly_nothing_of_any_number_of_items(value):
    factors = np.random.default_rng(0).integers([3, 6, 40, 32, 32], size=(15_000, 5))
    for n in (*range(30, 3000, 37), 15_000):
        assert metrics.find("modularity")(np.full((n, 1), value), factors[:n]) == {"modularity": 0}, n


def test_a_factor_in_two_codes_costs_compactness_and_not_modularity():
    twice = scores(np.repeat(SIGNS, 2, axis=1))
    assert twice["mig"] == 0 and twice["sap"] == pytest.approx(0, abs=1e-9)
    assert twice["modularity"] == pytest.approx(1, abs=1e-3)
    assert twice["dci_disentanglement"] == pytest.approx(1, abs=0.01) and twice["factor_vae"] == 1


def test_a_dead_code_beside_perfect_ones_counts_for_modularity_alone():
    dead = scores(np.concatenate([SIGNS, np.zeros((len(SIGNS), 1))], 1))
    assert dead["modularity"] == pytest.approx(2 / 3, abs=1e-3)
    assert dead["factor_vae_active"] == 2 and dead["mig"] == pytest.approx(1, abs=0.01)


def test_information_is_scikit_learns_and_gaps_are_over_entropies():
    codes = MANY + np.random.default_rng(3).standard_normal(MANY.shape)
    rows = sample.sample(codes, MANY, 7, False).train
    edges = [np.linspace(column.min(), column.max(), 21) for column in rows.codes.T]
    bins = np.stack(
        [np.clip(np.searchsorted(e, c, "right") - 1, 0, 19) for e, c in zip(edges, rows.codes.T)], 1
    )
    theirs = np.array([[mutual_info_score(v, b) for v in rows.factors.T] for b in bins.T])
    assert sample.mutual_information(sample.binned(rows.codes), rows.factors) == pytest.approx(
        theirs, abs=1e-9
    )
    best, second = np.sort(theirs, 0)[-1], np.sort(theirs, 0)[-2]
    entropies = [mutual_info_score(v, v) for v in rows.factors.T]
    assert metrics.find("mig")(codes, MANY, seed=7)["mig"] == pytest.approx(
        np.mean((best - second) / entropies)
    )


def test_importances_of_known_matrices():
    assert dci.disentanglement(np.eye(4)) == pytest.approx(1)
    assert dci.disentanglement(np.ones((4, 4))) == pytest.approx(0, abs=1e-9)
    assert dci.disentanglement(np.zeros((4, 4))) == pytest.approx(0, abs=1e-9)
    halves = np.array([[0.5, 0.5, 0, 0], [0, 0, 1, 1]])
    assert dci.disentanglement(halves) == pytest.approx(0.5), "each row serves two of four"
    assert dci.disentanglement(halves.T) == pytest.approx(1), "each column needs one"


def test_batches_hold_one_factor_and_leave_the_others_free():
    partners = sample.Partners(MANY)
    random = np.random.default_rng(0)
    first = random.integers(len(MANY), size=(4000, 1))
    drawn = MANY[partners.draw(np.repeat(first, 8, 1), 1, random)]
    assert (drawn[:, :, 1] == MANY[first[:, 0], 1][:, None]).all()
    counts = np.bincount(drawn[:, :, 2].ravel(), minlength=10) / drawn[:, :, 2].size
    assert counts == pytest.approx(np.bincount(MANY[:, 2]) / len(MANY), abs=0.01)


def test_the_code_that_varies_least_votes():
    noisy = MANY + 0.3 * np.random.default_rng(0).standard_normal(MANY.shape)
    votes = factor_vae.votes(noisy / noisy.std(0), sample.Partners(MANY), 300, np.random.default_rng(0))
    assert (votes.argmax(1) == range(3)).all() and votes.sum() == 300 and np.trace(votes) == 300


def test_equal_seeds_give_equal_scores():
    codes = SIGNS + np.random.default_rng(4).standard_normal(SIGNS.shape)
    assert scores(codes, seed=5) == scores(codes, seed=5) != scores(codes, seed=6)


@pytest.mark.parametrize(
    "name", ["mig", "dci", "sap", "factor-vae", "beta-vae", "modularity", "explicitness"]
)
def test_what_no_metric_is_defined_of_is_refused(name):
    metric, broken = metrics.find(name), SIGNS.copy()
    broken[3, 1] = np.nan
    for codes, factors, message in (
        (broken, BINARY, "code 1 of row 3 is nan"),
        (SIGNS[:25], BINARY[:25], "25 rows are fewer than 20 bins need"),
        (SIGNS, np.ones_like(BINARY), "factor 0 has one value, 1, in all 2,400 rows"),
        (SIGNS, BINARY[:, :0], "corpus without factors"),
        (SIGNS, BINARY[:-1], "of the same n items"),
        (SIGNS, BINARY + 0.5, "whole numbers; got float64"),
    ):
        with pytest.raises(UneError, match=message):
            metric(codes, factors)


def test_a_rare_value_or_a_single_factor_is_no_error():
    rare = np.zeros((300, 1), int)
    rare[7] = 1
    found = scores(np.random.default_rng(0).standard_normal((300, 2)), rare)
    assert all(np.isfinite(score) for score in found.values())


@pytest.mark.parametrize("ulps", [1, 2, 7])
def test_a_code_that_differs_by_rounding_alone_is_a_constant_one(ulps):
    constant, rounded = SIGNS + 0.5, SIGNS + 0.5
    constant[:, 0] = rounded[:, 0] = 0.3
    rounded[::2, 0] += ulps * np.spacing(0.3)
    assert scores(rounded) == scores(constant)


def test_a_code_too_large_for_its_variance_is_refused():
    huge = SIGNS.copy()
    huge[:2, 1] = 1e308, -1e308
    for name in metrics.names():
        with pytest.raises(
            UneError, match=r"code 1 is as large as 1e\+308, whose variance is no number; divide"
        ):
            metrics.find(name)(huge, BINARY)
    assert np.isfinite(list(scores(SIGNS * 1e25).values())).all()
