"""auc_margin of attributes that some splits refuse. Oracles: Nadeau and Bengio's interval where none is
refused, and coverage in corpora of their law."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.helpers.probed import fill
from tests.helpers.stock import answered
from une_ray.geometry.intervals import split_margin
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect

CORPORA, ATTRIBUTES, SPLITS = 1500, 10, 5
TEST, TRAIN = 20, 80
QUERY = "SELECT auc, auc_margin, attributes FROM probe_settings ORDER BY space"


def settings(folder: Path, aucs: np.ndarray, ask=None) -> list[dict]:
    """Rows of probe_settings, one for each corpus of AUCs (corpora, attributes, splits); NaN is refused."""
    lake = fill(folder / "lake", {}, {})
    rows = [
        {"space": f"{corpus:04}", "attribute": f"{attribute}", "method": "ridge", "engine": "fast"}
        | {"split_seed": split, "test": TEST, "train": TRAIN}
        | ({"status": "refused"} if np.isnan(auc) else {"status": "ok", "auc": auc})
        for (corpus, attribute, split), auc in np.ndenumerate(aucs)
    ]
    results.commit(lake, "probes", {}, rows)
    return answered(lake, QUERY) if ask else connect(lake).sql(QUERY).to_arrow_table().to_pylist()


def drawn(alike: float, spread: np.ndarray) -> np.ndarray:
    """(CORPORA, ATTRIBUTES, SPLITS) of mean 0: a fifth of the variance is common to an attribute's splits,
    as Nadeau and Bengio have it; `alike` is the correlation of attributes."""
    rng = np.random.default_rng(0)

    def noise(*shape: int) -> np.ndarray:
        own, common = rng.standard_normal(shape), rng.standard_normal((CORPORA, 1, *shape[2:]))
        return np.sqrt(1 - alike) * own + np.sqrt(alike) * common

    fifth, rest = noise(CORPORA, ATTRIBUTES, 1), noise(CORPORA, ATTRIBUTES, SPLITS)
    return spread[:, None] * (np.sqrt(0.2) * fifth + np.sqrt(0.8) * rest)


EVEN, RARE = np.full(ATTRIBUTES, 0.05), np.repeat([0.01, 0.1], [2, 8])


@pytest.mark.parametrize("alike", [0, 0.8])
@pytest.mark.parametrize(("spread", "refused"), [(EVEN, 0), (EVEN, 0.3), (RARE, 0.6)])
def test_a_margin_holds_the_mean_as_often_as_it_says_whatever_splits_refuse(tmp_path, spread, refused, alike):
    """Attributes of several levels, of which the first two are never refused."""
    levels, rng = np.linspace(0.5, 0.9, ATTRIBUTES), np.random.default_rng(1)
    is_refused = rng.random((CORPORA, ATTRIBUTES, SPLITS)) < refused
    is_refused[:, :2] = False
    is_refused[..., 0] = False  # so that every corpus has all attributes, and their mean is known
    aucs = np.where(is_refused, np.nan, levels[:, None] + drawn(alike, spread))
    found = settings(tmp_path, aucs)
    covered = np.mean([abs(row["auc"] - levels.mean()) <= row["auc_margin"] for row in found])
    assert {row["attributes"] for row in found} == {ATTRIBUTES}
    assert 0.93 < covered < 0.985
    if not refused:
        assert covered == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("splits", [2, 3, 4, 5])
def test_of_attributes_that_all_splits_know_it_is_nadeau_and_bengios(tmp_path, splits):
    aucs = np.random.default_rng(0).random((3, 4, splits))
    for row, of_corpus in zip(settings(tmp_path, aucs), aucs):
        due = split_margin(of_corpus.mean(0).std(ddof=1), splits, TEST / TRAIN)
        assert row["auc_margin"] == pytest.approx(due, rel=1e-4)


def test_an_attributes_own_margin_is_nadeau_and_bengios_of_the_splits_that_know_it(tmp_path):
    aucs = np.random.default_rng(0).random((2, 3, 4))
    aucs[0, 0, 1:] = np.nan
    aucs[1, 2, 3] = np.nan
    settings(tmp_path, aucs)
    found = connect(Lake(str(tmp_path / "lake"))).sql("FROM probe_attributes").to_arrow_table().to_pylist()
    assert len(found) == 6
    for row, (_, of_attribute) in zip(found, np.ndenumerate(np.arange(6).reshape(2, 3))):
        known = aucs.reshape(6, 4)[of_attribute]
        known = known[~np.isnan(known)]
        assert row["auc"] == pytest.approx(known.mean()) and row["measured_splits"] == len(known)
        if len(known) == 1:
            assert row["auc_margin"] is None
            continue
        t = stats.t.ppf(0.975, len(known) - 1)
        due = t * known.std(ddof=1) * np.sqrt(1 / len(known) + TEST / TRAIN)
        assert row["auc_margin"] == pytest.approx(due, rel=1e-4)


def test_there_is_none_where_nothing_is_known_twice_and_the_stock_shell_says_the_same(tmp_path):
    aucs = np.random.default_rng(0).random((3, 4, 3))
    aucs[0, 1:, 1:] = np.nan
    aucs[1, :, 1:] = np.nan
    aucs[2, 0] = np.nan
    ours, theirs = settings(tmp_path / "ours", aucs), settings(tmp_path / "shell", aucs, ask="stock")
    assert [row["auc_margin"] is None for row in ours] == [False, True, False]
    assert [row["attributes"] for row in ours] == [4, 4, 3]
    for row, other in zip(ours, theirs):
        assert other == pytest.approx(row)
