"""Image files in a folder, nested or not, local or in an object store, with a table of labels or without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar
from urllib.parse import quote

from une_ray.corpora.base import Item, split_of
from une_ray.corpora.files import absolute, open_folder, read_within
from une_ray.errors import UneError

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif"}
RESERVED = ("file", "caption", "split")


@dataclass(frozen=True)
class Folder:
    """`folder:/data/faces`, or with `?table=/data/labels.csv` a table whose columns are `COLUMNS`."""

    url: str
    table: str | None = None

    FORM: ClassVar[str] = "folder:PATH"
    OPTIONS: ClassVar[Mapping[str, str]] = {"table": "a CSV or Parquet file of labels, one row an image"}
    COLUMNS: ClassVar[Mapping[str, str]] = {
        "file": "the image's path below the folder; the one column that must be there",
        "caption": "a text",
        "split": "test: probes are tested on it; train, or any other such as val: they are fitted on it; "
        "empty: by the file's name, one in five is test",
        "any other": "an attribute: true/false, yes/no, 1/0 or 1/-1; empty where it is unknown",
    }

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> Folder:
        return cls(absolute(argument), absolute(options["table"]) if "table" in options else None)

    @property
    def name(self) -> str:
        return f"folder:{self.url}" + (f"?table={quote(self.table)}" if self.table else "")

    def items(self) -> Iterator[Item]:
        filesystem, root = open_folder(self.url)
        paths = (path[len(root) :].lstrip("/") for path in filesystem.find(root))
        names = sorted(path for path in paths if PurePosixPath(path).suffix.lower() in SUFFIXES)
        labels = read_labels(self.table) if self.table else {}
        if labels and not any(name in labels for name in names):
            raise UneError(
                f"no row of {self.table} names a file of {self.url}; its column 'file' starts with "
                f"{next(iter(labels))!r}, the folder with {names[:1]}"
            )
        for name in names:
            if not name.isprintable():
                raise UneError(f"the file name {name!r} of {self.url} is not text; rename it")
            row = labels.get(name, {})
            attributes = {
                key: value for key, value in row.items() if key not in RESERVED and value is not None
            }
            yield Item(name, name, row.get("split") or split_of(name), row.get("caption"), attributes)

    def read(self, source: str) -> bytes:
        return read_within(self.url, source)


def read_labels(path: str) -> dict[str, dict[str, Any]]:
    """Rows of a CSV or Parquet label table by file name; attributes as bool, unknown ones as None."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.fs
    import pyarrow.parquet as pq

    try:
        filesystem, file = pa.fs.FileSystem.from_uri(path) if "://" in path else (None, path)
        reader = pq.read_table if path.endswith(".parquet") else pyarrow.csv.read_csv
        source = filesystem.open_input_file(file) if filesystem else file
        table = reader(source)
    except FileNotFoundError as error:
        raise UneError(
            f"there is no label table {path}; table= is a path from the current folder, not below the"
            " pictures'"
        ) from error
    except (OSError, pa.ArrowInvalid) as error:
        raise UneError(f"can't read the label table {path}: {error}") from error
    if "file" not in table.column_names:
        raise UneError(
            f"{path} has no column 'file' (path below the folder); it has {', '.join(table.column_names)}"
        )
    rows = {}
    for row in table.to_pylist():
        rows[row["file"]] = {
            key: value if key in RESERVED else as_bool(value, key, path) for key, value in row.items()
        }
    return rows


def as_bool(value: object, column: str, path: str) -> bool | None:
    """True/False, 1/0, 1/-1 and their spellings; None and the empty string are unknown."""
    if value is None or value == "":
        return None
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "-1": False, "no": False}
    text = str(value).strip().lower().removesuffix(".0")
    if text not in known:
        raise UneError(f"column {column!r} of {path} holds {value!r}; attributes are true/false, 1/0 or 1/-1")
    return known[text]


CORPUS = Folder
