"""Latents × probes and latents × latents by BLAS, in the DuckDB sessions that une_ray opens itself.

DuckDB's list_dot_product and list_cosine_similarity are scalar loops. BY_BLAS replaces two macros of
`queries/noisezoo.sql` by ones that have the same rows and numbers and let NumPy multiply: `products_of`, from
which every score comes, and `nz_cosines`, which `nearest` of many images reads. The stock shell keeps those
of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from threading import Lock

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.func import PythonUDFType

# Numbers of one inner product: BLAS shares longer ones among threads, and DuckDB has one on every core.
DIMS = 8192

Multiply = Callable[[np.ndarray, np.ndarray], pa.ListArray]
"""(n, d) and (k, d) to n lists."""

DIGITS = 12  # of cosines: what is behind them is rounding, which differs between equal latents

# Images whose neighbours are sought: for so many DuckDB's own loop takes what handing latents to NumPy does.
MANY = 12

# A probe without w has NULL products. `nz_fitted` is read twice, so its places must not be counted twice.
BY_BLAS = f"""
CREATE OR REPLACE MACRO products_of(probe_table) AS TABLE
WITH nz_fitted AS MATERIALIZED (
    SELECT space, method, attribute, w, b, slope, "offset",
        row_number() OVER (PARTITION BY space, w IS NULL) AS place
    FROM query_table(probe_table) WHERE status = 'ok'),
nz_matrices AS (
    SELECT space, blas_matrix(list(w ORDER BY place) FILTER (w IS NOT NULL)) AS matrix
    FROM nz_fitted GROUP BY space),
nz_multiplied AS (
    SELECT l.space, image_id, split, attributes, blas_products(z, matrix) AS products
    FROM latents l JOIN nz_matrices m ON same_space(l.space, m.space) JOIN images USING (image_id))
SELECT l.space, method, attribute, image_id, split, attributes[attribute] AS value,
    if(w IS NULL, NULL, products[place]) AS product, b, slope, "offset"
FROM nz_multiplied l JOIN nz_fitted p ON same_space(l.space, p.space);

CREATE OR REPLACE MACRO nz_cosines(in_space, of_image, k) AS TABLE
WITH nz_asked AS MATERIALIZED (
    SELECT nz_q.image_id AS nz_id, nz_q.z AS nz_z, row_number() OVER (ORDER BY nz_q.image_id) AS nz_place
    FROM latents nz_q WHERE nz_q.space = in_space AND nz_is_among(nz_q.image_id, of_image)),
nz_few AS (FROM nz_asked WHERE (SELECT count(*) FROM nz_asked) < {MANY}),
nz_matrix AS (
    SELECT blas_matrix(list(nz_z ORDER BY nz_place)) AS nz_name FROM nz_asked HAVING count(*) >= {MANY}),
nz_nearest AS (
    SELECT nz_l.image_id AS nz_neighbour,
        unnest(blas_nearest(nz_l.z, nz_name, greatest(k + 1, 1)::BIGINT)) AS nz_of  -- `nearest` refuses k < 1
    FROM latents nz_l CROSS JOIN nz_matrix WHERE nz_l.space = in_space)
SELECT nz_l.image_id AS nz_neighbour,
    round(list_cosine_similarity(nz_l.z::DOUBLE[], nz_z::DOUBLE[]), {DIGITS}) AS nz_cosine, nz_id
FROM latents nz_l CROSS JOIN nz_few WHERE nz_l.space = in_space AND nz_l.image_id <> nz_id
UNION ALL
SELECT nz_neighbour, nz_of.cosine, nz_id
FROM nz_nearest JOIN nz_asked ON nz_of.place = nz_place WHERE nz_neighbour <> nz_id;
"""


def add_blas(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the database of this session, its cursors included, the functions that BY_BLAS calls."""
    connection.create_function("blas_matrix", _keep, ["DOUBLE[][]"], "VARCHAR", type=PythonUDFType.ARROW)
    connection.create_function(
        "blas_products", _products_of, ["DOUBLE[]", "VARCHAR"], "DOUBLE[]", type=PythonUDFType.ARROW
    )
    connection.create_function(
        "blas_nearest",
        _nearest_to,
        ["FLOAT[]", "VARCHAR", "BIGINT"],
        "STRUCT(place BIGINT, cosine DOUBLE)[]",
        type=PythonUDFType.ARROW,
    )


