"""What latents cost on disk: bytes and seconds by codec, and how fast they come back and into a Gram.

    python benchmarks/storage.py                       # shards of 256 × 16,384 and 256 × 768, one thread

Noise has nothing to compress but the exponents of float16. Writing takes a GPU's actor that long; reading is
per core. `une plan` reckons with the figures of zstd, which a lake has.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from une_ray.geometry.gram import Gram
from une_ray.lake import schema

CODECS: dict[str, dict[str, Any]] = {
    "none": {"compression": "none"},
    "lz4": {"compression": "lz4"},
    "zstd 1 (the lake's)": {"compression": "zstd"},
    "zstd 3": {"compression": "zstd", "compression_level": 3},
}


def best(call: Callable[[], object], repeats: int) -> float:
    """Processor seconds of the fastest of some calls, which other jobs on a machine do not stretch."""
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        call()
        seconds.append(time.process_time() - started)
    return min(seconds)


def shard(rows: int, dim: int) -> pa.Table:
    z = np.random.default_rng(0).standard_normal((rows, dim)).astype(np.float16)
    lists = pa.ListArray.from_arrays(pa.array(np.arange(rows + 1) * dim, pa.int32()), pa.array(z.ravel()))
    return pa.table({"z": lists, "image_id": [f"image-{n:08}" for n in range(rows)]})


def write(table: pa.Table, options: dict[str, Any]) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, use_dictionary=["image_id"], write_page_checksum=True, **options)
    return sink.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    connection = duckdb.connect(config={"threads": 1})
    for dim in (16_384, 768):
        table = shard(args.rows, dim)
        raw = 2 * args.rows * dim
        print(f"{args.rows} × {dim}: {raw / 1e6:.1f} MB of float16")
        for name, options in CODECS.items():
            data = write(table, options)
            writing = best(lambda: write(table, options), args.repeats)  # noqa: B023
            reading = best(lambda: schema.read_parquet(data), args.repeats)  # noqa: B023
            print(
                f"  {name:20} {data.size / raw:6.1%} of it  written in {writing * 1000:7.1f} ms"
                f"  read in {reading * 1000:7.1f} ms ({raw / reading / 1e9:.2f} GB/s)",
                flush=True,
            )
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            file.write(write(table, CODECS["zstd 1 (the lake's)"]))
            file.flush()
            query = f"SELECT sum(z[1]) FROM read_parquet('{file.name}')"
            seconds = best(lambda: connection.execute(query).fetchall(), args.repeats)  # noqa: B023
        print(f"  {'DuckDB reads it':20} in {seconds * 1000:.1f} ms ({raw / seconds / 1e9:.2f} GB/s)")
    z, y = torch.randn(4096, 2048), torch.randn(4096, 40)
    gram = Gram.empty(2048, 40)
    seconds = best(lambda: gram.add(z, y), args.repeats)
    print(f"Gram of 2,048 dims: {2 * len(z) * 2048**2 / seconds / 1e9:.0f} GFLOP/s of the plain product")


if __name__ == "__main__":
    main()
