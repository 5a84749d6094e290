"""Products by BLAS in une_ray's own sessions, against NumPy and the views of the stock shell."""

from concurrent.futures import ThreadPoolExecutor

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from tests.helpers import stock
from tests.helpers.probed import Y, Z, fill
from une_ray.lake.products import DIMS, Matrices
from une_ray.lake.session import connect

SPACES = {"enc": 12, "gen/ddim50": 130}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("lake"), Z, Y)


def asked(connection: duckdb.DuckDBPyConnection, probes: pa.Table, query: str) -> pa.Table:
    connection.register("asked", probes)
    return connection.sql(query).to_arrow_table()


def probes(seed: int = 0, dims: dict[str, int] = SPACES, **columns) -> pa.Table:
    """Two methods of every attribute in every space, one of them refused, in no order."""
    random = np.random.default_rng(seed)
    rows = [
        {
            "space": space,
            "method": method,
            "attribute": name,
            "status": "ok",
            "w": random.standard_normal(dim).tolist(),
        }
        | {"b": random.standard_normal(), "slope": 2.0, "offset": 0.5}
        for method in ("ridge", "lda")
        for name in Y
        for space, dim in dims.items()
    ]
    rows[3] |= {"status": "refused", "w": None, "b": None}
    return pa.Table.from_pylist([row | columns for row in rows]).take(random.permutation(len(rows)))


EVERYTHING = "SELECT * FROM scores_of('asked') ORDER BY space, method, attribute, image_id"


