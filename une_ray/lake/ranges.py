"""A lake's latents in runs of files: many processes read a space together, and none another's files."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from une_ray.errors import UneError, reason
from une_ray.lake.files import ShardFile
from une_ray.lake.latents import image_ids
from une_ray.lake.layout import Lake, space_folder

ROWS = 32_768  # of a range: seconds of products at least, beside which handing it out and adding up is little

# Latents of every file of a space, by the files that its views read.
COUNTS = """
    SELECT parse_filename(filename), count(*)
    FROM read_parquet(coalesce(
        list_filter(getvariable('spaces_files'), lambda path: contains(path, $folder)),
        [getvariable('lake') || '/' || $folder || '*.parquet']), hive_partitioning = false, filename = true)
    WHERE status = 'ok' GROUP BY ALL"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Range:
    """Rows `start` to `stop` of some images in the lake's order: their ids, and by space the files that have
    them."""

    start: int
    stop: int
    ids: pa.Array
    files: Mapping[str, Sequence[str]]

    @property
    def size(self) -> int:
        return self.stop - self.start


def ranges(lake: Lake, spaces: Sequence[str], ids: pa.Array, rows: int = ROWS) -> list[Range]:
    """The images `ids`, which every one of `spaces` has, in runs of about `rows` or of one file, if that has
    more.

    `ids` stand in the order of the first space, whose files are cut between; files of another space that
    reach over such a cut are named in both ranges.
    """
    files = _in_order(lake.files(space_folder(spaces[0])))
    others = {space: lake.files(space_folder(space)) for space in spaces[1:]}
    found: list[Range] = []
    first = start = stop = 0
    for last, count in enumerate(_wanted(lake, spaces[0], ids, files)):
        stop += count
        if stop - start >= rows or (last + 1 == len(files) and stop > start):
            own = files[first : last + 1]
            named = {spaces[0]: own} | {space: _overlapping(files, own) for space, files in others.items()}
            names = {space: [file.name for file in of_space] for space, of_space in named.items()}
            own_ids = ids.take(pa.array(np.arange(start, stop)))  # a slice travels with all that it is of
            found.append(Range(start=start, stop=stop, ids=own_ids, files=names))
            first, start = last + 1, stop
    return found


def rows_of_range(lake: Lake, space: str, part: Range) -> Iterator[pa.Table]:
    """image_id and z of a range in one space, a row group at a time. Raises UneError where they are not its
    ids in their order, and for a file that can't be read."""
    at = 0
    for name in part.files[space]:
        for found in _of_file(lake, f"{space_folder(space)}/{name}", part.ids, at):
            if not found["image_id"].combine_chunks().equals(part.ids[at : at + len(found)]):
                raise _changed(lake, space)
            at += len(found)
            yield found
    if at < len(part.ids):
        raise _changed(lake, space)


def _changed(lake: Lake, space: str) -> UneError:
    return UneError(
        f"space {space!r} lists other images, or in another order, than when this began; run it again, and"
        f" see une verify {lake.url} if it stays so"
    )


def _of_file(lake: Lake, name: str, ids: pa.Array, at: int) -> Iterator[pa.Table]:
    """Those rows of a file that are the next of `ids` from `at` on; z is read of row groups that have any."""
    try:
        with lake.store.open(name) as opened:
            file = pq.ParquetFile(opened, pre_buffer=False)
            for group in range(file.num_row_groups):
                known = file.read_row_group(group, columns=["image_id", "status"], use_threads=False)
                named = known["image_id"].cast(ids.type)
                is_next = pc.is_in(named, ids[at : at + len(known)])
                kept = pc.and_(is_next, pc.equal(known["status"], "ok"))
                if not pc.any(kept).as_py():
                    continue
                z = file.read_row_group(group, columns=["z"], use_threads=False)["z"]
                found = pa.table({"image_id": named, "z": z}).filter(kept)
                at += len(found)
                yield found
    except FileNotFoundError as error:
        raise UneError(
            f"{lake.url}/{name} is gone, as une compact at work or une space leave it; run it again"
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise UneError(f"{lake.url}/{name} can't be read ({reason(error)}); see une verify") from error


def _in_order(files: Iterable[ShardFile]) -> list[ShardFile]:
    """As `image_ids` lists them."""
    return sorted(files, key=lambda file: file.first)


def _overlapping(files: Sequence[ShardFile], others: Sequence[ShardFile]) -> list[ShardFile]:
    """Those of `files`, which are in the order of their shards, that have a shard of `others`."""
    found: set[ShardFile] = set()
    for other in others:
        low = bisect.bisect_right(files, other.first, key=lambda file: file.first) - 1
        high = bisect.bisect_right(files, other.last, key=lambda file: file.first)
        found |= {file for file in files[max(low, 0) : high] if file.last >= other.first}
    return _in_order(found)


def _wanted(lake: Lake, space: str, ids: pa.Array, files: Sequence[ShardFile]) -> list[int]:
    """How many of `ids` are in each file. Raises UneError where files and ids don't agree."""
    counts = dict(lake.rows(COUNTS, {"folder": f"{space_folder(space)}/"}))
    order = image_ids(lake, space)
    is_all = order.equals(ids)
    are_wanted = np.ones(len(ids), bool) if is_all else pc.is_in(order, ids).to_numpy(zero_copy_only=False)
    ends = np.cumsum([counts.get(file.name, 0) for file in files])
    if ends[-1] != len(order) or are_wanted.sum() != len(ids):
        raise _changed(lake, space)
    before = np.concatenate([[0], np.cumsum(are_wanted)])[ends]
    return np.diff(before, prepend=0).tolist()
