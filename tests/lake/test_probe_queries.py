"""Probes fitted, evaluated and read in SQL, in DuckDB's module and in the stock shell, against NumPy,
scikit-learn and SciPy."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestCentroid

from tests.helpers.probed import EASY, ROWS, TEST, TRAIN, Y, Z, ask, evaluated, fill, same
from tests.helpers.stock import answered
from une_ray.corpora import Item
from une_ray.lake import results
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect

RNG = np.random.default_rng(1)
METRICS = (
    "accuracy",
    "balanced_accuracy",
    "auc",
    "average_precision",
    "brier",
    "calibration_error",
    "majority",
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return fill(tmp_path_factory.mktemp("lake") / "with 'quote", Z, Y)


@pytest.fixture(scope="module")
def probed(tmp_path_factory) -> Lake:
    """A lake that stores its probes, among others that the macros must leave alone."""
    lake = fill(tmp_path_factory.mktemp("probed"), Z, Y)
    rows = evaluated(lake)
    nonsense = [row | {"w": [9.0] * len(row["w"]), "auc": 0.0} for row in rows]
    results.commit(lake, "probes", {"rows": "ours"}, rows)
    refused = [row | {"engine": "fast", "status": "refused", "w": None, "auc": None} for row in rows]
    results.commit(lake, "probes", {"rows": "refused by an engine earlier in the alphabet"}, refused)
    results.commit(lake, "probes", {"rows": "another split"}, [row | {"split_seed": 1} for row in nonsense])
    results.commit(
        lake,
        "probes",
        {"rows": "an engine later in the alphabet"},
        [row | {"engine": "zeta"} for row in nonsense],
    )
    return lake


def fitted(lake: Lake, **variables) -> dict[tuple[str, str, str], dict]:
    return keyed(ask(lake, "FROM fitted", "fit_probes.sql", **variables))


def keyed(rows: list[dict]) -> dict[tuple[str, str, str], dict]:
    return {(row["space"], row["attribute"], row["method"]): row for row in rows}


def centred(space: str, penalty: float) -> tuple[np.ndarray, float]:
    """Centred train rows and the λ that `penalty` stands for."""
    z = Z[space][TRAIN].astype(float)
    z -= z.mean(0)
    return z, penalty * (z**2).sum() / z.shape[1]


# Fitting


@pytest.mark.parametrize("space", Z)
@pytest.mark.parametrize("penalty", [0.01, 0.1, 3.0])
def test_ridge_probes_are_numpys_and_scikit_learns(lake, space, penalty):
    found = fitted(lake, penalty=penalty)
    z, ridge = centred(space, penalty)
    for name in EASY:
        y = np.where(Y[name][TRAIN], 1.0, -1.0)
        probe, theirs = (
            found[space, name, "ridge"],
            Ridge(ridge, solver="cholesky").fit(Z[space][TRAIN].astype(float), y),
        )
        w = np.linalg.solve(z.T @ z + ridge * np.eye(z.shape[1]), z.T @ y)
        assert np.allclose(probe["w"], w, rtol=0, atol=1e-9 * np.abs(w).max())
        assert np.allclose(probe["w"], theirs.coef_, rtol=0, atol=1e-9 * np.abs(w).max()) and probe[
            "b"
        ] == pytest.approx(theirs.intercept_)
        assert probe["penalty"] == penalty and (probe["train"], probe["train_positive"]) == (
            len(TRAIN),
            Y[name][TRAIN].sum(),
        )


def test_without_penalty_ridge_is_least_squares(lake):
    z = np.column_stack([Z["enc"][TRAIN].astype(float), np.ones(len(TRAIN))])
    found = fitted(lake, penalty=0)
    for name in EASY:
        *w, b = np.linalg.lstsq(z, np.where(Y[name][TRAIN], 1.0, -1.0))[0]
        assert np.allclose(found["enc", name, "ridge"]["w"], w, rtol=1e-6) and found["enc", name, "ridge"][
            "b"
        ] == pytest.approx(b, rel=1e-6)


def test_without_penalty_lda_is_scikit_learns(lake):
    found = fitted(lake, penalty=0)
    for name in EASY:
        theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(Z["enc"][TRAIN].astype(float), Y[name][TRAIN])
        probe = found["enc", name, "lda"]
        assert np.allclose(probe["w"], theirs.coef_[0], rtol=1e-6) and probe["b"] == pytest.approx(
            theirs.intercept_[0], rel=1e-6
        )


@pytest.mark.parametrize("space", Z)
def test_lda_divides_by_the_penalised_scatter_within_the_classes(lake, space):
    found, (_, ridge) = fitted(lake), centred(space, 0.1)
    for name in EASY:
        on, off = (Z[space][TRAIN][Y[name][TRAIN] == side].astype(float) for side in (True, False))
        within = sum((side - side.mean(0)).T @ (side - side.mean(0)) for side in (on, off))
        w = np.linalg.solve((within + ridge * np.eye(len(within))) / len(TRAIN), on.mean(0) - off.mean(0))
        b = np.log(len(on) / len(off)) - w @ (on.mean(0) + off.mean(0)) / 2
        probe = found[space, name, "lda"]
        assert np.allclose(probe["w"], w, rtol=0, atol=1e-8 * np.abs(w).max()) and probe[
            "b"
        ] == pytest.approx(b)


def test_mean_difference_decides_as_the_nearest_centroid(lake):
    found = fitted(lake)
    for (space, name, method), probe in found.items():
        if method == "mean-difference":
            z = Z[space].astype(float)
            theirs = NearestCentroid().fit(z[TRAIN], Y[name][TRAIN])
            assert (
                np.allclose(probe["w"], theirs.centroids_[1] - theirs.centroids_[0])
                and probe["penalty"] is None
            )
            assert ((z[TEST] @ probe["w"] + probe["b"] > 0) == theirs.predict(z[TEST])).all()


def test_probabilities_are_those_of_two_normal_classes_of_scores_that_were_not_fitted_on(lake):
    """Mean differences are fitted without each row in turn; others' leverages are estimated, and shrink the
    slope that train scores give."""
    for (space, name, method), probe in fitted(lake).items():
        z, y = Z[space][TRAIN].astype(float), Y[name][TRAIN]
        scores = z @ probe["w"] + probe["b"]
        of_train = log_odds(scores, y)
        if method != "mean-difference":
            assert 0 <= probe["slope"] < of_train[0]
            continue
        for row in range(len(z)):
            left = np.arange(len(z)) != row
            on, off = z[left & y].mean(0), z[left & ~y].mean(0)
            scores[row] = (z[row] - (on + off) / 2) @ (on - off)
        expected = log_odds(scores, y)
        assert (probe["slope"], probe["offset"]) == pytest.approx(
            expected if expected[0] > 0 else (0, np.log(y.sum() / (~y).sum())), rel=1e-6
        )


@pytest.mark.parametrize("penalty", [0.1, 0.01, 0.001])
def test_probabilities_survive_a_coordinate_that_dwarfs_the_others(tmp_path, penalty):
    """What rows weigh in their own fit follows their length in one direction alone; by the hat matrix."""
    random = np.random.default_rng(3)
    z = random.normal(size=Z["enc"].shape)
    z[:, 0] *= 30
    z = z.astype(np.float16)
    lake = fill(tmp_path / "lake", {"enc": z}, Y | {"Big": z[:, 0] > 0, "Small": z[:, 1] > 0})
    found, train = fitted(lake, penalty=penalty), z[TRAIN].astype(float)
    centred = train - train.mean(0)
    ridge = penalty * np.square(centred).sum() / z.shape[1]
    hat = centred @ np.linalg.solve(centred.T @ centred + ridge * np.eye(z.shape[1]), centred.T) + 1 / len(
        train
    )
    for name, labels in (("Big", z[:, 0] > 0), ("Small", z[:, 1] > 0)):
        y = np.where(labels[TRAIN], 1.0, -1.0)
        left_out = y - (y - hat @ y) / (1 - np.diag(hat))
        expected = log_odds(left_out, labels[TRAIN])[0]
        assert found["enc", name, "ridge"]["slope"] == pytest.approx(expected, rel=0.35), name


def log_odds(scores: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the log odds of normal classes with the t test's variance."""
    on, off = scores[y], scores[~y]
    gap = on.mean() - off.mean()
    deviation = gap / stats.ttest_ind(on, off).statistic / np.sqrt(1 / len(on) + 1 / len(off))
    slope = gap / deviation**2
    return slope, np.log(len(on) / len(off)) - slope * (on.mean() + off.mean()) / 2


