"""Probabilities of probes: leave-one-out scores are scikit-learn's, and what is said to be likely is."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut, cross_val_predict

from une_ray.geometry.linear import METHODS
from une_ray.geometry.probes import fit

RNG = np.random.default_rng(0)
N, D = 160, 60
Z = (RNG.normal(size=(N, D)) * np.geomspace(5, 0.1, D) + 1).astype(np.float32)
LABELS = (Z[:, :5] @ RNG.normal(size=(5, 4)) + 2 * RNG.normal(size=(N, 4)) > 1).astype(np.float32)
TEST = (np.arange(N) % 4 == 0)[:, None]


def gaussian_classes(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the log odds of two normal classes of one variance, by the definition."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    within = (positive.var() * len(positive) + negative.var() * len(negative)) / (len(scores) - 2)
    slope = (positive.mean() - negative.mean()) / within
    odds = np.log(labels.mean() / (1 - labels.mean()))
    return slope, odds - slope * (positive.mean() + negative.mean()) / 2


class MeanDifference(RegressorMixin, BaseEstimator):
    """The difference of means as a scikit-learn estimator."""

    def fit(self, z, y):
        self.positive, self.negative = z[y > 0].mean(0), z[y < 0].mean(0)
        return self

    def predict(self, z):
        return (z - (self.positive + self.negative) / 2) @ (self.positive - self.negative)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("method", ["ridge", "mean-difference"])
def test_slope_and_offset_are_those_of_leave_one_out_scores(method):
    train = ~TEST[:, 0]
    z = Z[train].astype(np.float64)
    unit = np.square(z - z.mean(0)).sum() / D
    model = Ridge(0.3 * unit) if method == "ridge" else MeanDifference()
    (probes,) = fit(lambda: iter([Z]), LABELS, TEST, method, [0.3] if method == "ridge" else None)
    for probe, y in zip(probes, LABELS[train].T):
        scores = cross_val_predict(model, z, 2.0 * y - 1, cv=LeaveOneOut())
        assert (probe.slope, probe.offset) == pytest.approx(gaussian_classes(scores, y), rel=1e-3, abs=1e-4)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("method", ["ridge", "mean-difference"])
def test_what_is_left_out_are_all_copies_of_a_picture(method):
    """Pictures that stand once, twice and five times; oracle: scikit-learn leaves each picture out."""
    picture = np.repeat(np.arange(60), np.tile([1, 2, 5], 20))
    z, labels = Z[picture], LABELS[picture]
    if method == "ridge":  # some copies are labelled otherwise
        labels = np.where(np.random.default_rng(2).random(labels.shape) < 0.1, 1 - labels, labels)
    test = np.zeros((len(z), 1), bool)
    test[picture >= 45] = True
    train = ~test[:, 0]
    unit = np.square(z[train].astype(float) - z[train].astype(float).mean(0)).sum() / D
    model = Ridge(0.3 * unit) if method == "ridge" else MeanDifference()
    penalties = [0.3] if method == "ridge" else None
    (probes,) = fit(lambda: iter([z]), labels, test, method, penalties, copies=picture)
    for probe, y in zip(probes, labels[train].T):
        scores = cross_val_predict(
            model, z[train].astype(float), 2.0 * y - 1, groups=picture[train], cv=LeaveOneGroupOut()
        )
        assert (probe.slope, probe.offset) == pytest.approx(gaussian_classes(scores, y), rel=1e-3, abs=1e-4)


GROUP = np.repeat(np.arange(46), np.r_[[100, 3, 70], np.tile([1, 2, 5], 15)[:43]])
SEEN = np.random.default_rng(4).permutation(len(GROUP))


def of_people(seed=3):
    """Pictures of 46 people, who have 1 to 100, more than dims: latents, labels and numbers, well mixed."""
    random = np.random.default_rng(seed)
    people = random.normal(size=(46, 12))
    z = people[GROUP] + 0.6 * random.normal(size=(len(GROUP), 12))
    score = people @ random.normal(size=(12, 3)) + 0.7 * random.normal(size=(46, 3))
    labels = score[GROUP] + 0.5 * random.normal(size=(len(GROUP), 3)) > 0
    return z.astype(np.float32)[SEEN], labels.astype(np.float32)[SEEN], GROUP[SEEN]


def without_each(model, z, y, group):
    return cross_val_predict(model, z.astype(float), 2.0 * y - 1, groups=group, cv=LeaveOneGroupOut())


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("method", ["ridge", "lda", "mean-difference"])
def test_what_is_left_out_are_all_pictures_of_a_group(method, monkeypatch):
    """λ and probabilities, in several passes too; oracle: scikit-learn leaves each person out, λ by λ."""
    z, labels, group = of_people()
    test = (group % 4 == 1)[:, None]
    train, grid = ~test[:, 0], [0.001, 0.03, 1.0, 30.0]
    unit = np.square(z[train].astype(float) - z[train].astype(float).mean(0)).sum() / z.shape[1]
    (probes,) = fit(lambda: iter([z]), labels, test, method, grid, groups=group)
    for probe, y in zip(probes, labels[train].T, strict=True):
        models = [Ridge(λ * unit) for λ in grid] if method != "mean-difference" else [MeanDifference()]
        scores = [without_each(model, z[train], y, group[train]) for model in models]
        best = np.argmin([np.square(2 * y - 1 - each).sum() for each in scores])
        slope, offset = gaussian_classes(scores[best], y)
        if method == "lda":  # the same direction, of another length
            whole = models[best].fit(z[train].astype(float), 2 * y - 1)
            ratio = np.linalg.norm(probe.w) / np.linalg.norm(whole.coef_)
            slope, offset = slope / ratio, offset + slope * (whole.intercept_ - probe.b / ratio)
        assert probe.penalty == (grid[best] if method != "mean-difference" else None)
        assert (probe.slope, probe.offset) == pytest.approx((slope, offset), rel=1e-3, abs=1e-4)
    monkeypatch.setattr("une_ray.geometry.left_out.HELD", 20 * 32)
    (parts,) = fit(lambda: iter([z]), labels, test, method, grid, groups=group)
    assert [p.slope for p in parts] == pytest.approx([p.slope for p in probes], rel=1e-9)


def test_groups_of_many_dims_are_left_out_as_nearly(monkeypatch):
    """Where the hat matrix' blocks are estimated, of a scatter near a multiple of the identity."""
    random = np.random.default_rng(3)
    people, group = random.normal(size=(400, 30)), np.repeat(np.arange(400), 3)
    z = (people[group] + 0.3 * random.normal(size=(1200, 30))).astype(np.float32)
    labels = (people @ random.normal(size=(30, 3)) + 9 * random.normal(size=(400, 3)) > 0)[group].astype(
        float
    )
    test = (group % 4 == 1)[:, None]
    monkeypatch.setattr("une_ray.geometry.train_rows.FEW", 0)
    told = [fit(lambda: iter([z]), labels, test, "ridge", groups=each)[0] for each in (group, None)]
    monkeypatch.setattr("une_ray.geometry.linear.EXACT", 0)
    (estimated,) = fit(lambda: iter([z]), labels, test, "ridge", groups=group)
    for one, exact, alone in zip(estimated, *told):
        assert one.penalty == exact.penalty > alone.penalty
        assert one.slope == pytest.approx(exact.slope, rel=0.05) and np.allclose(one.w, exact.w, rtol=1e-6)


