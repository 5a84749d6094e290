"""One shard through one space: decode in threads ahead of the model, and every id comes out once, as a row or a reject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from une_ray.lake.schema import OK, REJECT, SPACE
from une_ray.models.spec import Preprocessing
from une_ray.steps.decode import Reject, decode, fit
from une_ray.steps.space import Step

DECODE_THREADS = 4
FLOAT16_MAX = 65504.0


def read_space(
    step: Step, preprocessing: Preprocessing, batch_size: int, image_ids: Sequence[str], images: Sequence[bytes | None]
) -> pa.Table:  # fmt: skip
    """The space's table for one shard, in the order of `image_ids`; `images` holds encoded bytes, None where unreadable."""
    columns: dict[str, list] = {name: [None] * len(image_ids) for name in SPACE.names}
    columns["image_id"] = list(image_ids)
    columns["status"] = [REJECT] * len(image_ids)
    columns["error"] = ["image unreadable"] * len(image_ids)
    for rows, pictures in _batches(preprocessing, batch_size, images, columns["error"]):
        out = step(pictures, [image_ids[row] for row in rows])
        z = out.pop("z")
        finite = np.isfinite(z).all(1) & (np.abs(z).max(1) <= FLOAT16_MAX)
        norms = np.linalg.norm(z, axis=1)
        for i, row in enumerate(rows):
            if not finite[i]:
                columns["error"][row] = "latent is not finite in float16"
                continue
            columns["status"][row], columns["error"][row] = OK, None
            columns["z"][row], columns["norm"][row] = z[i].astype(np.float16), norms[i]
            for name, values in out.items():
                columns[name][row] = None if np.isnan(values[i]) else values[i]
    return pa.Table.from_pydict(columns, schema=SPACE)


def _batches(preprocessing, batch_size: int, images, errors: list) -> Iterator[tuple[list[int], np.ndarray]]:
    """(row numbers, pictures (b, size, size, 3) uint8) of what decodes; the next batch decodes while this one is used."""
    readable = [row for row, data in enumerate(images) if data is not None]
    parts = [readable[i : i + batch_size] for i in range(0, len(readable), batch_size)]

    def prepare(row: int) -> np.ndarray | str:
        try:
            return fit(decode(images[row]), preprocessing)
        except Reject as reject:
            return str(reject)
        except ValueError as error:  # of resizing: a strip that becomes no pixels wide
            return f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(DECODE_THREADS) as threads:
        ahead = [threads.submit(prepare, row) for row in parts[0]] if parts else []
        for number, part in enumerate(parts):
            done = [future.result() for future in ahead]
            ahead = [threads.submit(prepare, row) for row in parts[number + 1]] if number + 1 < len(parts) else []
            kept = []
            for row, picture in zip(part, done):
                if isinstance(picture, str):
                    errors[row] = picture
                else:
                    kept.append((row, picture))
            if kept:
                yield [row for row, _ in kept], np.stack([picture for _, picture in kept])