def test_only_the_named_spaces_are_fitted(lake):
    assert {space for space, _, _ in fitted(lake, spaces=["enc"])} == {"enc"}
    assert {space for space, _, _ in fitted(lake)} == set(Z)


# Evaluating


def test_every_figure_on_the_test_split_is_scikit_learns(lake):
    for row in evaluated(lake):
        y = Y[row["attribute"]][TEST]
        score = Z[row["space"]][TEST].astype(float) @ row["w"] + row["b"]
        expected = figures(y, score, 1 / (1 + np.exp(-(row["slope"] * score + row["offset"]))))
        assert [row[key] for key in METRICS] == pytest.approx(expected, abs=1e-9), (
            row["space"],
            row["attribute"],
            row["method"],
        )
        assert (row["test"], row["test_positive"]) == (len(TEST), y.sum())


def test_tied_scores_count_by_mid_ranks(lake):
    connection, y = connect(lake), RNG.random(300) < 0.3
    score = np.round(RNG.standard_normal(300) + y)  # a handful of distinct values
    probability = 1 / (1 + np.exp(0.1 - score))
    rows = {
        "space": ["s"] * 300,
        "method": ["m"] * 300,
        "attribute": ["a"] * 300,
        "score": score,
        "probability": probability,
        "value": y,
    }
    connection.register("handful", pa.table(rows))
    (found,) = connection.sql("FROM metrics_of('handful')").to_arrow_table().to_pylist()
    assert [found[key] for key in METRICS] == pytest.approx(figures(y, score, probability), abs=1e-9)