class Matrices:
    """Matrices that sessions multiply by, under names for SQL: as arguments they would be copied per row.

    Those that were used last are kept, up to `limit` bytes together: far more than the queries that run at
    once need.
    """

    def __init__(self, limit: int = 1 << 30) -> None:
        self.named: dict[str, np.ndarray] = {}
        self.limit, self.total = limit, 0
        self.lock = Lock()

    def keep(self, matrices: pa.ChunkedArray) -> pa.Array:
        """Names of matrices (k, d), given as lists of rows: hashes of what they hold, so each is kept once.

        Raises ValueError where rows differ in length or hold NULL.
        """
        return pa.array([self._keep(_matrix(rows.values, "probes")) for rows in matrices], pa.string())

    def _keep(self, matrix: np.ndarray) -> str:
        name = blake2b(matrix.tobytes(), digest_size=16).hexdigest()
        with self.lock:
            self._forget(name)
            self.named[name] = matrix  # the last in order
            self.total += matrix.nbytes
            while self.total > self.limit and len(self.named) > 1:
                self._forget(next(iter(self.named)))
        return name

    def _forget(self, name: str) -> None:
        if name in self.named:
            self.total -= self.named.pop(name).nbytes

    def products(self, latents: pa.ChunkedArray, names: pa.ChunkedArray) -> pa.Array:
        """Per latent (d,) its inner products (k,) with the rows of the matrix (k, d) of its name.

        Raises ValueError where lengths differ.
        """
        return self._multiplied(latents, names, lambda z, matrix: _lists(_products(z, matrix)))

    def nearest(self, latents: pa.ChunkedArray, names: pa.ChunkedArray, counts: pa.ChunkedArray) -> pa.Array:
        """Per latent the rows of the matrix of its name that it is among the nearest to, by cosine: of these
        latents so many as `counts` says, and all that are as near as the last. {place from 1 on, cosine}.

        Whoever is among the nearest of all is so among those that come here together.
        """
        count = int(counts.to_numpy().max())
        return self._multiplied(latents, names, lambda z, matrix: _nearest(_cosines(z, matrix), count))

    def _multiplied(self, latents: pa.ChunkedArray, names: pa.ChunkedArray, multiply: Multiply) -> pa.Array:
        found, places = [], []
        encoded = names.combine_chunks().dictionary_encode()
        for number, name in enumerate(encoded.dictionary.to_pylist()):
            places.append(np.flatnonzero(encoded.indices.to_numpy() == number))
            alike = latents if len(places[-1]) == len(latents) else latents.take(pa.array(places[-1]))
            found.append(multiply(_matrix(alike.combine_chunks(), "latents"), self._named(name)))
        return pa.concat_arrays(found).take(pa.array(np.argsort(np.concatenate(places))))

    def _named(self, name: str) -> np.ndarray:
        matrix = self.named.get(name)
        if matrix is None:
            raise ValueError(
                f"queries at once multiply by more than {self.limit:,} bytes of matrices; ask one after the"
                " other"
            )
        return matrix


def _matrix(lists: pa.ListArray, what: str) -> np.ndarray:
    """(n, d) from n lists, of their type."""
    lengths, values = lists.value_lengths().unique().to_pylist(), lists.flatten()
    if len(lengths) > 1:
        raise ValueError(f"{what} of one space have one length, and these have {sorted(lengths)}")
    if values.null_count:
        raise ValueError(f"{what} hold NULL")
    return values.to_numpy(zero_copy_only=False).reshape(len(lists), -1)


def _products(z: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(n, k) of (n, d) and (k, d), in float64; what is not finite makes products that are not, as in
    DuckDB."""
    _refuse_lengths(z, matrix)
    with np.errstate(invalid="ignore", over="ignore"):
        return _inner(z[:, None], matrix)


def _cosines(z: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(n, k) of (n, d) and (k, d) in float64, to DIGITS, so that latents which are equal have equal
    cosines."""
    _refuse_lengths(z, matrix)
    z = z.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        lengths = np.sqrt(_inner(z, z))[:, None] * np.sqrt(_inner(matrix, matrix))
        return np.clip(z @ matrix.T / lengths, -1, 1).round(DIGITS)


def _nearest(cosines: np.ndarray, count: int) -> pa.ListArray:
    """n lists of {place, cosine} of (n, k): in each column the `count` largest and their equals; NaN, of a
    latent without length, is less than any number."""
    keys = np.where(np.isnan(cosines), -np.inf, cosines)
    last = max(len(keys) - count, 0)
    is_near = keys >= np.partition(keys, last, axis=0)[last]
    _, places = np.nonzero(is_near)
    ends = np.concatenate([[0], is_near.sum(1).cumsum()]).astype(np.int32)
    near = pa.StructArray.from_arrays(
        [pa.array(places + 1, pa.int64()), pa.array(cosines[is_near])], ["place", "cosine"]
    )
    return pa.ListArray.from_arrays(pa.array(ends), near)


def _refuse_lengths(z: np.ndarray, matrix: np.ndarray) -> None:
    if z.shape[1] != matrix.shape[1]:
        raise ValueError(f"latents of {z.shape[1]} numbers have no product with probes of {matrix.shape[1]}")


def _inner(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Inner products along the last axis, some DIMS at a time."""
    dims = range(0, b.shape[-1], DIMS)
    return np.add.reduce([np.vecdot(a[..., i : i + DIMS], b[..., i : i + DIMS]) for i in dims])


def _lists(values: np.ndarray) -> pa.ListArray:
    """n lists of (n, k)."""
    flat = pa.array(values.ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1]).cast(pa.list_(flat.type))


# One store and its functions for the whole process: DuckDB frees what a session registered when it is
# closed, though its cursors and relations may live on, so what they call must be held by someone else.
MATRICES = Matrices()
_keep, _products_of, _nearest_to = MATRICES.keep, MATRICES.products, MATRICES.nearest
