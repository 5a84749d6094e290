"""One shard through one space: decode in threads ahead of the model, and every id comes out once, as a row
or a reject.

A reject keeps its place in its batch, as a blank picture or caption: no row's numbers depend on whether its
neighbours can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa

from une_ray.lake.schema import OK, REJECT, SPACE
from une_ray.models.spec import Preprocessing
from une_ray.pictures.decode import Reject, decode, fit
from une_ray.run.killers import HARMLESS, RowWork
from une_ray.spaces.kind import WATCHED, LookingBack
from une_ray.spaces.space import Space, Step

DECODE_THREADS = 4  # at least: libraries decode without Python's lock
FLOAT16_MAX = 65504.0
BLANK = "a"  # a caption that stands in for one that is not there

Batch = tuple[range, np.ndarray, list[str | None]]
"""Row numbers, pictures (b, size, size, 3) uint8, and why each row is a reject or None."""


def read_space(
    step: Step[np.ndarray],
    preprocessing: Preprocessing,
    batch_size: int,
    image_ids: Sequence[str],
    images: Sequence[bytes | Reject | None],
    threads: int = DECODE_THREADS,
) -> pa.Table:
    """The space's table for one shard, in the order of `image_ids`; `images` holds encoded bytes, None
    where unreadable, or a Reject that says what else is wrong. They are decoded by so many threads."""
    return read_batches(step, image_ids, decoded(preprocessing, batch_size, images, threads)).table()


def read_batches(step: Step[np.ndarray], image_ids: Sequence[str], batches: Iterable[Batch]) -> Rows:
    """The same of batches that are decoded already, or soon."""
    rows = Rows(image_ids)
    for part, pictures, rejects in batches:
        rows.read(step, part, pictures, rejects)
    rows.look_back(step)
    return rows


class SeedRow(TypedDict):
    """What one seed of a mean over them was."""

    image_id: str
    seed: int
    z: np.ndarray


@dataclass(frozen=True)
class Besides:
    """What a step gives beside the space's columns: ids of captions that were `truncated`, and `seeds`."""

    truncated: list[str] = field(default_factory=list)
    seeds: list[SeedRow] = field(default_factory=list)


def read_captions(
    step: Step[list[str]], batch_size: int, image_ids: Sequence[str], captions: Sequence[str | Reject]
) -> tuple[pa.Table, Besides]:
    """The same of captions, as `captions_of` gives them."""
    rows, besides = Rows(image_ids), Besides()
    for start in range(0, len(captions), batch_size):
        part = range(start, min(start + batch_size, len(captions)))
        texts = [BLANK if isinstance(captions[row], Reject) else str(captions[row]) for row in part]
        rejects = [str(captions[row]) if isinstance(captions[row], Reject) else None for row in part]
        found = rows.read(step, part, texts, rejects)
        for row, is_cut in zip(part, found.get("truncated", ())):
            if is_cut and rejects[row - start] is None:
                besides.truncated.append(image_ids[row])
        for row, by_seed in zip(part, found.get("seeds", ())):
            if rows.columns["status"][row] == OK:
                of_item = [SeedRow(image_id=image_ids[row], seed=s, z=z) for s, z in enumerate(by_seed)]
                besides.seeds.extend(of_item)
    return rows.table(), besides


def captions_of(captions: Sequence[str | None], known: Sequence[object]) -> list[str | Reject]:
    """What a space that reads captions is given of every item, or why nothing: `known` is false where
    `images` has a reject."""
    return [
        Reject("image unreadable" if not is_known else "no caption")
        if not is_known or caption is None
        else caption
        for caption, is_known in zip(captions, known, strict=True)
    ]


class Rows:
    """A space's table of one shard while it is read: every item is a reject until it has its latent."""

    def __init__(self, image_ids: Sequence[str]) -> None:
        self.columns: dict[str, list] = {name: [None] * len(image_ids) for name in SPACE.names}
        self.columns["image_id"] = list(image_ids)
        self.columns["status"] = [REJECT] * len(image_ids)
        self.watched: dict[int, Any] = {}

    def read(
        self, step: Step[Any], part: range, batch: Any, rejects: Sequence[str | None]
    ) -> dict[str, np.ndarray]:
        """Fill the rows of `part` with what `step` makes of `batch`; those with a reason in `rejects` keep
        it. What the step gives besides, which is no column, is returned."""
        columns = self.columns
        columns["error"][part.start : part.stop] = rejects
        if None not in rejects:
            return {}
        out = step(batch, [columns["image_id"][row] for row in part])
        z = out.pop("z")
        self.watched |= {part[i]: item for i, item in out.pop(WATCHED, ()) if not rejects[i]}
        besides = {name: out.pop(name) for name in [*out] if name not in columns}
        finite = np.isfinite(z).all(1) & (np.abs(z).max(1) <= FLOAT16_MAX)
        norms = np.linalg.norm(z, axis=1)
        for i, row in enumerate(part):
            if rejects[i] is not None:
                continue
            if not finite[i]:
                columns["error"][row] = "latent is not finite in float16"
                continue
            columns["status"][row] = OK
            columns["z"][row], columns["norm"][row] = z[i].astype(np.float16), norms[i]
            columns["dim"][row] = len(z[i])
            for name, values in out.items():
                columns[name][row] = None if np.isnan(values[i]) else values[i]
        return besides

    def look_back(self, step: Step[Any]) -> None:
        """Fill what a step says of the images that it watches, all of the shard together."""
        if self.watched and isinstance(step, LookingBack):
            for name, values in step.look_back(list(self.watched.values())).items():
                for row, value in zip(self.watched, values):
                    if self.columns["status"][row] == OK and not np.isnan(value):
                        self.columns[name][row] = value

    def table(self) -> pa.Table:
        return pa.Table.from_pydict(self.columns, schema=SPACE)


def trial(space: Space, device: str, items: Sequence[bytes | str | Reject | None]) -> RowWork:
    """What the space does with one item alone, for run.killers."""
    step = space.load(device)

    def read(row: int | None) -> None:
        item = HARMLESS if row is None else items[row]
        if space.modality == "captions":
            text = BLANK if row is None else item
            if isinstance(text, str):
                step([text], [str(row)])
        elif isinstance(item, bytes):
            step(fit(decode(item), space.model.preprocessing)[None], [str(row)])

    return read


def decoded(
    preprocessing: Preprocessing,
    batch_size: int,
    images: Sequence[bytes | Reject | None],
    thread_count: int,
) -> Iterator[Batch]:
    """Batches of `images`: the first is begun at once, each next one while the one before is used."""
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

    threads = ThreadPoolExecutor(thread_count)
    return _in_turn(
        threads, prepare, parts, [threads.submit(prepare, row) for row in parts[0]] if parts else []
    )


def _in_turn(
    threads: ThreadPoolExecutor,
    prepare: Callable[[int], tuple[np.ndarray, str | None]],
    parts: Sequence[range],
    ahead: Sequence[Future[tuple[np.ndarray, str | None]]],
) -> Iterator[Batch]:
    with threads:
        for number, part in enumerate(parts):
            pictures, rejects = zip(*(future.result() for future in ahead))
            following = parts[number + 1] if number + 1 < len(parts) else ()
            ahead = [threads.submit(prepare, row) for row in following]
            yield part, np.stack(pictures), list(rejects)