def figures(y: np.ndarray, score: np.ndarray, probability: np.ndarray) -> list[float]:
    """METRICS by scikit-learn; the calibration error from its curve, weighed by how many fall into every
    bin."""
    truth, said = calibration_curve(y, probability, n_bins=10)
    weight = np.bincount(np.searchsorted(np.linspace(0, 1, 11)[1:-1], probability), minlength=10)
    return [
        metrics.accuracy_score(y, score > 0),
        metrics.balanced_accuracy_score(y, score > 0),
        metrics.roc_auc_score(y, score),
        metrics.average_precision_score(y, score),
        metrics.brier_score_loss(y, probability),
        np.average(np.abs(truth - said), weights=weight[weight > 0]),
        max(y.mean(), 1 - y.mean()),
    ]


def test_figures_that_labels_of_one_side_leave_open_are_null(lake):
    connection = connect(lake)
    connection.execute(
        "CREATE TABLE positive AS SELECT 's' AS space, 'm' AS method, 'a' AS attribute, 1.0 AS score, .7 AS"
        " probability, true AS value"
    )
    (found,) = connection.sql("FROM metrics_of('positive')").to_arrow_table().to_pylist()
    assert [found[key] for key in METRICS] == pytest.approx([1, None, None, 1, 0.09, 0.3, 1])


# Bad input: a row with a reason, or a message


