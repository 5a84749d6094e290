"""One shard through one space: decode in threads ahead of the model, and every id comes out once, as a row
or a reject.

A reject keeps its place in its batch, as a blank picture: no row's numbers depend on whether its
neighbours can be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.lake.schema import OK, REJECT, SPACE
from une_ray.models.spec import Preprocessing
from une_ray.pictures.decode import Reject, decode, fit
from une_ray.run.killers import HARMLESS, RowWork
from une_ray.spaces.kind import WATCHED, LookingBack
from une_ray.spaces.space import Space, Step

DECODE_THREADS = 4
FLOAT16_MAX = 65504.0


def read_space(
    step: Step,
    preprocessing: Preprocessing,
    batch_size: int,
    image_ids: Sequence[str],
    images: Sequence[bytes | Reject | None],
) -> pa.Table:
    """The space's table for one shard, in the order of `image_ids`; `images` holds encoded bytes, None
    where unreadable, or a Reject that says what else is wrong."""
    columns: dict[str, list] = {name: [None] * len(image_ids) for name in SPACE.names}
    columns["image_id"] = list(image_ids)
    columns["status"] = [REJECT] * len(image_ids)
    watched: dict[int, Any] = {}
    for rows, pictures, rejects in _batches(preprocessing, batch_size, images):
        columns["error"][rows.start : rows.stop] = rejects
        if None not in rejects:
            continue
        out = step(pictures, [image_ids[row] for row in rows])
        z = out.pop("z")
        watched |= {rows[i]: item for i, item in out.pop(WATCHED, ()) if not rejects[i]}
        finite = np.isfinite(z).all(1) & (np.abs(z).max(1) <= FLOAT16_MAX)
        norms = np.linalg.norm(z, axis=1)
        for i, row in enumerate(rows):
            if rejects[i]:
                continue
            if not finite[i]:
                columns["error"][row] = "latent is not finite in float16"
                continue
            columns["status"][row] = OK
            columns["z"][row], columns["norm"][row] = z[i].astype(np.float16), norms[i]
            columns["dim"][row] = len(z[i])
            for name, values in out.items():
                columns[name][row] = None if np.isnan(values[i]) else values[i]
    if watched and isinstance(step, LookingBack):
        for name, values in step.look_back(list(watched.values())).items():
            for row, value in zip(watched, values):
                if columns["status"][row] == OK and not np.isnan(value):
                    columns[name][row] = value
    return pa.Table.from_pydict(columns, schema=SPACE)


def trial(space: Space, device: str, images: Sequence[bytes | None]) -> RowWork:
    """What the space does with one image alone, for steps.killers."""
    step = space.load(device)

    def read(row: int | None) -> None:
        data = HARMLESS if row is None else images[row]
        if data is not None:
            step(fit(decode(data), space.model.preprocessing)[None], [str(row)])

    return read


def _batches(
    preprocessing: Preprocessing, batch_size: int, images: Sequence[bytes | Reject | None]
) -> Iterator[tuple[range, np.ndarray, list[str | None]]]:
    """(row numbers, pictures (b, size, size, 3) uint8, why each row is a reject or None); the next batch
    decodes while this one is used."""
    parts = [range(i, min(i + batch_size, len(images))) for i in range(0, len(images), batch_size)]
    blank = np.full((preprocessing.size, preprocessing.size, 3), 127, np.uint8)

    def prepare(row: int) -> tuple[np.ndarray, str | None]:
        data = images[row]
        if not isinstance(data, bytes):
            return blank, "image unreadable" if data is None else str(data)
        try:
            return fit(decode(data), preprocessing), None
        except Reject as reject:
            return blank, str(reject)
        except ValueError as error:  # of resizing: a strip that becomes no pixels wide
            return blank, f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(DECODE_THREADS) as threads:
        ahead = [threads.submit(prepare, row) for row in parts[0]] if parts else []
        for number, part in enumerate(parts):
            pictures, rejects = zip(*(future.result() for future in ahead))
            ahead = (
                [threads.submit(prepare, row) for row in parts[number + 1]] if number + 1 < len(parts) else []
            )
            yield part, np.stack(pictures), list(rejects)
