"""Intervals of `memorization.sql` hold what they say, over lakes drawn from a known truth."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from tests.helpers.memorized import drawn, made
from tests.helpers.queried import planted
from une_ray.geometry.intervals import clopper_pearson
from une_ray.studies.memorization.columns import TABLE


def figures(rows: pa.Table, query: str) -> np.ndarray:
    """(lakes, columns) of a query over the views."""
    return np.array(planted("memorization.sql", TABLE, rows).execute(query).fetchall(), float)


def changes(plain: np.ndarray, changed: np.ndarray, kind: str = "held-out") -> np.ndarray:
    """(lakes, 4): the change of copies, its interval and "± copies", of (lakes, prompts, seeds) copies."""
    rows = pa.concat_tables([drawn("none", kind, plain), drawn("method", kind, changed)])
    query = """SELECT copies, copies_from, copies_to, "± copies" FROM method_changes
        WHERE "group" IN ('ordinary', 'memorised')"""
    return figures(rows, query)


@pytest.mark.parametrize("prompts", [4, 8, 16])
def test_a_change_of_prompts_that_all_agree_is_as_sure_as_they_are_many(prompts):
    """All copies go: of such a share the exact bound is Clopper and Pearson's, on either side; none goes or
    comes: as much may have gone, or come, as of as many draws without a hit."""
    every, none = np.ones((1, prompts, 4), bool), np.zeros((1, prompts, 4), bool)
    low, high = clopper_pearson(prompts, prompts)
    assert high == 1
    ((change, change_from, change_to, margin),) = changes(every, none)
    assert (change, change_from) == (-1, -1)
    assert change_to == pytest.approx(-1 + np.hypot(1 - low, 1 - low), abs=2e-3) == -1 + margin
    ((change, change_from, change_to, margin),) = changes(none, none)
    assert (change, change_to, -change_from) == pytest.approx((0, 1 - low, 1 - low), abs=2e-3)


@pytest.mark.parametrize(("before", "after"), [(1.0, 0.05), (0.95, 0.9), ("any", "half"), ("any", "same")])
def test_changes_of_copies_hold_the_truth_over_few_prompts(before, after):
    """A t interval of the same differences holds 80 % of the first."""
    random = np.random.default_rng(0)
    title = random.random((200, 8, 1))
    before = title if before == "any" else before
    after = {"half": title / 2, "same": title}.get(after, after)
    plain, changed = (random.random((200, 8, 4)) < share for share in (before, after))
    truth = np.mean(after) - np.mean(before) if np.ndim(after) == 0 else -0.25 * (after is not title)
    _, low, high, _ = changes(plain, changed).T
    assert ((low <= truth) & (truth <= high)).mean() >= 0.95 and (high - low).min() > 0.2


def of_detectors(apart: float, alike: float = 0.7) -> tuple[np.ndarray, float, float]:
    """(lakes, 6) AUC and TPR with their intervals, the true AUC and the true TPR, of a detector whose scores
    are normal, `apart` standard deviations between eight titles and forty captions, of four seeds each."""
    random = np.random.default_rng(0)
    titles, captions = (
        at
        + np.sqrt(alike) * random.standard_normal((60, prompts, 1))
        + np.sqrt(1 - alike) * random.standard_normal((60, prompts, 4))
        for at, prompts in ((apart, 8), (0, 40))
    )
    rows = pa.concat_tables(
        [
            drawn("none", "duplicated", np.ones(titles.shape, bool), scores=titles),
            drawn("none", "held-out", np.zeros(captions.shape, bool), scores=captions, title="caption"),
        ]
    )
    query = "SELECT auc, auc_from, auc_to, tpr_at_1_percent_fpr, tpr_from, tpr_to FROM detectors"
    return figures(rows, query), stats.norm.cdf(apart / 2**0.5), stats.norm.sf(stats.norm.isf(0.01) - apart)


@pytest.mark.parametrize("apart", [0.0, 2.0, 3.0, 4.0])
def test_detectors_intervals_hold_the_truth_and_have_a_width(apart):
    """A bootstrap over prompts holds an AUC of .998 in 46 % and has no width in 40 %."""
    found, auc, tpr = of_detectors(apart)
    for truth, (_, low, high) in ((auc, found[:, :3].T), (tpr, found[:, 3:].T)):
        assert ((low <= truth) & (truth <= high)).mean() >= 0.93 and (high - low).min() > 0.05


def test_of_a_detector_that_separates_all_titles_only_their_number_is_known():
    found, *_ = of_detectors(20.0)
    low, high = clopper_pearson(8, 8)
    assert found == pytest.approx(np.tile([1, low, high], (60, 2)), abs=1e-3)


def test_a_method_that_does_nothing_changes_nothing():
    """Titles copy with a chance of their own, and a placebo as often: chosen and compared on the same
    pictures it seems to take a sixth of the copies, and a t interval leaves out 0 in a quarter of lakes."""
    random = np.random.default_rng(0)
    chances = random.random((200, 24, 1))
    plain, placebo = (random.random((200, 24, 4)) < chances for _ in range(2))
    change, low, high, _ = changes(plain, placebo, "duplicated").T
    assert abs(change.mean()) < 3 * change.std() / np.sqrt(len(change))
    assert ((low > 0) | (high < 0)).mean() <= 0.07


def chosen_apart(plain_seeds: list[int], method_seeds: list[int]) -> list[tuple]:
    """(method, change or share of copies, chosen_apart) of a title whose even seeds copy and whose odd ones
    don't, under a method that changes nothing: changes are of pictures of one seed."""
    rows = [
        made("memorised", 0, "none", seed) | {"method": method, "is_copy": seed % 2 == 0}
        for method, seeds in (("none", plain_seeds), ("placebo", method_seeds))
        for seed in seeds
    ]
    query = """SELECT method, copies, chosen_apart FROM methods
        UNION ALL SELECT 'change', copies, chosen_apart FROM method_changes"""
    return planted("memorization.sql", TABLE, rows).execute(query).fetchall()


@pytest.mark.parametrize(
    ("plain", "method", "told"),
    [
        ([0, 1], [0, 1], [("none", 0.0, True), ("placebo", 0.0, True), ("change", 0.0, True)]),
        ([0], [0], [("none", 1.0, False), ("placebo", 1.0, False), ("change", 0.0, False)]),
        ([0, 1], [0], [("none", 0.0, True), ("placebo", 1.0, False), ("change", 0.0, False)]),
        ([0], [0, 1], [("none", 1.0, False), ("placebo", 0.0, True)]),
    ],
)
def test_titles_are_told_of_that_their_own_pictures_chose(plain, method, told):
    assert sorted(chosen_apart(plain, method)) == sorted(told)