@pytest.mark.parametrize("method", ["ridge", "lda", "mean-difference"])
def test_groups_of_one_row_each_change_nothing_and_those_of_copies_no_calibration(method):
    picture = np.random.default_rng(2).permutation(np.repeat(np.arange(N // 2), 2))
    (plain,), (told,) = (
        fit(lambda: iter([Z]), LABELS, TEST, method, permutations=3, groups=groups)
        for groups in (None, np.arange(N) * 3)
    )
    for one, other in zip(plain, told, strict=True):
        assert np.array_equal(one.w, other.w) and (one.slope, one.offset) == (other.slope, other.offset)
        assert (one.penalty, one.p_value) == (other.penalty, other.p_value)
    (plain,), (told,) = (
        fit(lambda: iter([Z[picture]]), LABELS, TEST, method, copies=picture, groups=groups)
        for groups in (None, picture + 1)
    )
    for one, other in zip(plain, told, strict=True):
        assert np.array_equal(one.w, other.w) and (one.slope, one.offset) == (other.slope, other.offset)


@pytest.mark.usefixtures("either_way")
def test_near_copies_fool_no_choice_of_penalty():
    """Of 250 people with 8 near-copies each λ was .01, and Brier's score .33 where the base rate's is .24."""
    random = np.random.default_rng(0)
    people, towards = random.normal(size=(250, 120)), random.normal(size=120) / 11
    labels = (people @ towards * 0.8 + random.normal(size=250) > 0.5).astype(np.float32)
    group = np.repeat(np.arange(250), 8)
    z = (people[group] + 0.15 * random.normal(size=(2000, 120))).astype(np.float32)
    test, y = (group % 5 == 0)[:, None], labels[group][:, None]
    for method in ("ridge", "lda"):
        ((probe,),) = fit(lambda: iter([z]), y, test, method, groups=group)
        assert probe.metrics["brier"] < y[test[:, 0]].var() + 0.01 and probe.penalty >= 1


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("method", ["ridge", "lda", "mean-difference"])
def test_a_corpus_in_which_every_picture_stands_three_times_has_the_probes_of_the_pictures(method):
    """λ fell from 1 to .1, and the calibration error rose from .15 to .25."""
    picture = np.repeat(np.arange(N), 3)
    (once,) = fit(lambda: iter([Z]), LABELS, TEST, method)
    (thrice,) = fit(lambda: iter([Z[picture]]), LABELS[picture], TEST[picture], method, copies=picture)
    for one, other in zip(once, thrice):
        assert one.penalty == other.penalty and np.allclose(one.w, other.w, rtol=1e-4, atol=1e-6)
        assert other.slope == pytest.approx(one.slope, rel=0.02)
        assert other.metrics["brier"] == pytest.approx(one.metrics["brier"], abs=2e-3)


@pytest.mark.parametrize("method", METHODS)
def test_an_attribute_has_the_same_probe_whatever_is_fitted_beside_it(method):
    """To the bit, on splits whose train rows are a difference, with and without shuffled labels."""
    test = np.arange(N)[:, None] % 5 == np.arange(2)
    for count, permutations in ((3, 0), (4, 9)):
        groups = np.arange(N) // 2 if permutations else np.arange(N)
        together = fit(
            lambda: iter([Z]), LABELS[:, :count], test, method, permutations=permutations, groups=groups
        )
        alone = fit(lambda: iter([Z]), LABELS[:, 1:2], test, method, groups=groups)
        for (_, probe, *_), (other,) in zip(together, alone, strict=True):
            assert np.array_equal(probe.w, other.w) and probe.metrics == other.metrics
            figures = ("b", "slope", "offset", "penalty")
            assert [getattr(probe, key) for key in figures] == [getattr(other, key) for key in figures]


def test_every_penalty_is_tried_and_the_least_error_taken():
    """On spectra with spikes the error has several valleys; oracle: the definition, λ by λ."""
    random, found = np.random.default_rng(5), []
    spread = np.where(np.arange(60) < 3, 100.0, np.where(np.arange(60) < 20, 3.0, 0.05))
    z, towards = random.normal(size=(120, 60)) * spread, np.zeros((60, 6))
    towards[0] = random.normal(size=6) / 100
    towards[20:40] = random.normal(size=(20, 6))
    labels = (z @ towards + 0.3 * random.normal(size=(120, 6)) > 0).astype(np.float32)
    z = z @ np.linalg.qr(random.normal(size=(60, 60))).Q  # such coordinates would be standardised
    grid = [10.0**e for e in range(-4, 3)]
    (probes,) = fit(lambda: iter([z]), labels, np.arange(120)[:, None] % 4 == 0)
    train = z[np.arange(120) % 4 != 0].astype(np.float32).astype(np.float64)
    centred = train - train.mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    for probe, y in zip(probes, 2.0 * labels[np.arange(120) % 4 != 0].T - 1):
        errors = []
        for penalty in grid:
            shrink = values**2 / (values**2 + penalty * np.square(values).sum() / 60)
            residual = y - y.mean() - left @ (shrink * (left.T @ (y - y.mean())))
            errors.append(len(y) * residual @ residual / (len(y) - 1 - shrink.sum()) ** 2)
        assert probe.penalty == grid[np.argmin(errors)]
        found.append((np.diff(np.sign(np.diff(errors))) > 0).sum())
    assert max(found) > 1, "no case with several valleys"


@pytest.mark.parametrize("method", ["ridge", "lda", "logistic", "mean-difference"])
def test_what_is_called_likely_is_likely(method):
    """Weak signals in as many dims as rows: no worse than the base rate's Brier score."""
    random = np.random.default_rng(1)
    z = random.normal(size=(500, 200)).astype(np.float32)
    labels = (z[:, :1] * 0.5 + random.normal(size=(500, 3)) > 0.8).astype(np.float32)
    test = np.arange(500)[:, None] % 2 == 0
    (probes,) = fit(lambda: iter([z]), labels, test, method)
    for probe, y in zip(probes, labels.T):
        base = brier_score_loss(y[test[:, 0]], np.full(test.sum(), y[~test[:, 0]].mean()))
        assert probe.metrics["brier"] < base + 0.02 and probe.metrics["calibration_error"] < 0.12
