"""Latents × probes as one product of matrices, in the DuckDB sessions that une_ray opens itself.

DuckDB has no product of matrices, and its list_dot_product is a scalar loop. `use_blas` replaces `products_of` of `queries/noisezoo.sql`, from
which every score comes, by one that has the same rows and lets BLAS multiply; the stock shell keeps the one of the file.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import ThreadpoolController

PRODUCTS_OF = """
CREATE OR REPLACE MACRO products_of(probe_table) AS TABLE
WITH fitted_well AS MATERIALIZED (  -- read twice, so its places must not be counted twice
    SELECT *, row_number() OVER (PARTITION BY space) AS place FROM query_table(probe_table) WHERE status = 'ok'),
matrices AS (SELECT space, blas_matrix(list(w ORDER BY place)) AS matrix FROM fitted_well GROUP BY space),
multiplied AS (
    SELECT l.space, image_id, split, attributes, blas_products(z, matrix) AS products
    FROM latents l JOIN matrices m ON same_space(l.space, m.space) JOIN images USING (image_id))
SELECT l.space, method, attribute, image_id, split, attributes[attribute] AS value, products[place] AS product, b, slope, "offset"
FROM multiplied l JOIN fitted_well p ON same_space(l.space, p.space)"""


def use_blas(connection: duckdb.DuckDBPyConnection) -> None:
    """Let `products_of` of this session, which has the views of `queries/noisezoo.sql`, multiply by BLAS."""
    matrices = Matrices()
    connection.create_function("blas_matrix", matrices.keep, ["DOUBLE[][]"], "VARCHAR", type="arrow")
    connection.create_function("blas_products", matrices.products, ["DOUBLE[]", "VARCHAR"], "DOUBLE[]", type="arrow")
    connection.execute(PRODUCTS_OF)


class Matrices:
    """Matrices that a session multiplies by, under names that SQL hands on: as an argument, a matrix would be copied for every row."""

    def __init__(self) -> None:
        self.named: dict[str, np.ndarray] = {}

    def keep(self, matrices: pa.ChunkedArray) -> pa.Array:
        """Names of matrices (k, d), given as lists of rows: hashes of what they hold, so one that comes again is kept once.

        Raises ValueError where rows differ in length.
        """
        return pa.array([self._keep(rows) for rows in matrices.to_pylist()])

    def _keep(self, rows: list[list[float]]) -> str:
        if len(lengths := {len(row) for row in rows}) > 1:
            raise ValueError(f"probes of one space have as many numbers as its latents, and these have {sorted(lengths)}")
        matrix = np.array(rows)
        name = blake2b(matrix.tobytes(), digest_size=16).hexdigest()
        self.named[name] = matrix
        return name

    def products(self, latents: pa.ChunkedArray, names: pa.ChunkedArray) -> pa.Array:
        """Per latent (d,) its inner products (k,) with the rows of the matrix (k, d) of its name. Raises ValueError where lengths differ."""
        found, places = [], []
        for name in pc.unique(names).to_pylist():
            places.append(np.flatnonzero(pc.equal(names, name)))
            alike = latents if len(places[-1]) == len(latents) else latents.take(pa.array(places[-1]))
            found.append(_products(alike.combine_chunks(), self.named[name]))
        return pa.concat_arrays(found).take(pa.array(np.argsort(np.concatenate(places))))


def _products(latents: pa.ListArray, matrix: np.ndarray) -> pa.ListArray:
    lengths = pc.unique(pc.list_value_length(latents)).to_pylist()
    if lengths != [matrix.shape[1]]:
        raise ValueError(f"latents of {lengths} numbers have no product with probes of {matrix.shape[1]}")
    z = latents.flatten().to_numpy(zero_copy_only=False).reshape(len(latents), -1)
    with _one_thread():
        products = z @ matrix.T
    return pa.FixedSizeListArray.from_arrays(pa.array(products.ravel()), len(matrix)).cast(pa.list_(pa.float64()))


_blas, _lock, _inside = ThreadpoolController().select(user_api="blas"), threading.Lock(), []


@contextmanager
def _one_thread() -> Iterator[None]:
    """BLAS on the thread that asks, until the last who asked has left: DuckDB has a thread on every core, and more would wait for each other."""
    with _lock:
        _inside.append(_inside[0] if _inside else _blas.limit(limits=1))
    try:
        yield
    finally:
        with _lock:
            limit = _inside.pop()
            if not _inside:
                limit.restore_original_limits()
