"""Latents × probes by BLAS, in the DuckDB sessions that une_ray opens itself.

DuckDB's list_dot_product is a scalar loop. PRODUCTS_OF replaces `products_of` of `queries/noisezoo.sql`,
from which every score comes, by one that has the same rows and numbers and lets NumPy multiply; the stock
shell keeps the one of the file.
"""

from __future__ import annotations

from hashlib import blake2b
from threading import Lock

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import PythonUDFType

# Numbers of one inner product: BLAS shares longer ones among threads, and DuckDB has one on every core.
DIMS = 8192

# A probe without w has NULL products. `nz_fitted` is read twice, so its places must not be counted twice.
PRODUCTS_OF = """
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
FROM nz_multiplied l JOIN nz_fitted p ON same_space(l.space, p.space);"""


def add_blas(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the database of this session, its cursors included, the functions that PRODUCTS_OF calls."""
    connection.create_function("blas_matrix", _keep, ["DOUBLE[][]"], "VARCHAR", type=PythonUDFType.ARROW)
    connection.create_function(
        "blas_products", _products_of, ["DOUBLE[]", "VARCHAR"], "DOUBLE[]", type=PythonUDFType.ARROW
    )


class Matrices:
    """Matrices that sessions multiply by, under names for SQL: as arguments they would be copied per row.

    The `most` that were used last are kept, far more than the queries that run at once have spaces.
    """

    def __init__(self, most: int = 256) -> None:
        self.named: dict[str, np.ndarray] = {}
        self.most = most
        self.lock = Lock()

    def keep(self, matrices: pa.ChunkedArray) -> pa.Array:
        """Names of matrices (k, d), given as lists of rows: hashes of what they hold, so each is kept once.

        Raises ValueError where rows differ in length or hold NULL.
        """
        return pa.array([self._keep(_matrix(rows.values, "probes")) for rows in matrices], pa.string())

    def _keep(self, matrix: np.ndarray) -> str:
        name = blake2b(matrix.tobytes(), digest_size=16).hexdigest()
        with self.lock:
            self.named.pop(name, None)
            self.named[name] = matrix  # the last in order
            while len(self.named) > self.most:
                del self.named[next(iter(self.named))]
        return name

    def products(self, latents: pa.ChunkedArray, names: pa.ChunkedArray) -> pa.Array:
        """Per latent (d,) its inner products (k,) with the rows of the matrix (k, d) of its name.

        Raises ValueError where lengths differ.
        """
        products, places = [], []
        for name in pc.unique(names).to_pylist():
            places.append(np.flatnonzero(pc.equal(names, name)))
            alike = latents if len(places[-1]) == len(latents) else latents.take(pa.array(places[-1]))
            products.append(_products(_matrix(alike.combine_chunks(), "latents"), self.named[name]))
        return pa.concat_arrays(products).take(pa.array(np.argsort(np.concatenate(places))))


def _matrix(lists: pa.ListArray, what: str) -> np.ndarray:
    """(n, d) float64 from n lists."""
    lengths, values = pc.unique(pc.list_value_length(lists)).to_pylist(), lists.flatten()
    if len(lengths) > 1:
        raise ValueError(f"{what} of one space have one length, and these have {sorted(lengths)}")
    if values.null_count:
        raise ValueError(f"{what} hold NULL")
    return values.to_numpy(zero_copy_only=False).reshape(len(lists), -1)


def _products(z: np.ndarray, matrix: np.ndarray) -> pa.ListArray:
    """(n, k) as n lists, of (n, d) and (k, d)."""
    if z.shape[1] != matrix.shape[1]:
        raise ValueError(f"latents of {z.shape[1]} numbers have no product with probes of {matrix.shape[1]}")
    with np.errstate(
        invalid="ignore", over="ignore"
    ):  # what is not finite makes products that are not, as in DuckDB
        products = sum(
            np.vecdot(z[:, None, i : i + DIMS], matrix[:, i : i + DIMS]) for i in range(0, z.shape[1], DIMS)
        )
    return pa.FixedSizeListArray.from_arrays(pa.array(products.ravel()), len(matrix)).cast(
        pa.list_(pa.float64())
    )


# One store and its two functions for the whole process: DuckDB frees what a session registered when it is
# closed, though its cursors and relations may live on, so what they call must be held by someone else.
MATRICES = Matrices()
_keep, _products_of = MATRICES.keep, MATRICES.products
