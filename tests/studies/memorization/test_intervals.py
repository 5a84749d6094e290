"""Intervals of `memorization.sql` hold what they say, over lakes drawn from a known truth."""

import numpy as np
import pyarrow as pa
import pytest

from tests.helpers.memorized import drawn
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
