"""Amazon's S3 Inventory: its manifest, and what its files list.

Files lie in `../data/` beside the manifest's folder, in the bucket as in a copy of it. Keys in CSV are
quoted as in URLs, those in Parquet are not.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from une_ray.corpora.files import read_within
from une_ray.corpora.parquet_files import files_of, rows_of
from une_ray.errors import UneError, reason

MANIFEST = "manifest.json"
FORMATS = ("Parquet", "CSV")
FALSE = (False, "false")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """An inventory's `format`, the `columns` of its CSV files, and the URLs of its `files`."""

    format: str
    columns: list[str]
    files: list[str]


def is_manifest(url: str) -> bool:
    return url.rpartition("/")[2] == MANIFEST


def read_manifest(url: str) -> Manifest:
    """Raises UneError for what is no manifest, and for files in another format."""
    folder = url.rpartition("/")[0]
    data = f"{folder.rpartition('/')[0]}/data"
    try:
        said = json.loads(read_within(folder, MANIFEST))
        names = [entry["key"].rpartition("/")[2] for entry in said["files"]]
        columns = [name.strip() for name in said["fileSchema"].split(",")]
        written = said["fileFormat"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UneError(f"{url} is no manifest of an S3 Inventory: {reason(error)}") from error
    if written not in FORMATS:
        raise UneError(
            f"the inventory at {url} is in {written}; set its format to Parquet or CSV"
            " (Apache Parquet in the console), and take the next one"
        )
    return Manifest(format=written, columns=columns, files=[f"{data}/{name}" for name in names])


def listed_objects(manifest: Manifest) -> Iterator[Mapping[str, Any]]:
    """What every row lists, `bucket` and `key` among its columns, in the order of the files."""
    for url in manifest.files:
        if manifest.format == "Parquet":
            for path in files_of(url):
                yield from rows_of(url, path, None)
        else:
            yield from _rows_of_csv(url, manifest.columns)


def is_there(row: Mapping[str, Any]) -> bool:
    """Whether a row is of an object that can be read: neither an older version nor a mark that it was
    deleted."""
    said = {plain(name): value for name, value in row.items()}
    return said.get("islatest", True) not in FALSE and said.get("isdeletemarker", False) in (None, "", *FALSE)


def plain(column: str) -> str:
    """is_latest in Parquet and IsLatest in CSV are one."""
    return column.replace("_", "").lower()


def _rows_of_csv(url: str, columns: list[str]) -> Iterator[Mapping[str, Any]]:
    import fsspec

    names = [plain(column) for column in columns]
    try:
        with fsspec.open(url, "rt", compression="infer", encoding="utf-8", newline="") as file:
            for values in csv.reader(file):
                row = dict(zip(names, values, strict=True))
                yield row | {"key": unquote_plus(row["key"])}
    except (OSError, ValueError, KeyError) as error:
        raise UneError(f"can't read {url}, a file of the inventory: {reason(error)}") from error
