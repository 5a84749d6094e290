"""At a prompt a result is a line, however many rows its tables have."""

import pyarrow as pa

from une_ray.lake.tables import COLUMNS_SHOWN
from une_ray.studies.memorization.study import MemorizationResult
from une_ray.studies.probes.study import ProbeResult
from une_ray.studies.shared.study import SharedResult, SharedSettings
from une_ray.studies.transfer.study import TransferResult

WIDE = pa.table({f"c{column}": range(3000) for column in range(COLUMNS_SHOWN + 2)})
ONE = pa.table({"space": ["a/b"], "auc": [0.75]})


def test_of_a_table_its_rows_and_first_columns():
    assert repr(TransferResult(WIDE)) == "TransferResult(table: 3,000 rows (c0, c1, c2, c3, c4, c5, …))"
    found = ProbeResult(ONE, ONE, ONE[:0], ["0123456789abcdef"])
    assert repr(found) == (
        "ProbeResult(table: 1 row (space, auc), attributes: 1 row (space, auc), refused: 0 rows (space, auc))"
    )


def test_words_and_numbers_too_and_of_several_tables_their_names():
    settings = SharedSettings(views=("a", "b"), ridge=None, rank=5, shuffled=False, split_seed=0)
    found = SharedResult("s", 4, 10, 1, 8, 0, ONE, settings, {}, [], {})
    assert repr(found) == (
        "SharedResult(space='s', dim=4, images=10, rejects=1, train=8, not_fitted_on=0,"
        " scores: 1 row (space, auc))"
    )
    several = MemorizationResult(tables={"methods": ONE}, configs=(), calibration=None)
    assert repr(several) == "MemorizationResult(tables['methods']: 1 row (space, auc))"