def test_labels_that_cannot_be_fitted_are_rows_with_a_reason(tmp_path):
    few = np.isin(np.arange(ROWS), TRAIN[:3])
    labels = Y | {"Always": np.ones(ROWS, bool), "Never": np.zeros(ROWS, bool), "Rare": few, "Common": ~few}
    labels["Late"] = Y["Male"] & (np.arange(ROWS) % 3 > 0)
    labels["Unsaid"] = [None if n in TRAIN[:2] else bool(y) for n, y in enumerate(Y["Male"])]
    rows = keyed(evaluated(fill(tmp_path / "lake", {"enc": Z["enc"]}, labels)))
    said = {name: rows["enc", name, "ridge"]["error"] for name in labels}
    assert said == dict.fromkeys(EASY) | {
        "Always": "constant in train: all 99 rows are positive",
        "Never": "constant in train: all 99 rows are negative",
        "Rare": "only 3 positives among 99 train rows, fewer than 5",
        "Common": "only 3 negatives among 99 train rows, fewer than 5",
        "Late": "constant in test: all 50 rows are negative",
        "Unsaid": "no label in 2 of 99 train rows; une probe --engine fast fits the others",
    }
    for (_, name, _), row in rows.items():
        numbers = [row[key] for key in ("w", "b", "slope", "offset", *METRICS)]
        assert row["status"] == ("ok" if name in EASY else "refused") and (None in numbers) == (
            name not in EASY
        )
        assert name in EASY or set(numbers) == {None}


def test_test_rows_without_a_label_are_left_out(tmp_path):
    gaps = [None if n in TEST[:10] else bool(y) for n, y in enumerate(Y["Male"])]
    row = keyed(evaluated(fill(tmp_path / "lake", {"enc": Z["enc"]}, {"Male": gaps})))["enc", "Male", "ridge"]
    score = Z["enc"][TEST[10:]].astype(float) @ row["w"] + row["b"]
    assert row["test"] == len(TEST) - 10 and row["auc"] == pytest.approx(
        metrics.roc_auc_score(Y["Male"][TEST[10:]], score)
    )


def test_spaces_that_cannot_be_fitted_are_rows_with_a_reason(tmp_path):
    broken, late, ragged = Z["enc"].copy(), Z["enc"].copy(), list(Z["enc"])
    broken[TRAIN[4], 2], late[TEST[4], 2], ragged[TRAIN[4]] = np.nan, np.inf, Z["enc"][0, :5]
    spaces = {
        "broken": broken,
        "late": late,
        "ragged": ragged,
        "still": np.ones((ROWS, 3), np.float16),
        "sound": Z["enc"],
    }
    rows = keyed(evaluated(fill(tmp_path / "lake", spaces, Y)))
    assert {(space, row["error"]) for (space, _, _), row in rows.items()} == {
        ("broken", "1 train latents are not finite"),
        ("late", "no test row has both a label and a latent, or a test latent is not finite"),
        ("ragged", "latents of several lengths, 5 to 12"),
        ("still", "all train latents are the same"),
        ("sound", None),
    }


def test_fewer_rows_than_dimensions_need_a_penalty(lake):
    found = fitted(lake, penalty=0)
    for method in ("ridge", "lda"):
        row = found["gen/ddim50", "Male", method]
        assert row["status"] == "refused" and row["w"] is None
        assert (
            row["error"]
            == "least squares has no single answer: 99 train rows in 130 dimensions; set a penalty"
        )
    assert found["gen/ddim50", "Male", "mean-difference"]["status"] == "ok"


def test_unknown_spaces_and_negative_penalties_are_refused_by_name(lake):
    with pytest.raises(duckdb.Error, match="no space 'enk' in this lake; it has enc, gen/ddim50"):
        fitted(lake, spaces=["enk"])
    with pytest.raises(duckdb.Error, match="penalty is -1.0; it must be 0 or more"):
        fitted(lake, penalty=-1)


# Macros over stored probes


def test_probe_scores_are_numpys_with_the_image_s_labels(probed):
    stored = keyed(evaluated(probed))
    for method in ("ridge", "lda"):
        rows = ask(probed, f"FROM probe_scores('enc', by_method := '{method}')")
        assert len(rows) == (ROWS - 1) * len(EASY)
        for row in rows:
            probe, n = stored["enc", row["attribute"], method], int(row["image_id"][1:])
            score = Z["enc"][n].astype(float) @ probe["w"] + probe["b"]
            assert row["score"] == pytest.approx(score) and row["value"] == Y[row["attribute"]][n]
            assert row["probability"] == pytest.approx(
                1 / (1 + np.exp(-(probe["slope"] * score + probe["offset"])))
            )
            assert row["split"] == ("train" if n % 3 else "test")


