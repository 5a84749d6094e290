"""Neighbours by BLAS in une_ray's own sessions, against the stock macro and NumPy."""

import duckdb
import numpy as np
import pytest

from tests.helpers import stock
from tests.helpers.lakes import items, write
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.products import MANY
from une_ray.lake.session import connect

COUNT, DIM = 60, 24
ASKED = ["i7", "i0", "i31", "i59"]
BY_BLAS = [f"i{n}" for n in (50, 7, 0, *range(30, 30 + MANY))]
Z = np.random.default_rng(0).standard_normal((COUNT, DIM)).astype(np.float16)
Z[10:14] = Z[7]  # the same picture five times
Z[20:23] = -3 * Z[0]


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    lake = create(Lake(str(tmp_path_factory.mktemp("lake"))), f"test:{COUNT}", iter(items(COUNT)), 16)
    return fill(lake, Z)


def fill(lake: Lake, z: np.ndarray) -> Lake:
    for shard in range(lake.shards):
        plan = [row | {"status": "ok"} for row in lake.plan(shard).to_pylist()]
        write(lake, f"images/{shard_file(shard)}", plan, schema.IMAGES)
        rows = [
            {"image_id": row["image_id"], "status": "ok", "z": z[int(row["image_id"][1:])]} for row in plan
        ]
        write(lake, f"{space_folder('enc')}/{shard_file(shard)}", rows, schema.SPACE)
    return lake


def asked(connection: duckdb.DuckDBPyConnection, of_image, k: int) -> tuple[list[tuple], np.ndarray]:
    """(image, caption, of whom) in their order, and the cosines."""
    rows = connection.execute("FROM nearest('enc', ?, ?)", [of_image, k]).fetchall()
    return [(image, caption, of) for image, _, caption, of in rows], np.array([row[1] for row in rows])


@pytest.mark.parametrize("of_image", ["i7", ASKED, BY_BLAS, [f"i{n}" for n in range(COUNT)]])
@pytest.mark.parametrize("k", [1, 5, COUNT])
def test_neighbours_are_those_of_the_stock_macro_equal_ones_in_its_order(lake, of_image, k):
    ours, theirs = (asked(connection, of_image, k) for connection in (connect(lake), stock.module(lake)))
    assert ours[0] == theirs[0] and len(ours[0]) == min(k, COUNT - 1) * np.size(of_image)
    assert np.allclose(ours[1], theirs[1], rtol=0, atol=1e-6)


def test_equal_latents_are_all_as_near_and_stand_in_the_order_of_their_ids(lake):
    found, cosines = asked(connect(lake), BY_BLAS, COUNT - 1)
    of = np.array([of for *_, of in found])
    images = np.array([image for image, *_ in found])
    assert [*images[of == "i7"][:4]] == ["i10", "i11", "i12", "i13"] and (cosines[of == "i7"][:4] == 1).all()
    assert [*images[of == "i0"][-3:]] == ["i20", "i21", "i22"]
    a, b = Z[0].astype(float), Z[20].astype(float)  # −3 times it, as far as float16 can say
    exact = a @ b / np.sqrt(a @ a * (b @ b))
    assert cosines[of == "i0"][-3:] == pytest.approx(np.full(3, exact), abs=1e-12) and exact < -1 + 1e-6


@pytest.mark.parametrize("mean", [0, 30, 200])
def test_neighbours_far_from_the_origin_are_those_of_float64_however_many_are_asked_for(tmp_path, mean):
    z = (np.random.default_rng(1).standard_normal((COUNT, DIM)) + mean).astype(np.float16)
    lake = fill(create(Lake(str(tmp_path)), f"test:{COUNT}", iter(items(COUNT)), 16), z)
    unit = z.astype(float) / np.linalg.norm(z.astype(float), axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    for connection in (connect(lake), stock.module(lake)):
        for of_image in (*ASKED, BY_BLAS):
            found, _ = asked(connection, of_image, 5)
            for name in np.atleast_1d(of_image):
                of_one = cosines[int(name[1:])].round(12)
                expected = sorted((f"i{n}" for n in range(COUNT)), key=lambda i: (-of_one[int(i[1:])], i))
                assert [row[0] for row in found if row[-1] == name] == expected[:5]


def test_a_latent_without_length_is_nobodys_nearest(tmp_path):
    z = Z.copy()
    z[5] = 0
    lake = fill(create(Lake(str(tmp_path)), f"test:{COUNT}", iter(items(COUNT)), 16), z)
    for connection in (connect(lake), stock.module(lake)):
        for of_image in ("i7", BY_BLAS):
            found, _ = asked(connection, of_image, COUNT - 1)
            of_one = [row[0] for row in found if row[-1] == "i7"]
            assert of_one[:4] == ["i10", "i11", "i12", "i13"] and of_one[-1] == "i5"


def test_columns_have_the_types_of_the_stock_macro(lake):
    ours, theirs = (
        connection.sql("FROM nearest('enc', 'i7', 3)").types
        for connection in (connect(lake), stock.module(lake))
    )
    assert ours == theirs


def test_latents_of_no_length_or_not_finite_are_what_the_stock_macro_makes_of_them(tmp_path):
    z = Z.copy()
    z[5], z[6, 3], z[8, 0] = 0, np.inf, np.nan
    lake = fill(create(Lake(str(tmp_path)), f"test:{COUNT}", iter(items(COUNT)), 16), z)
    for of_image in ("i7", "i5", ["i5", "i7", *BY_BLAS[3:]]):
        ours, theirs = (asked(connection, of_image, 59) for connection in (connect(lake), stock.module(lake)))
        assert ours[0] == theirs[0]
        assert np.allclose(ours[1], theirs[1], rtol=0, atol=1e-6, equal_nan=True)


def test_rows_that_ask_one_by_one_have_the_neighbours_of_the_list(lake):
    joined = "SELECT a.of, n.image_id FROM (SELECT unnest(?) AS of) a, nearest('enc', a.of, 2) n ORDER BY ALL"
    together = "SELECT neighbour_of, image_id FROM nearest('enc', ?, 2) ORDER BY ALL"
    connection = connect(lake)
    assert connection.execute(joined, [ASKED]).fetchall() == connection.execute(together, [ASKED]).fetchall()


@pytest.mark.parametrize("of_image", ["i7", ASKED, BY_BLAS])
@pytest.mark.parametrize("k", [0, -2, None])
def test_fewer_than_one_neighbour_is_refused(lake, of_image, k):
    for connection in (connect(lake), stock.module(lake)):
        with pytest.raises(duckdb.Error, match=f"k is {'NULL' if k is None else k}; ask for 1 or more"):
            connection.execute("SELECT cosine FROM nearest('enc', ?, ?)", [of_image, k]).fetchall()


def test_latents_are_read_by_the_columns_that_are_needed_alone(lake):
    """Whose neighbours are sought is looked up by id, and pictures by those that were found."""
    plan = connect(lake).execute("EXPLAIN FROM nearest('enc', 'i7', 3)").fetchall()[0][1]
    assert "round_trip_psnr" not in plan and "attributes" not in plan and "sha256" not in plan