def test_scores_have_the_rows_of_the_stock_views_and_their_numbers(lake):
    ours, theirs = (
        asked(connection, probes(), EVERYTHING) for connection in (connect(lake), stock.module(lake))
    )
    assert ours.schema == theirs.schema and len(ours) == (2 * len(Y) * len(SPACES) - 1) * 149
    exact = [name for name in ours.column_names if name not in ("score", "probability")]
    assert ours.select(exact) == theirs.select(exact)
    for name in ("score", "probability"):
        assert np.allclose(ours[name], theirs[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "where",
    [
        "attribute = 'Male'",
        "image_id = 'i004'",
        "split = 'test'",
        "method = 'lda' AND space = 'enc'",
        "false",
    ],
)
def test_a_filter_leaves_the_same_rows(lake, where):
    query = EVERYTHING.replace("ORDER", f"WHERE {where} ORDER")
    ours, theirs = (asked(connection, probes(), query) for connection in (connect(lake), stock.module(lake)))
    assert ours.drop_columns(["score", "probability"]) == theirs.drop_columns(["score", "probability"])
    assert np.allclose(ours["score"], theirs["score"], rtol=1e-12, atol=1e-12)


def test_probes_that_share_their_names_keep_their_own_scores(lake):
    both = pa.concat_tables([probes(0, {"enc": 12}), probes(1, {"enc": 12})])
    ours, theirs = (
        asked(connection, both, EVERYTHING + ", score").column("score").to_numpy()
        for connection in (connect(lake), stock.module(lake))
    )
    assert len(ours) == 2 * (2 * len(Y) - 1) * 149 and np.allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_scores_can_be_read_as_a_stream_and_from_sessions_at_once(lake):
    connection = connect(lake)
    whole = asked(connection, probes(), EVERYTHING)
    assert connection.sql(EVERYTHING).to_arrow_reader(100).read_all() == whole
    with ThreadPoolExecutor(4) as pool:
        assert all(
            found == whole
            for found in pool.map(lambda _: asked(connect(lake), probes(), EVERYTHING), range(8))
        )


@pytest.mark.parametrize(
    "dims, message",
    [({"enc": 13}, r"latents of 12 numbers have no product with probes of 13"), ({"enc": 0}, r"probes of 0")],
)
def test_probes_of_another_length_are_refused(lake, dims, message):
    with pytest.raises(duckdb.Error, match=message):
        asked(connect(lake), probes(dims=dims), EVERYTHING)


def test_probes_of_unequal_lengths_are_refused(lake):
    uneven = pa.concat_tables([probes(dims={"enc": 12}), probes(dims={"enc": 13})])
    with pytest.raises(duckdb.Error, match=r"probes of one space have one length, and these have \[12, 13\]"):
        asked(connect(lake), uneven, EVERYTHING)


def test_products_take_several_matrices_at_once():
    random = np.random.default_rng(0)
    matrices, kept = [random.standard_normal((k, d)) for k, d in ((2, 3), (4, 5))], Matrices()
    names = kept.keep(pa.chunked_array([[matrix.tolist() for matrix in matrices]])).to_pylist()
    which = [0, 1, 1, 0, 1]
    z = [random.standard_normal(matrices[n].shape[1]) for n in which]
    found = kept.products(
        pa.chunked_array([list(map(list, z))]), pa.chunked_array([[names[n] for n in which]])
    ).to_pylist()
    for n, row, products in zip(which, z, found):
        assert np.allclose(products, matrices[n] @ row, rtol=1e-14)


def test_a_latent_that_is_not_finite_spoils_its_own_scores_alone():
    kept, z = Matrices(), np.ones((3, 4))
    z[1, 2] = np.nan
    [name] = kept.keep(pa.chunked_array([[np.eye(4)[:2].tolist()]])).to_pylist()
    found = np.array(
        kept.products(pa.chunked_array([z.tolist()]), pa.chunked_array([[name] * 3])).to_pylist()
    )
    assert (found[[0, 2]] == 1).all() and np.isnan(found[1]).any()


def test_a_matrix_that_comes_again_is_kept_once():
    kept = Matrices()
    first, again, other = (kept.keep(pa.chunked_array([[[[1.0, x]]]])).to_pylist() for x in (2.0, 2.0, 3.0))
    assert first == again != other and len(kept.named) == 2


def test_no_more_matrices_are_kept_than_were_used_last():
    matrices = Matrices(limit=2 * np.ones((1, 2)).nbytes)
    one, two, three = (
        matrices.keep(pa.chunked_array([[[[1.0, x]]]])).to_pylist()[0] for x in (2.0, 3.0, 4.0)
    )
    assert list(matrices.named) == [two, three]
    matrices.keep(pa.chunked_array([[[[1.0, 3.0]]]]))
    matrices.keep(pa.chunked_array([[[[1.0, 2.0]]]]))
    assert list(matrices.named) == [two, one] and matrices.total == matrices.limit
    with pytest.raises(ValueError, match="more than 32 bytes of matrices; ask one after the other"):
        matrices.products(pa.chunked_array([[[1.0, 1.0]]]), pa.chunked_array([[three]]))


def test_a_probe_without_w_has_no_score_and_costs_the_others_nothing(lake):
    w = [None if n % 3 == 0 else row.as_py() for n, row in enumerate(probes()["w"])]
    some = probes().set_column(probes().column_names.index("w"), "w", pa.array(w, pa.list_(pa.float64())))
    none = some.set_column(some.column_names.index("w"), "w", pa.nulls(len(some), pa.list_(pa.float64())))
    for table in (some, none):
        ours, theirs = (
            asked(connection, table, EVERYTHING) for connection in (connect(lake), stock.module(lake))
        )
        assert ours.drop_columns(["score", "probability"]) == theirs.drop_columns(["score", "probability"])
        assert (ours["score"].is_null().to_numpy() == theirs["score"].is_null().to_numpy()).all() and ours[
            "score"
        ].null_count
        assert np.allclose(ours["score"].drop_null(), theirs["score"].drop_null(), rtol=1e-12, atol=1e-12)


def test_columns_of_ones_own_do_not_get_in_the_way(lake):
    table, plain = probes(), asked(stock.module(lake), probes(), EVERYTHING)
    for name in ("place", "split", "image_id", "attributes", "z", "matrix", "products"):
        table = table.append_column(name, pa.array([1] * len(table)))
    for connection in (connect(lake), stock.module(lake)):
        found = asked(connection, table, EVERYTHING)
        assert found.column_names == plain.column_names and np.allclose(
            found["score"], plain["score"], rtol=1e-12, atol=1e-12
        )


def test_null_in_a_list_is_refused():
    kept = Matrices()
    [name] = kept.keep(pa.chunked_array([[[[1.0, 2.0]]]])).to_pylist()
    with pytest.raises(ValueError, match="latents hold NULL"):
        kept.products(pa.chunked_array([[[1.0, None]]]), pa.chunked_array([[name]]))
    with pytest.raises(ValueError, match="probes hold NULL"):
        kept.keep(pa.chunked_array([[[[1.0, None]]]]))


def test_products_longer_than_one_piece_are_whole():
    random, kept = np.random.default_rng(0), Matrices()
    matrix, z = random.standard_normal((3, 2 * DIMS + 5)), random.standard_normal((4, 2 * DIMS + 5))
    [name] = kept.keep(pa.chunked_array([[matrix.tolist()]])).to_pylist()
    found = kept.products(pa.chunked_array([z.tolist()]), pa.chunked_array([[name] * 4])).to_pylist()
    assert np.allclose(found, z @ matrix.T, rtol=1e-12, atol=1e-10)