def test_probe_metrics_are_those_that_were_stored(probed):
    stored = keyed(evaluated(probed))
    for row in ask(probed, "FROM probe_metrics('gen/ddim50')"):
        kept = stored["gen/ddim50", row["attribute"], "ridge"]
        assert same(row, {key: kept[key] for key in row})


def test_a_direction_is_the_probe_and_its_unit_vector(probed):
    kept = keyed(evaluated(probed))["enc", "Smiling", "lda"]
    (row,) = ask(probed, "FROM direction('enc', 'Smiling', by_method := 'lda')")
    assert same([row["w"], row["b"]], [kept["w"], kept["b"]]) and row["norm"] == pytest.approx(
        np.linalg.norm(kept["w"])
    )
    assert np.allclose(row["unit"], np.array(kept["w"]) / np.linalg.norm(kept["w"]))


def test_agreement_is_scipys_correlation_over_attributes(tmp_path):
    lake = create(Lake(str(tmp_path / "lake")), "test", iter([Item("i0", "x.png")]), 4)
    auc = {"enc": [0.9, 0.7, 0.7, 0.95, None, 0.6], "gen": [0.8, 0.75, 0.6, 0.75, 0.9, 0.5]}

    def row(space: str, n: int, value: float | None) -> dict:
        made = {"space": space, "attribute": f"a{n}", "method": "ridge", "engine": "sql", "split_seed": 0}
        return made | {"auc": value}

    results.commit(
        lake,
        "probes",
        {},
        [row(space, n, value) for space, values in auc.items() for n, value in enumerate(values)],
    )
    rows = ask(lake, "FROM agreement('enc', 'gen')")
    known = [n for n in range(6) if n != 4]
    a, b = (np.array([values[n] for n in known]) for values in auc.values())
    assert [(r["attribute"], r["auc_a"], r["auc_b"]) for r in rows] == [
        (f"a{n}", *pair) for n, *pair in zip(known, a, b)
    ]
    for r in rows:
        assert [r["pearson"], r["spearman"]] == pytest.approx(
            [stats.pearsonr(a, b)[0], stats.spearmanr(a, b)[0]]
        )


def test_entanglement_is_numpys_of_directions_scores_and_labels(probed):
    stored = keyed(evaluated(probed))
    w = np.array([stored["enc", name, "ridge"]["w"] for name in EASY])
    cosine = w @ w.T / np.outer(np.linalg.norm(w, axis=1), np.linalg.norm(w, axis=1))
    scores, labels = (
        np.corrcoef(w @ Z["enc"][TEST].astype(float).T),
        np.corrcoef([Y[name][TEST] for name in EASY]),
    )
    rows = ask(probed, "FROM entanglement('enc')")
    pairs = [(i, j) for i in range(len(EASY)) for j in range(i + 1, len(EASY))]
    assert [(row["attribute_a"], row["attribute_b"]) for row in rows] == [
        (EASY[i], EASY[j]) for i, j in pairs
    ]
    for row, pair in zip(rows, pairs):
        found = [row["cosine"], row["score_correlation"], row["label_correlation"]]
        assert found == pytest.approx([cosine[pair], scores[pair], labels[pair]])


MACROS = [
    "FROM probe_scores('enc') ORDER BY ALL",
    "FROM probe_metrics('enc', by_method := 'mean-difference')",
    "FROM direction('enc', 'Male')",
    "FROM agreement('enc', 'gen/ddim50')",
    "FROM entanglement('gen/ddim50')",
]


@pytest.mark.parametrize("query", MACROS)
def test_the_stock_shell_answers_as_the_module(probed, query):
    assert same(ask(probed, query), answered(probed, query))


def test_the_stock_shell_fits_and_evaluates_as_the_module(lake):
    assert same(evaluated(lake), answered(lake, "FROM evaluated", "fit_probes.sql", "evaluate_probes.sql"))


def test_stored_probes_are_evaluated_where_none_were_fitted(probed):
    assert same(ask(probed, "FROM evaluated", "evaluate_probes.sql"), evaluated(probed))
