"""Probes in SQL beside NumPy on the same Parquet files, read included, in one run.

    python benchmarks/sql.py                        # 16,000 × 1,024 × 26 scored, 1,000 × 1,024 × 26 fitted
    python benchmarks/sql.py --images 4000 --fit-images 500
    python benchmarks/sql.py --dim 16384 --fit-images 0      # a 128×128 latent of four channels
    python benchmarks/sql.py --images 200000 --dim 768 --neighbours 1,100      # `nearest` alone

Scoring: mean score of every attribute over every image, by probe_scores in a DuckDB session that is open
(opening one is timed apart), and by pyarrow and one float32 product in NumPy. In une_ray's own session, which
`une sql` has, scores are products by BLAS; the stock shell's are DuckDB's list_dot_product.
Fitting: ridge, LDA and mean difference by queries/fit_probes.sql, and ridge alone by one float64 Gram and
numpy.linalg.solve.
Neighbours: the ten nearest of so many images, in a session of une_ray's, in the stock shell's and in NumPy.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from une_ray.corpora import Item
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.session import QUERIES, connect
from une_ray.lake.splits import placed

SPACE, PENALTY, NEAREST = "enc", 0.1, 10


def fill(folder: str, images: int, dim: int, attributes: int) -> Lake:
    """A lake of one space, all train images: attributes are noisy readings of it, probes are random."""
    random = np.random.default_rng(0)
    z = (random.standard_normal((images, dim)) * np.linspace(2, 0.3, dim)).astype(np.float16)
    w = random.standard_normal((attributes, dim))
    labels = z @ w.T.astype(np.float32) + 20 * random.standard_normal((images, attributes)) > 0
    names = [f"attribute-{k:02}" for k in range(attributes)]
    items = (
        Item(f"image-{n:08}", "", "train", "", dict(zip(names, map(bool, labels[n])))) for n in range(images)
    )
    lake = create(Lake(folder), f"made-up:{images}", items, 256)
    for shard in range(lake.shards):
        plan = lake.plan(shard)
        some = z[256 * shard : 256 * (shard + 1)]
        rows = pa.table(
            {
                "image_id": plan["image_id"],
                "status": ["ok"] * len(some),
                "z": pa.array(list(some), pa.list_(pa.float16())),
            }
        )
        rest = {
            field.name: pa.nulls(len(some), field.type)
            for field in schema.SPACE
            if field.name not in rows.column_names
        }
        space = pa.table(dict(zip(rows.column_names, rows.columns)) | rest).select(schema.SPACE.names)
        lake.store.commit(f"{space_folder(SPACE)}/{shard_file(shard)}", schema.parquet(space, {}))
        readable = pa.Table.from_pylist(
            [row | {"status": "ok"} | placed(row, None, str) for row in plan.to_pylist()],
            schema=schema.IMAGES,
        )
        lake.store.commit(f"images/{shard_file(shard)}", schema.parquet(readable, {}))
    kind = {
        "space": SPACE,
        "method": "ridge",
        "engine": "fast",
        "split_seed": 0,
        "status": "ok",
        "slope": 1.0,
        "offset": 0.0,
        "b": 0.0,
    }
    results.commit(lake, "probes", {}, [kind | {"attribute": name, "w": row} for name, row in zip(names, w)])
    return lake


def read(lake: Lake) -> np.ndarray:
    """(n, d) float32, by pyarrow."""
    folder = lake.store.path(space_folder(SPACE))
    table = ds.dataset(folder, format="parquet").to_table(columns=["z"], filter=ds.field("status") == "ok")
    latents = table["z"].combine_chunks()
    return latents.flatten().to_numpy(zero_copy_only=False).reshape(len(latents), -1).astype(np.float32)


def stored(lake: Lake) -> np.ndarray:
    """(k, d) float32 weights, by attribute."""
    table = (
        ds.dataset(lake.store.path("probes"), format="parquet")
        .to_table(columns=["attribute", "w"])
        .sort_by("attribute")
    )
    return np.array(table["w"].to_pylist(), dtype=np.float32)


def score_sql(session: duckdb.DuckDBPyConnection) -> np.ndarray:
    """(k,) mean scores, by attribute."""
    query = f"SELECT avg(score) FROM probe_scores('{SPACE}') GROUP BY attribute ORDER BY attribute"
    return session.sql(query).fetchnumpy()["avg(score)"]


def stock(lake: Lake) -> duckdb.DuckDBPyConnection:
    """A session with the views as the stock shell reads them."""
    connection = connect(lake)
    connection.execute((QUERIES / "noisezoo.sql").read_text())
    return connection


def score_numpy(lake: Lake) -> np.ndarray:
    """As `score_sql`."""
    return (read(lake) @ stored(lake).T).mean(0)


def nearest_sql(session: duckdb.DuckDBPyConnection, images: Sequence[int]) -> np.ndarray:
    """(n × NEAREST,) cosines of the nearest of n images, by image."""
    query = f"SELECT cosine FROM nearest('{SPACE}', ?, {NEAREST})"
    return session.execute(query, [[f"image-{n:08}" for n in images]]).fetchnumpy()["cosine"]


def nearest_numpy(lake: Lake, images: Sequence[int]) -> np.ndarray:
    """As `nearest_sql`."""
    z = read(lake)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    cosines = z[images] @ z.T
    cosines[np.arange(len(images)), images] = -2
    return -np.sort(-np.partition(cosines, -NEAREST)[:, -NEAREST:]).ravel()


def fit_sql(lake: Lake) -> np.ndarray:
    """(k, d) ridge weights, by attribute."""
    connection = connect(lake)
    connection.execute("SET VARIABLE penalty = ?", [PENALTY])
    connection.execute((QUERIES / "fit_probes.sql").read_text()).fetchall()
    query = "SELECT w FROM fitted WHERE method = 'ridge' ORDER BY attribute"
    return np.array([w for (w,) in connection.sql(query).fetchall()])


def fit_numpy(lake: Lake) -> np.ndarray:
    """As `fit_sql`."""
    rows = connect(lake).sql("SELECT map_values(attributes) FROM images ORDER BY image_id").fetchall()
    z, y = read(lake).astype(np.float64), np.where(np.array(rows)[:, 0], 1.0, -1.0)
    z -= z.mean(0)
    gram = z.T @ z
    return np.linalg.solve(gram + PENALTY * np.trace(gram) / len(gram) * np.eye(len(gram)), z.T @ y).T


def compare(
    what: str, sql: Callable[[], np.ndarray], numpy: Callable[[], np.ndarray], repeats: int, target: str = ""
) -> None:
    """Print the median ratio of times taken one after the other, and check that both say the same."""
    assert np.allclose(sql(), numpy(), rtol=1e-3, atol=1e-4), f"{what}: SQL and NumPy disagree"
    times = [(timed(sql), timed(numpy)) for _ in range(repeats)]
    ratio = statistics.median(a / b for a, b in times)
    fastest = [min(seconds) for seconds in zip(*times)]
    print(
        f"{what}: SQL {fastest[0]:.2f} s, NumPy {fastest[1]:.2f} s, median ratio {ratio:.2f}{target}",
        flush=True,
    )


def neighbours(lake: Lake, counts: Sequence[int], repeats: int) -> None:
    """Compare `nearest` of so many images, spread over the lake, in both kinds of session."""
    images, sessions = lake.manifest["images"], {"une sql": connect(lake), "stock shell": stock(lake)}
    for count in counts:
        some = range(0, images, images // count)[:count]
        for name, session in sessions.items():
            what = f"{NEAREST} nearest of {count} among {images:,}, {name}"
            compare(what, partial(nearest_sql, session, some), partial(nearest_numpy, lake, some), repeats)


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=16_000)
    parser.add_argument("--fit-images", type=int, default=1_000)
    parser.add_argument("--dim", type=int, default=1_024)
    parser.add_argument("--attributes", type=int, default=26)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--neighbours", help="comma-separated numbers of images; measures nothing else")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.neighbours:
            lake = fill(f"{folder}/lake", args.images, args.dim, 1)
            return neighbours(lake, [int(count) for count in args.neighbours.split(",")], args.repeats)
        big = fill(f"{folder}/big", args.images, args.dim, args.attributes)
        what = f"scoring {args.images:,} × {args.dim:,} × {args.attributes}"
        opening = statistics.median(timed(partial(connect, big)) for _ in range(args.repeats))
        numpy = partial(score_numpy, big)
        compare(f"{what}, une sql", partial(score_sql, connect(big)), numpy, args.repeats, " (target ≤ 2)")
        compare(f"{what}, stock shell", partial(score_sql, stock(big)), numpy, args.repeats)
        print(f"    opening the session: {opening:.2f} s", flush=True)
        if args.fit_images:
            small = fill(f"{folder}/small", args.fit_images, args.dim, args.attributes)
            what = f"fitting {args.fit_images:,} × {args.dim:,} × {args.attributes}"
            compare(what, partial(fit_sql, small), partial(fit_numpy, small), min(args.repeats, 3))


if __name__ == "__main__":
    main()
